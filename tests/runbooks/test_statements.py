"""Runs what needs neither a cluster nor a cloud: SQL on PostgreSQL 18.1, an erasure on the service."""

import importlib
import re
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
from runbooks import ALL, blocks

from common.start import fetch, migrate, postgres, service
from terraform.tests.conftest import package  # noqa: F401


@pytest.fixture(scope="module")
def run_sql(package):  # noqa: F811
    """Runs SQL on a server with the service's schema, with the rotation function's driver."""
    sys.path.insert(0, str(package))
    native = importlib.import_module("pg8000.native")
    with postgres() as server:
        migrate(server.url)
        url = urlsplit(server.url)
        connection = native.Connection(url.username, url.hostname, "postgres", url.port, url.password)
        yield connection.run
        connection.close()
    sys.path.remove(str(package))


def statements(runbook: str) -> list[str]:
    return [statement for block in blocks(runbook, "sql") for statement in block.split(";") if statement.strip()]


@pytest.mark.parametrize("runbook", [runbook for runbook in ALL if blocks(runbook, "sql") and runbook != "restore"])
def test_its_sql_runs(runbook, run_sql):
    for statement in statements(runbook):
        run_sql(statement)


def test_the_login_of_psql_sees_the_sessions_of_others(run_sql):
    """The connection's own session is another user's here: the superuser's, who has taken the role. RDS's master user is a member of pg_monitor."""
    login = re.search(r"^login=(\w+)", "\n".join(blocks("psql")), re.M)[1]
    run_sql(f"create role {login} {'in role pg_monitor' if login == 'master' else ''}")
    run_sql(f"set role {login}")
    try:
        assert run_sql(statements("psql")[0])
    finally:
        run_sql("reset role")


def test_a_restore_brings_back_what_was_lost_and_not_who_was_erased(run_sql):
    """Ada's and Grace's dates were overwritten, Bob was lost, Erased asked for erasure, Carl corrected his date himself, and Dora is new."""
    run_sql("create table restored (like birthdays including all)")
    for table, rows in {
        "restored": "('Ada', '1815-12-10'), ('Bob', '1990-01-01'), ('Carl', '1990-01-02'), ('Erased', '1990-01-03'), ('Grace', '1906-12-09')",
        "birthdays": "('Ada', '2000-01-01'), ('Carl', '1990-02-02'), ('Dora', '1990-01-04'), ('Grace', '2000-01-01')",
    }.items():
        run_sql(f"insert into {table} values {rows}")
    counts, *rest = statements("restore")
    assert run_sql(counts) == [[2, 3]]
    for statement in rest:
        run_sql(statement)
    dates = {name: str(date) for name, date in run_sql("select username, date_of_birth from birthdays")}
    assert dates == {"Ada": "1815-12-10", "Bob": "1990-01-01", "Carl": "1990-02-02", "Dora": "1990-01-04", "Grace": "1906-12-09"}
    assert run_sql("select to_regclass('restored')") == [[None]]


def test_an_erasure_is_as_it_is_told():
    prepare, *rest = "\n".join(blocks("erasure")).splitlines()
    assert prepare.startswith("source docs/runbooks/prepare ")
    with service() as api:
        script = "\n".join(rest).replace("https://$domain", api.url)
        fetch(f"{api.url}/hello/John", method="PUT", data=b'{"dateOfBirth": "1990-05-17"}', headers={"Content-Type": "application/json"})
        answers = subprocess.run(["bash", "-euo", "pipefail", "-c", script], text=True, capture_output=True, check=True, timeout=30).stdout.splitlines()
    assert answers[:2] == ["200", "204"]
    assert '"status":404' in answers[2] and "unknown-username" in answers[2]
