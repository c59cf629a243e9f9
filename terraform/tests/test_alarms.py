"""When each alarm that Terraform plans fires and when it does not, and that every alarm names a runbook."""

import json
import re

import pytest

from cloudwatch import composite_state, state
from conftest import TERRAFORM
from roots import copy_tree, run_tests_of

MINUTES = {"hour": 60, "day": 24 * 60}
GIB = 1024**3

# For each alarm: samples at which it fires, samples at which it does not, and its state without data. One sample per minute;
# a number stands for as many samples as are evaluated. The module's tests set 12 nodes, 6 pods, 200 connections, 50 GiB.
CASES = {
    "health-check": ([1, 0, 0, 0], [0, 0, 1], "ALARM"),
    "healthy-targets": (1, [1, 1, 1, 1, 2], "ALARM"),
    "unhealthy-targets": ([0, 0, 1, 0, 0], 0, "OK"),
    "certificate": ([29] + 1439 * [None], [30] + 1439 * [None], "INSUFFICIENT_DATA"),
    "request-flood": (201, 200, "OK"),
    "failed-nodes": ([0, 0, 0, 0, 1], 0, "INSUFFICIENT_DATA"),
    "unready-nodes": (0, [0, 0, 1, 0, 0], "INSUFFICIENT_DATA"),
    "node-count": (12, 11, "INSUFFICIENT_DATA"),
    "node-cpu": (86, [100] * 12 + [20] * 3, "INSUFFICIENT_DATA"),
    "node-memory": (86, 85, "INSUFFICIENT_DATA"),
    "node-disk": ([86] + [80] * 14, 85, "INSUFFICIENT_DATA"),
    "pod-count": (5, [5] * 9 + [6], "ALARM"),
    "prometheus": (0, [0] * 14 + [1], "ALARM"),
    "alertmanager": (0, [0] * 14 + [1], "ALARM"),
    "pod-cpu": (51, [100] * 6 + [10] * 9, "OK"),
    "pod-restarts": ([1, 0, 0, 0, 0, 0] * 5, [1] * 2 + [0] * 28, "OK"),
    "rotation-errors": ([1] + 59 * [None], 0, "OK"),
    "database-cpu": (81, [100] * 5 + [50] * 5, "INSUFFICIENT_DATA"),
    "database-memory": (GIB / 4 - 1, GIB / 4, "INSUFFICIENT_DATA"),
    "database-storage": (2.5 * GIB - 1, 2.5 * GIB, "INSUFFICIENT_DATA"),
    "database-connections": ([10, 161, 10, 10, 10], 160, "INSUFFICIENT_DATA"),
    "database-cpu-replica": (81, 80, "INSUFFICIENT_DATA"),
    "database-memory-replica": (GIB / 4 - 1, GIB / 4, "INSUFFICIENT_DATA"),
    "database-storage-replica": (2.5 * GIB - 1, 2.5 * GIB, "INSUFFICIENT_DATA"),
    "database-connections-replica": (161, 160, "INSUFFICIENT_DATA"),
    "database-replica-lag": ([0, 0, 361, 0, 0], 360, "ALARM"),
    "log-errors": ([1] + 4 * [None], 0, "OK"),
    "logins-refused": ([None, 1, None, None, None], 0, "OK"),
    "migrations-failed": ([None, None, 1, None, None], 0, "OK"),
}

FAST, SLOW = 0.1, 0.101


def load(minutes, requests=10_000, failed=None, refused=None, slow=0):
    """Minutes at the load balancer: of a thousand requests, `slow` take too long. Zero counts are not published."""
    return {
        "RequestCount": minutes * [requests],
        "HTTPCode_Target_5XX_Count": minutes * [failed],
        "HTTPCode_ELB_5XX_Count": minutes * [refused],
        "TargetResponseTime": minutes * [requests and [FAST] * (1000 - slow) + [SLOW] * slow],
    }


