"""The packaged rotation function against a real PostgreSQL 18.1 and the AWS double's Secrets Manager."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import uuid
import zipfile

import boto3
import pytest

import database
from conftest import TERRAFORM, started_double
from tools import run

STEPS = ["createSecret", "setSecret", "testSecret", "finishSecret"]
ROLES = ["birthday_owner", "birthday_app"]


@pytest.fixture(scope="module")
def server(folder):
    place = folder / "postgres"
    place.mkdir()
    with database.running(place) as running:
        yield running


@pytest.fixture(scope="module")
def function(folder, package, server):
    """The zip file's contents as Lambda unpacks them; only RDS's authority is replaced by the test's."""
    place = folder / "function"
    with zipfile.ZipFile(package) as archive:
        archive.extractall(place)
    shutil.copy(server.folder / "ca.pem", place / "rds-ca.pem")
    with started_double(folder / "secrets.log") as settings:
        os.environ.update(settings)
        sys.path.insert(0, str(place))
        yield importlib.import_module("rotation")
        sys.path.remove(str(place))
        for name in settings:
            os.environ.pop(name)


def connect(server, login, **options):
    roles = importlib.import_module("roles")
    return roles.connect(login, {"host": "localhost", "port": server.port, "name": "birthday"} | options)


@pytest.fixture
def manager(function, server):
    """A fresh database and fresh secrets: (client, secrets by role)."""
    administrator = {"username": "rdsadmin", "password": "the-superusers-password"}
    with connect(server, administrator, name="postgres") as connection:
        connection.run("DROP DATABASE IF EXISTS birthday WITH (FORCE)")
        for user in ("birthday_owner_a", "birthday_owner_b", "birthday_app_a", "birthday_app_b", *ROLES, "birthday_admin"):
            connection.run(f"DROP ROLE IF EXISTS {user}")
        # As RDS makes its master user.
        connection.run(f"CREATE ROLE birthday_admin LOGIN CREATEROLE CREATEDB PASSWORD '{database.MASTER['password']}'")
        connection.run("CREATE DATABASE birthday OWNER birthday_admin")

    client = boto3.client("secretsmanager")
    run_id = uuid.uuid4().hex[:8]
    master = client.create_secret(Name=f"{run_id}/master", SecretString=json.dumps(database.MASTER))["ARN"]
    secrets = {role: client.create_secret(Name=f"{run_id}/{role}")["ARN"] for role in ROLES}
    os.environ |= {
        "DATABASE_HOST": "localhost", "DATABASE_PORT": str(server.port), "DATABASE_NAME": "birthday",
        "DATABASE_PROJECT": "birthday", "CONNECTION_LIMIT": "7", "MASTER_SECRET": master,
        "ROTATED_SECRETS": json.dumps(secrets),
    }  # fmt: skip
    return client, secrets


def initialize(function):
    function.handler({"Step": "initialize"}, None)


def begin(client, arn):
    """What Secrets Manager does before it calls the first step: a pending version without a value."""
    token = str(uuid.uuid4())
    client.rotate_secret(SecretId=arn, ClientRequestToken=token, RotationRules={"AutomaticallyAfterDays": 30})
    return token


def call(function, step, arn, token):
    function.handler({"Step": step, "SecretId": arn, "ClientRequestToken": token}, None)


def rotate(function, client, arn, steps=STEPS):
    token = begin(client, arn)
    for step in steps:
        call(function, step, arn, token)
    return token


def current(client, arn):
    return json.loads(client.get_secret_value(SecretId=arn, VersionStage="AWSCURRENT")["SecretString"])


def query(server, login, sql):
    with connect(server, login) as connection:
        return connection.run(sql)


def refused(server, login, sql):
    from pg8000.exceptions import DatabaseError

    with pytest.raises(DatabaseError) as error:
        query(server, login, sql)
    return error.value.args[0]["C"]


