"""Third-party generators turn the OpenAPI document into clients that compile and call the service; prometheus_client parses /metrics."""

import importlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from prometheus_client.openmetrics import parser as open_metrics
from prometheus_client import parser as classic

from common.start import binary, fetch, service

HERE = Path(__file__).resolve().parent
MODULES = HERE.parent / "node_modules/.bin"
OPEN_METRICS = "application/openmetrics-text;version=1.0.0"
BORN = "1990-05-17"


def run(*command: str | Path, **options) -> None:
    subprocess.run(command, check=True, timeout=600, **options)


def python(document: Path, folder: Path, url: str) -> None:
    """openapi-python-client: anything that it cannot generate is an error."""
    command = ["openapi-python-client", "generate", "--path", document, "--output-path", folder / "generated", "--meta", "none", "--fail-on-warning"]
    run(*command, stdout=subprocess.DEVNULL, env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"})
    sys.path.insert(0, str(folder))
    generated = importlib.import_module("generated")
    models = importlib.import_module("generated.models")
    save, greet, delete, subscribe = (importlib.import_module(f"generated.api.birthdays.{name}") for name in ("save", "greet", "delete", "subscribe"))
    with generated.Client(url, raise_on_unexpected_status=True) as client:
        new = models.NewBirthday.from_dict({"dateOfBirth": BORN})
        assert save.sync_detailed("Python", client=client, body=new, if_none_match="*").status_code == 204
        assert isinstance(save.sync("Python", client=client, body=new, if_none_match="*"), models.Problem)
        greeting = greet.sync("Python", client=client, tz="Europe/Amsterdam")
        assert isinstance(greeting, models.Greeting) and greeting.message.startswith("Hello, Python! "), greeting
        assert "BEGIN:VEVENT" in subscribe.sync("Python", client=client)
        assert delete.sync_detailed("Python", client=client).status_code == 204
        problem = greet.sync("Python", client=client)
        assert isinstance(problem, models.Problem) and problem.type_ == "/docs#unknown-username", problem


def typescript(document: Path, folder: Path, url: str) -> None:
    """openapi-typescript's types, checked by the compiler against a program that uses them with openapi-fetch."""
    run(MODULES / "openapi-typescript", document, "--output", folder / "schema.d.ts", stdout=subprocess.DEVNULL)
    (folder / "client.ts").write_text((HERE / "client.ts").read_text())
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "node_modules").symlink_to(HERE.parent / "node_modules")
    run(MODULES / "tsc", "--strict", "--target", "es2022", "--module", "nodenext", "--skipLibCheck", "client.ts", cwd=folder)
    run("node", folder / "client.js", url)


def counted(families) -> dict[str, float]:
    """The number of requests by method and status, from the histogram's count."""
    samples = (sample for family in families for sample in family.samples if sample.name == "birthday_http_request_duration_seconds_count")
    return {f"{sample.labels['method']} {sample.labels['status']}": sample.value for sample in samples if sample.labels["route"] == "/hello/<username>"}


def metrics(url: str) -> None:
    """Both formats have the same values. (tests/observability uses Prometheus' own parser, promtool.)"""
    fetch(f"{url}/livez", headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})
    open_text, text = fetch(f"{url}/metrics", headers={"Accept": OPEN_METRICS}), fetch(f"{url}/metrics")
    assert "trace_id" in open_text and "trace_id" not in text
    # This parser is strict: a sample that its family's type does not allow is an error.
    expected = counted(open_metrics.text_string_to_metric_families(open_text))
    assert expected["PUT 204"] == 2 and expected["GET 404"] == 2, expected
    assert counted(classic.text_string_to_metric_families(text)) == expected


with tempfile.TemporaryDirectory() as folder, service() as api:
    folder = Path(folder)
    document = folder / "openapi.json"
    document.write_bytes(subprocess.run([binary(), "openapi"], check=True, stdout=subprocess.PIPE).stdout)
    python(document, folder, api.url)
    typescript(document, folder, api.url)
    metrics(api.url)
print("3 passed, 0 failed")
