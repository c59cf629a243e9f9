"""A Prometheus with the project's own rules, unchanged; only its interval is shorter: a second between scrapes instead of fifteen."""

import contextlib
import json
import subprocess
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import yaml

from common.start import eventually, fetch, free_port
from lib.queries import write_rules


class Api:
    def __init__(self, address: str):
        self.address = address

    def get(self, path: str, **parameters):
        return json.loads(fetch(f"{self.address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"))["data"]

    def firing(self) -> dict[str, dict]:
        """Alerts by name, and by window where one name has several."""
        firing = (alert for alert in self.get("alerts")["alerts"] if alert["state"] == "firing")
        return {f"{alert['labels']['alertname']} {alert['labels'].get('window', '')}".strip(): alert for alert in firing}

    def values(self, expression: str, start: float, end: float) -> list[float]:
        """Every value of every series between two points in time."""
        matrix = self.get("query_range", query=expression, start=start, end=end, step=2)["result"]
        return [float(value) for series in matrix for _, value in series["values"]]

    def rules(self) -> list[dict]:
        return [rule for group in self.get("rules")["groups"] for rule in group["rules"]]

    def targets(self) -> dict[str, str]:
        return {target["labels"]["job"]: target["health"] for target in self.get("targets")["activeTargets"]}


@contextlib.contextmanager
def prometheus(folder: Path, service: str, exporters: int) -> Iterator[Api]:
    targets = [{"targets": [service.removeprefix("http://")], "labels": {"namespace": "birthday-api", "pod": "birthday-api-primary-0"}}]
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "2s"},
        "rule_files": [write_rules(folder).name],
        "scrape_configs": [
            {"job_name": "birthday-api/birthday-api", "static_configs": targets},
            {"job_name": "exporters", "honor_labels": True, "static_configs": [{"targets": [f"127.0.0.1:{exporters}"]}]},
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_port()}"
    command = ["prometheus", "--config.file=prometheus.yml", f"--storage.tsdb.path={folder}/data", f"--web.listen-address={address}"]
    with open(folder / "prometheus.log", "wb") as log:
        process = subprocess.Popen([*command, "--enable-feature=exemplar-storage", "--log.level=warn"], cwd=folder, stdout=log, stderr=log)
    try:
        eventually("Prometheus is ready", lambda: process.poll() is None and fetch(f"http://{address}/-/ready"))
        yield Api(f"http://{address}")
    finally:
        process.kill()
        process.wait()