def test_first_run_makes_roles_and_values(function, manager, server):
    client, secrets = manager
    initialize(function)
    for role, arn in secrets.items():
        login = current(client, arn)
        assert login["username"] == f"{role}_a"
        assert (login["host"], login["port"], login["dbname"], login["engine"]) == (
            "localhost", server.port, "birthday", "postgres",
        )  # fmt: skip
        assert query(server, login, "SELECT session_user::text") == [[f"{role}_a"]]


def test_first_run_again_changes_nothing(function, manager, server):
    client, secrets = manager
    initialize(function)
    before = {role: current(client, arn) for role, arn in secrets.items()}
    initialize(function)
    assert before == {role: current(client, arn) for role, arn in secrets.items()}
    assert query(server, before["birthday_app"], "SELECT 1") == [[1]]


def test_first_run_stopped_before_the_secret_is_written_can_be_repeated(function, manager, server, monkeypatch):
    client, secrets = manager
    with monkeypatch.context() as patch:
        patch.setattr(function.manager, "put_secret_value", stop)
        with pytest.raises(Stopped):
            initialize(function)
    initialize(function)
    for arn in secrets.values():
        assert query(server, current(client, arn), "SELECT 1") == [[1]]


def test_users_alternate_and_the_former_one_still_works(function, manager, server):
    client, secrets = manager
    initialize(function)
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
def test_a_step_that_fails_halfway_disturbs_nobody_and_can_be_repeated(function, manager, server, monkeypatch, step, wrap):
    client, secrets = manager
    initialize(function)
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


def test_an_abandoned_rotation_gives_way_to_a_new_one(function, manager, server):
    client, secrets = manager
    initialize(function)
    arn = secrets["birthday_app"]
    rotate(function, client, arn, STEPS[:2])
    rotate(function, client, arn)
    assert query(server, current(client, arn), "SELECT session_user::text") == [["birthday_app_b"]]


def test_the_database_being_away_leaves_the_secret_as_it_was(function, manager, server):
    client, secrets = manager
    initialize(function)
    arn = secrets["birthday_app"]
    before = current(client, arn)
    token = begin(client, arn)
    call(function, "createSecret", arn, token)
    os.environ["DATABASE_PORT"] = "1"
    for step in ("setSecret", "testSecret"):
        with pytest.raises(Exception, match="Can't create a connection"):
            call(function, step, arn, token)
    assert current(client, arn) == before


def test_steps_out_of_order_are_refused(function, manager):
    client, secrets = manager
    initialize(function)
    token = begin(client, secrets["birthday_app"])
    for step in STEPS[1:]:
        with pytest.raises(function.RotationError, match="createSecret comes first"):
            call(function, step, secrets["birthday_app"], token)


def test_a_version_that_is_not_pending_is_refused(function, manager):
    client, secrets = manager
    initialize(function)
    rotate(function, client, secrets["birthday_app"])
    with pytest.raises(function.RotationError, match="is not being rotated"):
        call(function, "createSecret", secrets["birthday_app"], str(uuid.uuid4()))
    with pytest.raises(function.RotationError, match="not rotated here"):
        call(function, "createSecret", os.environ["MASTER_SECRET"], str(uuid.uuid4()))


def test_the_user_in_use_never_gets_a_new_password(function, manager):
    client, secrets = manager
    initialize(function)
    arn = secrets["birthday_app"]
    token = begin(client, arn)
    client.put_secret_value(
        SecretId=arn, ClientRequestToken=token, SecretString=json.dumps(current(client, arn)), VersionStages=["AWSPENDING"]
    )
    with pytest.raises(function.RotationError, match="in use"):
        call(function, "setSecret", arn, token)


def test_both_secrets_rotate_at_the_same_time(function, manager, server):
    client, secrets = manager
    initialize(function)
    failed = []

    def turn(arn):
        try:
            rotate(function, client, arn)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=turn, args=(arn,)) for arn in secrets.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed
    for role, arn in secrets.items():
        assert query(server, current(client, arn), "SELECT session_user::text") == [[f"{role}_b"]]


