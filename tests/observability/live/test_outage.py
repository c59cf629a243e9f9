"""A day in four minutes: Prometheus watches the service and its database; the primary goes away and returns.

The rules are the project's own. Their windows look at what data there are, so a fresh Prometheus needs no shortened ones; the waiting
times of two minutes are waited for.
"""

import json
import math
import re
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest

from common.start import Started, databases, eventually, fetch, migrate, postgres, service
from lib.exposition import Exporters
from lib.load import People
from lib.prometheus import Api, prometheus
from lib.queries import panels

HEALTHY = 25
OUTAGE = 170
EXPECTED = {"DatabasePrimaryAway", "DatabaseReplicaAnswers", *(f"BirthdayApiErrors {window}" for window in ("1h", "6h", "1d", "3d"))}
PANELS = [(panel["title"], target["expr"]) for panel in panels() for target in panel["targets"]]


@dataclass
class Day:
    """What was seen."""

    before: dict[str, dict]
    during: dict[str, tuple[float, dict]]
    """Alerts, and after how many seconds of the outage each fired"""
    after: dict[str, dict]
    values: dict[tuple[str, str], list[float]]
    unhealthy: list[dict]
    targets: dict[str, str]
    exemplars: set[str]
    load: People
    log: list[dict]
    raw_log: str
    metrics: str


@pytest.fixture(scope="session")
def day():
    with tempfile.TemporaryDirectory(prefix="birthday-observability-") as name:
        yield live(Path(name))


def live(folder: Path) -> Day:
    telemetry = '{format="json",access_log=true}'
    with postgres(pair=True) as primary, Exporters() as exporters, open(folder / "log", "w") as log:
        migrate(primary.url)
        settings = databases(primary.url, replica_url=primary.standby)
        with service(log=log, DATABASES=settings, TELEMETRY=telemetry) as api, prometheus(folder, api.url, exporters.port) as watcher:
            load = People(api.port)
            load.save_all()
            began = time.time()
            with load:
                alerts = outage(watcher, primary, load)
            # its last answer is in the log by now, and in the last scrape
            time.sleep(3)
            ended = time.time()
            found = watcher.get("query_exemplars", query="birthday_http_request_duration_seconds_bucket", start=began, end=ended)
            raw_log = (folder / "log").read_text()
            return Day(
                *alerts,
                values={panel: watcher.values(panel[1], began, ended) for panel in PANELS},
                unhealthy=[rule for rule in watcher.rules() if rule["health"] != "ok"],
                targets=watcher.targets(),
                exemplars={exemplar["labels"]["trace_id"] for series in found for exemplar in series["exemplars"]},
                load=load,
                log=[json.loads(line) for line in raw_log.splitlines() if line.startswith("{")],
                raw_log=raw_log,
                metrics=fetch(f"{api.url}/metrics"),
            )


def outage(api: Api, primary: Started, load: People) -> tuple[dict, dict, dict]:
    """The alerts before, during and after."""
    time.sleep(HEALTHY)
    before = api.firing()

    primary.tell("stop")
    stopped, during = time.monotonic(), {}
    while time.monotonic() - stopped < OUTAGE and not EXPECTED <= during.keys():
        for name, alert in api.firing().items():
            during.setdefault(name, (time.monotonic() - stopped, alert))
        time.sleep(1)
    primary.tell("start")
    eventually("the alert on the primary ends", lambda: "DatabasePrimaryAway" not in api.firing())
    eventually("saves are answered again", lambda: 204 in load.statuses[-10:])
    return before, during, api.firing()


def test_everything_is_scraped_and_no_rule_fails(day):
    assert day.targets == {"birthday-api/birthday-api": "up", "exporters": "up"}
    assert day.unhealthy == []


def others(names) -> set[str]:
    """What should not ring. A machine that does other things may be too slow for the objective of 50 ms."""
    return {name for name in names if name not in EXPECTED and not name.startswith("BirthdayApiSlow")}


def test_nothing_rings_before_the_outage(day):
    assert not EXPECTED & day.before.keys() and not others(day.before), day.before


def test_the_outage_rings_and_nothing_else(day):
    seconds = {name: round(seconds) for name, (seconds, _) in day.during.items()}
    print(f"\nseconds from the outage to the alert: {seconds}")
    assert EXPECTED <= day.during.keys() and not others(day.during), seconds
    # not sooner than a failover takes
    assert day.during["DatabasePrimaryAway"][0] > 110


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_what_is_sent_says_what_happens_and_what_to_do(day, name):
    annotations = day.during[name][1]["annotations"]
    assert re.search(r"\d", annotations["summary"]) and "<error" not in annotations["summary"], annotations
    assert annotations["runbook_url"].startswith("https://")


def test_the_alert_on_the_primary_ends_with_its_return(day):
    assert "DatabasePrimaryAway" not in day.after


@pytest.mark.parametrize(("title", "expression"), PANELS, ids=[f"{title}-{number}" for number, (title, _) in enumerate(PANELS)])
def test_every_panel_has_data(day, title, expression):
    values = day.values[title, expression]
    assert any(not math.isnan(value) for value in values), expression


def test_the_dashboard_shows_the_outage(day):
    peaks = defaultdict(list)
    for (title, _), values in day.values.items():
        peaks[title] += filter(math.isfinite, values)
    assert max(peaks["Pods that cannot reach it"]) == 1
    assert max(peaks["Faults"]) > 0 and max(peaks["How requests fared then"]) > 0 and max(peaks["Alerts"]) > 0
    assert max(peaks["Without an error, 1 h"]) > 0.99 > min(peaks["Without an error, 1 h"])


def test_traces_of_the_load_are_found_beside_the_latency(day):
    assert day.exemplars and day.exemplars <= day.load.traces


def test_every_request_is_in_the_log_and_no_name_or_date_is(day):
    requests = [line for line in day.log if line.get("message") == "request"]
    assert sum(line["route"].startswith("/hello/") for line in requests) == len(day.load.statuses) + len(day.load.born) > 500
    assert {200, 204, 404, 503} <= {line["status"] for line in requests}
    assert all(line["duration_ms"] >= 0 for line in requests) and day.load.traces & {line.get("trace_id") for line in requests}
    for text in (day.raw_log, day.metrics):
        for private in [*day.load.born, *day.load.born.values(), day.load.unknown]:
            assert private not in text
    # dates in any order, except for the time of the line itself
    bare = re.sub(r'"timestamp":"[^"]*"', "", day.raw_log)
    assert not re.findall(r"\b\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}\b", re.sub(r"\b127\.0\.0\.1\b", "", bare))
