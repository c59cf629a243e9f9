"""Rules and dashboard use only metrics and labels that are exported."""

import re
import subprocess

import pytest

from common.load import Client
from common.start import fetch, service
from lib.exposition import EXPORTERS, Sample, samples
from lib.queries import dashboard, expressions, panels, recorded, selectors

# what Prometheus itself adds: for every target, and for alerts
OWN = {"up": {"job", "instance", "namespace", "pod"}, "ALERTS": {"alertname", "alertstate", "severity"}}
ADDED = {"job", "instance", "namespace", "pod", "container"}


@pytest.fixture(scope="session")
def text() -> str:
    """The metrics of a new service after one save and one lookup."""
    with service() as api:
        client = Client(api.port)
        assert (client.save("Zebedee").status, client.find("Zebedee").status) == (204, 200)
        return fetch(f"{api.url}/metrics")


@pytest.fixture(scope="session")
def exported(text) -> list[Sample]:
    return samples(text)


def test_prometheus_parser_reads_the_metrics_and_finds_them_well_named(text):
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.fixture(scope="session")
def known(exported) -> dict[str, list[dict]]:
    """Every metric, with the labels of its samples."""
    found: dict[str, list[dict]] = {}
    for name, labels in exported + samples(EXPORTERS):
        found.setdefault(name, []).append(labels)
    return found


ALL = [(where, selector) for where, expression in expressions() for selector in selectors(expression)]


@pytest.mark.parametrize(("where", "selector"), ALL, ids=lambda value: getattr(value, "metric", value))
def test_every_metric_and_label_is_exported(where, selector, known):
    if selector.metric in OWN:
        assert {label for label, *_ in selector.labels} <= OWN[selector.metric]
        return
    if selector.metric in recorded():
        assert not selector.labels
        return
    assert selector.metric in known, f"{where}: nothing exports {selector.metric}"
    labels = known[selector.metric]
    for label, operator, value in selector.labels:
        assert label in ADDED or any(label in sample for sample in labels), f"{where}: {selector.metric} has no label {label}"
        # labels whose values are exported from the start
        if operator == "=" and label in {"le", "server", "kind", "reporter", "condition", "namespace"}:
            assert any(sample.get(label) == value for sample in labels), f"{where}: {label} is never {value}"


def test_labels_that_are_grouped_by_are_exported(known):
    for where, expression in expressions():
        names = {selector.metric for selector in selectors(expression)} - OWN.keys()
        for listed in re.findall(r"\bby\s*\(([^)]*)\)", expression):
            for label in filter(None, re.split(r"[,\s]+", listed)):
                labels = [sample for name in names for sample in known.get(name, [])]
                assert label in ADDED | {"alertname", "severity"} or any(label in sample for sample in labels), (where, label)


def test_every_series_that_is_played_is_queried():
    assert {name for name, _ in samples(EXPORTERS)} <= {selector.metric for _, selector in ALL}


def test_everything_that_the_service_counts_is_looked_at(exported):
    counted = {re.sub(r"_(bucket|sum|count)$", "", name) for name, _ in exported}
    assert counted == {re.sub(r"_(bucket|sum|count)$", "", s.metric) for _, s in ALL if s.metric.startswith("birthday_") and ":" not in s.metric}


def test_the_dashboard_is_one_screen():
    board = dashboard()
    assert board["uid"] == "birthday-api" and len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    places = [panel["gridPos"] for panel in board["panels"]]
    height = max(place["y"] + place["h"] for place in places)
    # Grafana shows about 30 rows of its grid on a screen of 1080 lines in kiosk mode
    assert sum(place["w"] * place["h"] for place in places) == 24 * height and height <= 30
    assert all(panel["datasource"] == {"type": "prometheus", "uid": "prometheus"} for panel in panels())
