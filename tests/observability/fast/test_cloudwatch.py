"""CloudWatch has the same objectives as Prometheus, and its metric filters match the real service's log."""

import json
import re
import sqlite3
import subprocess

import pytest

from common.start import binary, databases, environment, eventually, fetch, free_port, postgres, service
from lib.cloudwatch import counts, filters, promise, shipped
from lib.queries import ROOT, alerts, groups

CHART = ROOT / "gitops/charts/birthday-api/templates"
# the recorded ratio and the alert of each objective
RULES = {"availability": ("errors", "BirthdayApiErrors"), "latency": ("slow", "BirthdayApiSlow")}


def test_prometheus_has_the_same_objectives_windows_and_burn_rates():
    found = {(a["alert"], a["labels"]["window"]): (a["labels"]["severity"], a["expr"]) for a in alerts() if "window" in a["labels"]}
    expected = {}
    for objective, (ratio, alert) in RULES.items():
        budget = promise()["objectives"][objective]["budget"]
        for burn in promise()["burn_rates"]:
            sides = [f"birthday_api:{ratio}:ratio{burn[window]} > {burn['rate']} * {budget}" for window in ("long", "short")]
            expected[alert, burn["long"]] = (burn["severity"], " and ".join(sides))
    assert found == expected


def test_prometheus_has_the_same_limit_of_latency():
    [slow] = [rule["expr"] for group in groups() for rule in group["rules"] if rule.get("record") == "birthday_api:slow:rate5m"]
    seconds = promise()["objectives"]["latency"]["seconds"]
    assert re.findall(r'le="([^"]*)"', slow) == [str(seconds["service"])]
    assert seconds["load_balancer"] > seconds["service"]


def test_the_documentation_promises_the_same():
    text = (ROOT / "docs/observability.md").read_text()
    for objective, row in {"availability": "without a 5xx", "latency": "no longer than 50 ms"}.items():
        [line] = [line for line in text.splitlines() if line.startswith("|") and row in line]
        budget = 100 * promise()["objectives"][objective]["budget"]
        assert f"| {100 - budget:g} % |" in line
        assert re.findall(r"([\d.]+) %", line)[1:] == [f"{burn['rate'] * budget:g}" for burn in promise()["burn_rates"]]


@pytest.fixture(scope="session")
def lines(tmp_path_factory) -> dict[str, list[str]]:
    """The real service's log lines, by scenario."""
    folder = tmp_path_factory.mktemp("logs")
    files = {name: folder / name for name in ("healthy", "refused", "broken")}

    def logging(name: str, **settings: str):
        return service(log=files[name].open("w"), TELEMETRY='{format="json",access_log=true}', **settings)

    with logging("healthy") as api:
        fetch(f"{api.url}/docs")
    with postgres() as server, logging("refused", DATABASES=databases(re.sub(":[^:]*@", ":wrong@", server.url))):
        eventually("a refused login", lambda: '"message":"login refused' in files["refused"].read_text())

    with sqlite3.connect(folder / "other.db", isolation_level=None) as other:
        other.execute("create table birthdays (something text)")
        other.execute("begin exclusive")
        with logging("broken", DATABASES=databases(f"sqlite://{folder}/other.db", migrate=True)):
            other.execute("rollback")
            eventually("an error", lambda: '"level":"ERROR"' in files["broken"].read_text())
    away = environment(TELEMETRY='{format="json"}', DATABASES=databases(f"postgres://somebody@127.0.0.1:{free_port()}/birthday"))
    migration = subprocess.run([binary(), "migrate", "--wait", "0"], env=away, cwd=folder, text=True, capture_output=True, timeout=60)
    assert migration.returncode == 1
    return {name: file.read_text().splitlines() for name, file in files.items()} | {"migration": migration.stderr.splitlines()}


def counted(metric: str, lines: list[str], container: str) -> list[str]:
    return [line for line in lines if counts(filters()[metric], shipped(line, container))]


def test_each_filter_finds_what_it_is_for(lines):
    assert set(filters()) == {"LogLines", "LoginsRefused", "MigrationsFailed"}
    assert {json.loads(line)["level"] for line in counted("LogLines", lines["broken"], "birthday-api")} == {"WARN", "ERROR"}
    refused = counted("LoginsRefused", lines["refused"], "birthday-api")
    assert refused and all("28P01" in line for line in refused)
    [last] = counted("MigrationsFailed", lines["migration"], "migrate")
    assert last == lines["migration"][-1]


def test_no_filter_finds_anything_in_a_healthy_service(lines):
    assert any('"status":200' in line for line in lines["healthy"])
    for metric in filters():
        assert not counted(metric, lines["healthy"], "birthday-api"), metric


def test_no_filter_takes_one_containers_lines_for_anothers(lines):
    for metric in ("LogLines", "LoginsRefused"):
        assert not counted(metric, lines["broken"] + lines["refused"], "istio-proxy"), metric
    assert not counted("MigrationsFailed", lines["migration"], "birthday-api")


def test_containers_are_called_what_the_filters_call_them():
    named = {name for pattern in filters().values() for name in re.findall(r'container_name = "([^"]*)"', pattern)}
    charts = {name for file in ("deployment.yaml", "migrate.yaml") for name in re.findall(r"^ +containers:\n +- name: (\S+)", (CHART / file).read_text(), re.M)}
    assert named == charts


def test_lines_are_counted_by_a_level_that_they_have(lines):
    module = "".join((ROOT / "terraform/modules/observability" / file).read_text() for file in ("log_alarms.tf", "dashboard.tf"))
    assert 'dimensions = { level = "$.data.level" }' in module
    named = set(re.findall(r'dimensions = { level = "(\w+)" }|"level", "(\w+)"|"\.", "\.", "\.", "(\w+)"\]', module))
    assert {level for levels in named for level in levels if level} == {json.loads(line)["level"] for line in lines["broken"]} - {"INFO"}