def together(*parts):
    return {metric: [sample for part in parts for sample in part[metric]] for metric in parts[0]}


GOOD_DAY = load(MINUTES["day"])
NO_DATABASE = load(10, failed=10_000)

# Prometheus' cases (tests/observability/rules/objectives.test.yaml) -> what fires at the end. Windows use the samples there are.
SCENARIOS = {
    "nobody comes": (load(60, requests=None), set()),
    "everything works": (load(60), set()),
    "0.09 % of errors are within the budget": (load(60, failed=9), set()),
    "0.2 % of errors are a ticket after three days": (load(60, failed=20), {"availability-warning"}),
    "0.4 % of errors are a ticket after a day": (load(60, failed=40), {"availability-warning"}),
    "0.7 % of errors wake somebody": (load(60, failed=70), {"availability-critical", "availability-warning"}),
    "errors of service and load balancer are added": (load(60, failed=4, refused=7), {"availability-warning"}),
    "what the load balancer refuses is not counted as a request": (load(60, requests=None, refused=5), {"availability-critical", "availability-warning"}),
    "six minutes without a database after a good day": (together(GOOD_DAY, load(6, failed=10_000)), {"availability-critical", "availability-warning"}),
    "half an hour after ten minutes without it": (together(GOOD_DAY, NO_DATABASE, load(30)), {"availability-warning"}),
    "2 % of errors for an hour are seen by that hour alone": (together(GOOD_DAY, load(60, failed=200)), {"availability-critical"}),
    "and end with their five minutes": (together(GOOD_DAY, load(60, failed=200), load(5)), set()),
    "six hours after the database": (together(GOOD_DAY, NO_DATABASE, load(6 * MINUTES["hour"])), set()),
    "0.9 % of slow answers are within the budget": (load(60, slow=9), set()),
    "2 % of slow answers are a ticket": (load(60, slow=20), {"latency-warning"}),
    "7 % of slow answers wake somebody": (load(60, slow=70), {"latency-critical", "latency-warning"}),
    "20 % of slow answers wake somebody within minutes": (together(GOOD_DAY, load(50, slow=200)), {"latency-critical"}),
}  # fmt: skip


@pytest.fixture(scope="module")
def planned(folder):
    """What `terraform test` plans for the module: resources by address."""
    said = run_tests_of(copy_tree(TERRAFORM, folder / "alarms"), "observability", "-json", "-verbose")
    plan = next(line for line in said.splitlines() if '"type":"test_plan"' in line)
    return {change["address"]: change["change"]["after"] for change in json.loads(plan)["test_plan"]["resource_changes"]}


@pytest.fixture(scope="module")
def metric_alarms(planned):
    found = [values for address, values in planned.items() if address.startswith("aws_cloudwatch_metric_alarm.")]
    return {alarm["alarm_name"].removeprefix("birthday-test-"): alarm for alarm in found}


@pytest.fixture(scope="module")
def composite_alarms(planned):
    found = [values for address, values in planned.items() if address.startswith("aws_cloudwatch_composite_alarm.")]
    return {alarm["alarm_name"].removeprefix("birthday-test-"): alarm for alarm in found}


def test_every_alarm_has_a_case(metric_alarms, composite_alarms):
    plain = {name for name, alarm in metric_alarms.items() if alarm["metric_name"]}
    assert plain == set(CASES)
    assert set(composite_alarms) == set().union(*(ringing for _, ringing in SCENARIOS.values()))


@pytest.mark.parametrize("name", CASES)
def test_alarm_rings_and_is_silent(metric_alarms, name):
    alarm = metric_alarms[name]
    minutes = alarm["period"] * alarm["evaluation_periods"] // 60
    ringing, silent, missing = ([case] * minutes if isinstance(case, (int, float)) else case for case in CASES[name])
    assert state(alarm, ringing) == "ALARM"
    assert state(alarm, silent) == "OK"
    assert state(alarm, minutes * [None]) == missing


