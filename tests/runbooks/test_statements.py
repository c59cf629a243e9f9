"""What can be run without a cluster or a cloud is run: SQL on PostgreSQL 18.1, an erasure on the service; the rest is named."""

import importlib
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from rehearsed import with_line
from runbooks import ALL, FOLDER, ROOT, blocks, code, commands

import database
from terraform.tests.conftest import folder, package  # noqa: F401

SELECT = re.compile(r"^(select .*?);?$", re.M | re.I)


@pytest.mark.parametrize("runbook", ALL)
def test_it_names_what_no_test_has_run(runbook):
    assert (FOLDER / f"{runbook}.md").read_text() == with_line(runbook), "tests/runbooks/run rehearsed"


@pytest.fixture(scope="module")
def run_sql(folder, package):  # noqa: F811
    """On a server with the service's schema, by the driver that the rotation function brings."""
    place = folder / "postgres"
    place.mkdir()
    with database.running(place) as server:
        sys.path.insert(0, str(package))
        native = importlib.import_module("pg8000.native")
        tls = importlib.import_module("ssl").create_default_context(cafile=place / "ca.pem")
        login = {"user": "rdsadmin", "password": "the-superusers-password", "host": "localhost", "port": server.port}
        connection = native.Connection(**login, database="postgres", ssl_context=tls)
        for migration in sorted((ROOT / "migrations/postgres").glob("*.sql")):
            connection.run(migration.read_text())
        yield connection.run
        connection.close()
        sys.path.remove(str(package))


def statements() -> list[tuple[str, str]]:
    return [(r, s) for r in ALL for text in (code(r), *blocks(r, "sql")) for s in SELECT.findall(text)]


def test_there_are_statements():
    assert len(statements()) >= 2


@pytest.mark.parametrize(("runbook", "statement"), statements())
def test_a_statement_runs(runbook, statement, run_sql):
    run_sql(statement.replace("(pid)", "(pid) from pg_stat_activity where false"))


def test_columns_of_the_activity_view_exist(run_sql):
    """`wait_event_type = 'Lock'` and the like, between backticks."""
    named = set(re.findall(r"^(\w+) = '\w+'$", "\n".join(code(r) for r in ALL), re.M))
    assert "wait_event_type" in named
    for column in named:
        run_sql(f"select {column} from pg_stat_activity")


@pytest.fixture
def service(folder):  # noqa: F811
    """The service with SQLite, as `cargo run` starts it; its address."""
    program = os.environ.get("BIRTHDAY_API", ROOT / "target/debug/birthday-api")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    place = folder / "service"
    place.mkdir()
    running = subprocess.Popen([program], cwd=place, env=os.environ | {"ROCKET_PORT": str(port), "ROCKET_LIFECYCLE": "{drain=0}"})
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"{address}/readyz", timeout=2).close()
                break
            except OSError:
                time.sleep(0.05)
        yield address
    finally:
        running.terminate()
        running.wait(30)


def test_an_erasure_is_as_it_is_told(service):
    """Both commands, and the answers that stand beside them."""

    def curl(command: str) -> str:
        words = shlex.split(command.replace("https://birthday.example.com", service))
        return subprocess.run([*words, "-sS"], text=True, capture_output=True, check=True, timeout=20).stdout

    [told] = blocks("erasure", "console")
    command, _, answer = told.removeprefix("$ ").partition("\n")
    known = urllib.request.Request(f"{service}/hello/John", b'{"dateOfBirth": "1990-05-17"}', {"Content-Type": "application/json"}, method="PUT")
    assert urllib.request.urlopen(known, timeout=10).status == 204
    assert curl(command).splitlines()[0].strip() == answer.strip()
    [look] = commands("erasure", "curl")
    assert '"status":404' in curl(look).replace(" ", "") and "unknown-username" in curl(look)
