"""What a developer can rely on: it starts with one command, keeps what it acknowledged, and cleans up after itself."""

import re
import time

from common.load import Client, Load
from common.start import eventually
from conftest import PORT, PROJECT, compose, container, docker


def test_answers_on_loopback_alone(stack: Client):
    until_it_saves(stack)
    assert stack.save("Ada").status == 204
    page = {"Origin": f"http://127.0.0.1:{PORT}", "Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}
    assert stack.request("POST", "/save", "username=Ada&dateOfBirth=1990-06-15&tz=", page).status == 303
    found = stack.find("Ada")
    assert (found.status, found.body[:11]) == (200, '{"message":')
    bindings = container("api")["NetworkSettings"]["Ports"]
    assert bindings == {"8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(PORT)}]}
    assert not any(container("database")["NetworkSettings"]["Ports"].values())


def test_containers_are_confined(stack: Client):
    for service in ("api", "migrate", "database", "credentials"):
        host = container(service)["HostConfig"]
        assert host["CapDrop"] == ["ALL"] and host["SecurityOpt"] == ["no-new-privileges:true"], service
        assert (host["CapAdd"] or []) == (["CAP_CHOWN"] if service == "credentials" else []), service
    for service in ("api", "migrate"):
        inspected = container(service)
        assert inspected["HostConfig"]["ReadonlyRootfs"] and inspected["HostConfig"]["Memory"] == 128 << 20
        assert inspected["Config"]["User"] == "65532:65532"


def test_service_and_database_return_after_a_reboot(stack: Client):
    for service in ("api", "database"):
        assert container(service)["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped", service


def test_passwords_are_random_and_nowhere_but_in_their_files(stack: Client):
    logins = {}
    for login in ("owner", "service"):
        logins[login] = compose("exec", "-T", "database", "cat", f"/run/logins/{login}/password")
        assert re.fullmatch(r"[A-Za-z0-9+/]{32}", logins[login])
        modes = compose("exec", "-T", "database", "stat", "--format=%U %u %g %a", f"/run/logins/{login}/password")
        assert modes.endswith("65532 999 440")
    assert logins["owner"] != logins["service"]
    told = compose("logs", "--no-color") + compose("config") + compose("exec", "-T", "database", "cat", "/proc/1/environ")
    told += "".join(docker("inspect", PROJECT + "-" + name) for name in ("api-1", "migrate-1", "database-1", "credentials-1"))
    assert "POSTGRES_DB" in told and not any(password in told for password in logins.values())


def test_service_may_read_and_write_rows_and_nothing_else(stack: Client):
    def psql(statement: str) -> str:
        return psql_as("birthday", "$(cat /run/logins/service/password)", statement)

    assert "INSERT 0 1" in psql("insert into birthdays values ('Grace', '1906-12-09')")
    assert "DELETE 1" in psql("delete from birthdays where username = 'Grace'")
    for refused in ("drop table birthdays", "truncate birthdays", "create table more ()", "create role more"):
        assert re.search("permission denied|must be owner", psql(refused)), refused


def test_database_wants_a_password_and_the_superuser_has_none(stack: Client):
    started_with = "$(tr '\\0' '\\n' </proc/1/environ | sed -n 's/^POSTGRES_PASSWORD=//p')"
    for user, password in (("postgres", started_with), ("birthday", "wrong")):
        assert "password authentication failed" in psql_as(user, password, "select 1"), user


def test_stop_ends_it_in_time_and_loses_nothing(stack: Client):
    until_it_saves(stack)
    with Load(lambda: Client(PORT), clients=8, pause=0.01) as load:
        time.sleep(2)
        compose("stop", "api")
    state = container("api")["State"]
    assert state["ExitCode"] == 0 and not state["OOMKilled"], state
    assert {(event.method, event.answer.status) for event in load.events if event.answer} == {("PUT", 204), ("GET", 200)}

    compose("up", "--detach", "--wait")
    until_it_saves(stack)
    assert len(load.saved) > 100 and [name for name in sorted(load.saved) if stack.find(name).status != 200] == []


def test_data_survives_down_and_down_v_removes_everything(stack: Client):
    assert stack.save("Edsger", "1930-05-11").status == 204
    compose("down")
    assert leftovers("container") == [] and len(leftovers("volume")) == 3

    compose("up", "--detach", "--wait")
    until_it_saves(stack)
    assert stack.find("Edsger").status == 200

    compose("down", "--volumes")
    assert [leftovers(kind) for kind in ("container", "volume", "network")] == [[], [], []]


def psql_as(user: str, password: str, statement: str) -> str:
    """PostgreSQL's answer over TCP; the container's shell expands `password`."""
    script = f'PGPASSWORD="{password}" exec psql -h 127.0.0.1 -U {user} -d birthday -c "$1"'
    return compose("exec", "-T", "database", "bash", "-c", script, "psql", statement, check=False)


def until_it_saves(client: Client):
    """The service is ready before it has found its database."""

    def saved() -> bool:
        answer = client.save("Alan")
        assert answer.status == 204 or answer.is_outage, answer
        return answer.status == 204

    eventually("the service has found its database", saved)


def leftovers(kind: str) -> list[str]:
    everything = ["--all"] if kind == "container" else []
    return docker(kind, "ls", *everything, "--quiet", "--filter", f"label=com.docker.compose.project={PROJECT}").split()
