"""The packaged rotation function, step by step, against a real PostgreSQL 18.1 and the AWS double's Secrets Manager."""

import json
import os
import subprocess
import sys
import uuid
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import TERRAFORM
from secrets_manager import STEPS, begin, call, current, initialize, query, refused, rotate
from tools import run


def test_first_run_makes_roles_and_values_once(function, manager, server):
    """The next one sets another limit of connections, and nothing else."""
    client, secrets = manager
    limits = "SELECT rolname::text, rolconnlimit FROM pg_roles WHERE rolname ~ '_[ab]$' ORDER BY 1"
    for limit in (7, 8):
        os.environ["CONNECTION_LIMIT"] = str(limit)
        initialize(function)
        logins = {role: current(client, arn) for role, arn in secrets.items()}
        for role, login in logins.items():
            assert [login[key] for key in ("host", "port", "dbname", "engine")] == ["localhost", server.port, "birthday", "postgres"]
            assert query(server, login, "SELECT session_user::text") == [[f"{role}_a"]]
        found = query(server, logins["birthday_app"], limits)
        assert found == [["birthday_app_a", limit], ["birthday_app_b", limit], ["birthday_owner_a", -1], ["birthday_owner_b", -1]]
    assert all(len(client.list_secret_version_ids(SecretId=arn)["Versions"]) == 1 for arn in secrets.values())


def test_first_run_stopped_before_the_secret_is_written_can_be_repeated(function, manager, server, monkeypatch):
    client, secrets = manager
    with monkeypatch.context() as patch:
        patch.setattr(function.manager, "put_secret_value", stop)
        with pytest.raises(Stopped):
            initialize(function)
    initialize(function)
    for arn in secrets.values():
        assert query(server, current(client, arn), "SELECT 1") == [[1]]


def test_users_alternate_and_the_former_one_still_works(function, initialized, server):
    client, secrets = initialized
    for role, arn in secrets.items():
        logins = [current(client, arn)]
        for expected in ("b", "a", "b"):
            rotate(function, client, arn)
            logins.append(current(client, arn))
            assert logins[-1]["username"] == f"{role}_{expected}"
            assert query(server, logins[-1], "SELECT 1") == [[1]]
            assert query(server, logins[-2], "SELECT 1") == [[1]], "whoever holds the former login goes on"
        assert refused(server, logins[0], "SELECT 1") == "28P01", "the one before is gone"
        assert len({login["password"] for login in logins}) == 4


class Stopped(Exception):
    pass


def stop(*_args, **_kwargs):
    raise Stopped


def stop_after(function):
    def done(*args, **kwargs):
        function(*args, **kwargs)
        raise Stopped

    return done


HALFWAY = {
    # step -> where it stops: before or after its one effect
    "createSecret": ("manager", "put_secret_value"),
    "setSecret": ("roles", "set_password"),
    "testSecret": ("roles", "test_login"),
    "finishSecret": ("manager", "update_secret_version_stage"),
}


@pytest.mark.parametrize("wrap", [lambda _effect: stop, stop_after], ids=["before its effect", "after its effect"])
@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_fails_halfway_disturbs_nobody_and_can_be_repeated(function, initialized, server, monkeypatch, step, wrap):
    client, secrets = initialized
    arn = secrets["birthday_app"]
    rotate(function, client, arn)  # Both users have passwords now.
    before = current(client, arn)
    token = begin(client, arn)
    for done in STEPS[: STEPS.index(step)]:
        call(function, done, arn, token)

    owner, name = HALFWAY[step]
    place = getattr(function, owner)
    with monkeypatch.context() as patch:
        patch.setattr(place, name, wrap(getattr(place, name)))
        with pytest.raises(Stopped):
            call(function, step, arn, token)
    assert query(server, before, "SELECT 1") == [[1]]
    assert query(server, current(client, arn), "SELECT 1") == [[1]], "what the secret says works at every moment"

    for again in STEPS:
        call(function, again, arn, token)
    after = current(client, arn)
    assert after["username"] != before["username"]
    assert query(server, after, "SELECT 1") == [[1]]
    assert query(server, before, "SELECT 1") == [[1]]


def test_a_repeated_first_step_keeps_the_pending_password(function, initialized):
    """AWS refuses a second value for a version; the double would accept it."""
    client, secrets = initialized
    arn = secrets["birthday_app"]
    token = begin(client, arn)
    call(function, "createSecret", arn, token)
    pending = current(client, arn, "AWSPENDING")
    call(function, "createSecret", arn, token)
    assert current(client, arn, "AWSPENDING") == pending


def test_an_abandoned_rotation_gives_way_to_a_new_one(function, initialized, server):
    client, secrets = initialized
    arn = secrets["birthday_app"]
    rotate(function, client, arn, STEPS[:2])
    rotate(function, client, arn)
    assert query(server, current(client, arn), "SELECT session_user::text") == [["birthday_app_b"]]


def test_the_database_being_away_leaves_the_secret_as_it_was(function, initialized, server):
    client, secrets = initialized
    arn = secrets["birthday_app"]
    before = current(client, arn)
    token = begin(client, arn)
    call(function, "createSecret", arn, token)
    os.environ["DATABASE_PORT"] = "1"
    for step in ("setSecret", "testSecret"):
        with pytest.raises(Exception, match="Can't create a connection"):
            call(function, step, arn, token)
    assert current(client, arn) == before


def test_steps_out_of_order_are_refused(function, initialized):
    client, secrets = initialized
    token = begin(client, secrets["birthday_app"])
    for step in STEPS[1:]:
        with pytest.raises(function.RotationError, match="createSecret comes first"):
            call(function, step, secrets["birthday_app"], token)


def test_a_version_that_is_not_pending_is_refused(function, initialized):
    client, secrets = initialized
    rotate(function, client, secrets["birthday_app"])
    with pytest.raises(function.RotationError, match="is not being rotated"):
        call(function, "createSecret", secrets["birthday_app"], str(uuid.uuid4()))
    with pytest.raises(function.RotationError, match="not rotated here"):
        call(function, "createSecret", os.environ["MASTER_SECRET"], str(uuid.uuid4()))


def test_the_user_in_use_never_gets_a_new_password(function, initialized):
    client, secrets = initialized
    arn = secrets["birthday_app"]
    token = begin(client, arn)
    client.put_secret_value(SecretId=arn, ClientRequestToken=token, SecretString=json.dumps(current(client, arn)), VersionStages=["AWSPENDING"])
    with pytest.raises(function.RotationError, match="in use"):
        call(function, "setSecret", arn, token)


def test_both_secrets_rotate_at_the_same_time(function, initialized, server):
    client, secrets = initialized
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda arn: rotate(function, client, arn), secrets.values()))
    for role, arn in secrets.items():
        assert query(server, current(client, arn), "SELECT session_user::text") == [[f"{role}_b"]]


def test_the_package_is_the_same_every_time(package):
    before = package.read_bytes()
    run([sys.executable, TERRAFORM / "package"], tries=3)
    assert package.read_bytes() == before


def test_the_package_needs_nothing_that_lambda_lacks(package, folder):
    """It imports with the standard library and boto3 alone, and contains no compiled module."""
    with zipfile.ZipFile(package) as archive:
        names = archive.namelist()
    assert not [name for name in names if name.endswith((".so", ".pyd", ".pyc"))]
    code = "import sys; sys.path.insert(0, sys.argv[1]); import roles; print(roles.Connection.__module__)"
    out = subprocess.run([sys.executable, "-S", "-c", code, package], text=True, capture_output=True)
    assert out.stdout.strip() == "pg8000.native", out.stderr
