"""What can be run without a cluster or a cloud is run: SQL on PostgreSQL 18.1, an erasure on the service; the rest is named."""

import importlib
import re
import shlex
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
from rehearsed import with_line
from runbooks import ALL, FOLDER, blocks, code, commands

from common.start import fetch, migrate, postgres, service
from terraform.tests.conftest import package  # noqa: F401

SELECT = re.compile(r"^(select .*?);?$", re.M | re.I)


@pytest.mark.parametrize("runbook", ALL)
def test_it_names_what_no_test_has_run(runbook):
    assert (FOLDER / f"{runbook}.md").read_text() == with_line(runbook), "just rehearsed"


@pytest.fixture(scope="module")
def run_sql(package):  # noqa: F811
    """On a server with the service's schema, by the driver that the rotation function brings."""
    sys.path.insert(0, str(package))
    native = importlib.import_module("pg8000.native")
    with postgres() as server:
        migrate(server.url)
        url = urlsplit(server.url)
        connection = native.Connection(url.username, url.hostname, "postgres", url.port, url.password)
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


def test_an_erasure_is_as_it_is_told():
    """Both commands, and the answers that stand beside them."""
    with service() as api:
        erase(api.url)


def erase(address: str):
    def curl(command: str) -> str:
        words = shlex.split(command.replace("https://birthday.example.com", address))
        return subprocess.run([*words, "-sS"], text=True, capture_output=True, check=True, timeout=20).stdout

    [told] = blocks("erasure", "console")
    command, _, answer = told.removeprefix("$ ").partition("\n")
    fetch(f"{address}/hello/John", method="PUT", data=b'{"dateOfBirth": "1990-05-17"}', headers={"Content-Type": "application/json"})
    assert curl(command).splitlines()[0].strip() == answer.strip()
    [look] = commands("erasure", "curl")
    assert '"status":404' in curl(look).replace(" ", "") and "unknown-username" in curl(look)