def ringing(samples, metric_alarms, composite_alarms):
    states = {alarm["alarm_name"]: state(alarm, samples) for alarm in metric_alarms.values() if not alarm["metric_name"]}
    return {name for name, alarm in composite_alarms.items() if composite_state(alarm, states) == "ALARM"}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_objective_rings_and_is_silent(metric_alarms, composite_alarms, scenario):
    samples, expected = SCENARIOS[scenario]
    assert ringing(samples, metric_alarms, composite_alarms) == expected


def test_every_window_rings_and_is_silent_in_some_scenario(metric_alarms):
    windows = {name: alarm for name, alarm in metric_alarms.items() if not alarm["metric_name"]}
    assert len(windows) == 16
    table = {scenario: {name: state(alarm, samples) for name, alarm in windows.items()} for scenario, (samples, _) in SCENARIOS.items()}
    for name in windows:
        assert {states[name] for states in table.values()} == {"ALARM", "OK"}, name


def test_windows_are_what_cloudwatch_takes(metric_alarms, composite_alarms):
    """The limits of PutMetricAlarm and PutCompositeAlarm; the double checks none of them."""
    for name, alarm in metric_alarms.items():
        for period in {alarm["period"]} - {None} | {metric["period"] for query in alarm["metric_query"] for metric in query["metric"]}:
            assert period % 60 == 0 and period > 0, name
            assert period * alarm["evaluation_periods"] <= (7 * 86400 if period >= 3600 else 86400), name
        assert len(alarm["metric_query"]) <= 10 and len(alarm["alarm_description"]) <= 1024, name
        assert not alarm["metric_query"] or [query["return_data"] for query in alarm["metric_query"]].count(True) == 1
    for alarm in composite_alarms.values():
        assert len(alarm["alarm_rule"]) <= 10_240 and alarm["alarm_rule"].count("ALARM(") <= 100


def test_every_alarm_names_a_runbook_that_exists(metric_alarms, composite_alarms):
    for name, alarm in (metric_alarms | composite_alarms).items():
        found = re.fullmatch(r".+\. https://example\.com/runbooks/([a-z-]+\.md)", alarm["alarm_description"])
        assert found and (TERRAFORM.parent / "docs/runbooks" / found[1]).is_file(), f"{name}: {alarm['alarm_description']}"


DRAWN = (
    "CPUUtilization DatabaseConnections ReplicaLag FreeStorageSpace node_cpu_utilization pod_cpu_utilization"
    " pod_memory_utilization pod_number_of_container_restarts BlockedRequests"
)


def test_the_dashboard_shows_what_rings_for_users(planned, metric_alarms):
    """It shows the burn rates with the same metrics and expressions, and every metric of the log."""
    widgets = json.loads(planned["aws_cloudwatch_dashboard.this"]["dashboard_body"])["widgets"]
    drawn = [entry for widget in widgets for entry in widget["properties"]["metrics"]]
    expressions = {query["expression"] for alarm in metric_alarms.values() for query in alarm["metric_query"] if query["expression"]}
    assert expressions and expressions == {entry[0]["expression"] for entry in drawn if isinstance(entry[0], dict)}
    burn_rates = {
        (query["id"], metric["metric_name"], metric["stat"])
        for alarm in metric_alarms.values() for query in alarm["metric_query"] for metric in query["metric"]
    }  # fmt: skip
    assert burn_rates <= {(entry[-1].get("id"), entry[1], entry[-1].get("stat")) for entry in drawn if isinstance(entry[-1], dict) and len(entry) > 1}
    filters = {values["metric_transformation"][0]["name"] for address, values in planned.items() if "log_metric_filter" in address}
    assert len(filters) == 3
    assert filters | set(DRAWN.split()) <= {name for entry in drawn for name in entry if isinstance(name, str)}
    assert [entry[-1] for entry in drawn if "ReplicaLag" in entry] == [{"yAxis": "right"}], "seconds are invisible beside bytes"