def test_either_owner_makes_tables_that_the_role_owns(function, manager, server):
    client, secrets = manager
    initialize(function)
    for table in ("first", "second"):
        owner = current(client, secrets["birthday_owner"])
        query(server, owner, f"CREATE TABLE {table} (name text PRIMARY KEY)")
        rotate(function, client, secrets["birthday_owner"])
    owner = current(client, secrets["birthday_owner"])
    assert query(server, owner, "SELECT tablename::text, tableowner::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1") == [
        ["first", "birthday_owner"], ["second", "birthday_owner"],
    ]  # fmt: skip
    query(server, owner, "ALTER TABLE first ADD COLUMN more text")


def test_the_application_reads_and_writes_rows_and_nothing_else(function, manager, server):
    client, secrets = manager
    initialize(function)
    owner, app = (current(client, secrets[role]) for role in ROLES)
    query(server, owner, "CREATE TABLE birthdays (username text PRIMARY KEY)")
    for sql in (
        "INSERT INTO birthdays VALUES ('ada')",
        "UPDATE birthdays SET username = 'eve'",
        "SELECT * FROM birthdays",
        "DELETE FROM birthdays",
    ):
        query(server, app, sql)
    for sql in (
        "CREATE TABLE other (n int)",
        "CREATE TEMPORARY TABLE other (n int)",
        "CREATE SCHEMA other",
        "ALTER TABLE birthdays ADD COLUMN n int",
        "DROP TABLE birthdays",
        "TRUNCATE birthdays",
        "SET ROLE birthday_owner",
        "ALTER ROLE birthday_owner_a PASSWORD 'x'",
        "CREATE ROLE other",
    ):
        assert refused(server, app, sql) == "42501", sql


def test_an_application_user_holds_no_more_connections_than_its_share(function, manager, server):
    client, secrets = manager
    initialize(function)
    app = current(client, secrets["birthday_app"])
    limit = "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'birthday_app_a'"
    assert query(server, app, limit) == [[7]]


def test_no_password_is_in_the_servers_log_or_the_functions(function, manager, server, caplog):
    client, secrets = manager
    initialize(function)
    for _ in range(2):
        rotate(function, client, secrets["birthday_app"])
    text = server.log.read_text()
    assert re.search(r'ALTER ROLE "?birthday_app_b"? PASSWORD', text), "statements are logged"
    for arn in secrets.values():
        for stage in ("AWSCURRENT", "AWSPREVIOUS"):
            try:
                value = client.get_secret_value(SecretId=arn, VersionStage=stage)["SecretString"]
            except client.exceptions.ResourceNotFoundException:
                continue
            assert json.loads(value)["password"] not in text + caplog.text


def test_a_server_with_another_certificate_is_refused(function, manager, server):
    """verify-full: a host name that the certificate does not carry ends the connection."""
    import ssl

    with pytest.raises(ssl.SSLCertVerificationError):
        with connect(server, database.MASTER, host="127.0.0.1"):
            pass


def test_the_package_is_the_same_every_time(package):
    before = package.read_bytes()
    run([sys.executable, TERRAFORM / "package"], tries=3)
    assert package.read_bytes() == before


def test_the_package_needs_nothing_that_lambda_lacks(package, folder):
    """Imported with the standard library and boto3 alone; no compiled module in it."""
    with zipfile.ZipFile(package) as archive:
        names = archive.namelist()
    assert not [name for name in names if name.endswith((".so", ".pyd", ".pyc"))]
    code = "import sys; sys.path.insert(0, sys.argv[1]); import roles; print(roles.Connection.__module__)"
    out = subprocess.run([sys.executable, "-S", "-c", code, package], text=True, capture_output=True)
    assert out.stdout.strip() == "pg8000.native", out.stderr
