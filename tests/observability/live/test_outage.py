"""A day in four minutes: Prometheus monitors the service and its database; the primary stops and starts again.

The rules are the project's own. Their windows use the data that exists, so a fresh Prometheus needs no shorter ones; the test waits
the full two minutes of their `for`.
"""

import itertools
import math
import re
import time
from collections import defaultdict
from dataclasses import dataclass

import pytest

from common.load import Client, Load
from common.start import Started, databases, eventually, migrate, postgres, service
from lib.exposition import exporters
from lib.prometheus import Api, prometheus
from lib.queries import panels

HEALTHY = 25
OUTAGE = 170
EXPECTED = {"DatabasePrimaryAway", "DatabaseReplicaAnswers", *(f"BirthdayApiErrors {window}" for window in ("1h", "6h", "1d", "3d"))}
PANELS = [(panel["title"], target["expr"]) for panel in panels() for target in panel["targets"]]


@dataclass
class Day:
    """What Prometheus showed. Alerts are by name; those of the outage with the seconds until each fired."""

    before: dict[str, dict]
    during: dict[str, tuple[float, dict]]
    after: dict[str, dict]
    values: dict[tuple[str, str], list[float]]
    unhealthy: list[dict]
    targets: dict[str, str]
    exemplars: set[str]


@pytest.fixture(scope="session")
def day(tmp_path_factory) -> Day:
    folder = tmp_path_factory.mktemp("day")
    traces = itertools.count(1)
    with postgres(pair=True) as primary, exporters() as port, open(folder / "log", "w") as log:
        migrate(primary.url)
        settings = databases(primary.url, replica_url=primary.standby)
        with service(log=log, DATABASES=settings) as api, prometheus(folder, api.url, port) as watcher:
            began = time.time()
            with Load(lambda: Client(api.port, headers={"traceparent": f"00-{next(traces):032x}-{1:016x}-01"}), clients=3, pause=0.05) as load:
                alerts = outage(watcher, primary, load)
            # a scrape then contains the load's last request
            time.sleep(3)
            ended = time.time()
            found = watcher.get("query_exemplars", query="birthday_http_request_duration_seconds_bucket", start=began, end=ended)
            return Day(
                *alerts,
                values={panel: watcher.values(panel[1], began, ended) for panel in PANELS},
                unhealthy=[rule for rule in watcher.rules() if rule["health"] != "ok"],
                targets=watcher.targets(),
                exemplars={exemplar["labels"]["trace_id"] for series in found for exemplar in series["exemplars"]},
            )


def outage(api: Api, primary: Started, load: Load) -> tuple[dict, dict, dict]:
    """The alerts before, during and after the outage."""
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
    eventually("saves are answered again", lambda: any(event.saved for event in load.events[-10:]))
    return before, during, api.firing()


def test_everything_is_scraped_and_no_rule_fails(day):
    assert day.targets == {"birthday-api/birthday-api": "up", "exporters": "up"}
    assert day.unhealthy == []


def others(names) -> set[str]:
    """Alerts that must not fire. A busy machine may be too slow for the objective of 50 ms."""
    return {name for name in names if name not in EXPECTED and not name.startswith("BirthdayApiSlow")}


def test_nothing_rings_before_the_outage(day):
    assert not EXPECTED & day.before.keys() and not others(day.before), day.before


def test_the_outage_rings_and_nothing_else(day):
    seconds = {name: round(seconds) for name, (seconds, _) in day.during.items()}
    print(f"\nseconds from the outage to the alert: {seconds}")
    assert EXPECTED <= day.during.keys() and not others(day.during), seconds
    # not sooner than a failover takes
    assert day.during["DatabasePrimaryAway"][0] > 110
    assert "DatabasePrimaryAway" not in day.after


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_what_is_sent_says_what_happens(day, name):
    summary = day.during[name][1]["annotations"]["summary"]
    assert re.search(r"\d", summary) and "<error" not in summary


@pytest.mark.parametrize(("title", "expression"), PANELS, ids=[f"{title}-{number}" for number, (title, _) in enumerate(PANELS)])
def test_every_panel_has_data(day, title, expression):
    assert not all(map(math.isnan, day.values[title, expression])), expression


def test_the_dashboard_shows_the_outage(day):
    peaks = defaultdict(list)
    for (title, _), values in day.values.items():
        peaks[title] += filter(math.isfinite, values)
    assert max(peaks["Pods that cannot reach it"]) == 1
    assert max(peaks["Faults"]) > 0 and max(peaks["How requests fared then"]) > 0 and max(peaks["Alerts"]) > 0
    assert max(peaks["Without an error, 1 h"]) > 0.99 > min(peaks["Without an error, 1 h"])


def test_traces_of_the_load_are_found_beside_the_latency(day):
    assert day.exemplars and day.exemplars <= {f"{number:032x}" for number in (1, 2, 3)}
