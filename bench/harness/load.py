"""Load: closed loop by wrk, open loop by oha."""

import json
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from .postgresql import Server
from .process import Running, cpu_seconds

SCRIPT = Path(__file__).with_name("load.lua")


@dataclass(frozen=True)
class Sample:
    """One run of load against one system. Latencies in milliseconds, CPU in microseconds per request."""

    rate: float
    p50: float
    p99: float
    p999: float
    application_cpu: float
    database_cpu: float
    errors: int

    @property
    def cpu(self) -> float:
        return self.application_cpu + self.database_cpu


def quiet(limit: float = 20) -> None:
    """Waits until the machine has next to nothing else to do, but not for ever."""
    until = time.monotonic() + limit
    while psutil.cpu_percent(0.5) > 10 and time.monotonic() < until:
        pass


def closed_loop(system: Running, database: Server, saves: int, rows: int, seconds: float, connections: int = 64) -> Sample:
    """As fast as the system answers over keep-alive connections; `saves` per cent of the requests are PUT."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "10s", "-s", str(SCRIPT), system.url]
    before = cpu_seconds(system.pid), cpu_seconds(database.pid)
    output = subprocess.run([*command, "--", str(saves), str(rows)], check=True, capture_output=True, text=True).stdout
    after = cpu_seconds(system.pid), cpu_seconds(database.pid)
    told = json.loads(output.splitlines()[-1])
    application, of_database = (1e6 * (late - early) / max(told["requests"], 1) for early, late in zip(before, after, strict=True))
    rate = told["requests"] / told["seconds"]
    return Sample(rate, told["p50"], told["p99"], told["p999"], application, of_database, told["errors"])


def open_loop(oha: str, system: Running, database: Server, names: list[str], rate: int, seconds: float, connections: int = 64) -> Sample:
    """Lookups that arrive on a schedule, whether or not earlier ones are answered; latency counts from the scheduled instant."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as urls:
        urls.writelines(f"{system.url}/hello/{name}\n" for name in names)
        urls.flush()
        command = [oha, "-z", f"{seconds:g}s", "-q", str(rate), "-c", str(connections), "--latency-correction", "--no-tui"]
        before = cpu_seconds(system.pid), cpu_seconds(database.pid)
        output = subprocess.run(
            [*command, "--output-format", "json", "--urls-from-file", urls.name], check=True, capture_output=True, text=True
        ).stdout
        after = cpu_seconds(system.pid), cpu_seconds(database.pid)
    told = json.loads(output)
    answered = sum(told["statusCodeDistribution"].values())
    errors = answered - told["statusCodeDistribution"].get("200", 0)
    application, of_database = (1e6 * (late - early) / max(answered, 1) for early, late in zip(before, after, strict=True))
    p50, p99, p999 = (1e3 * told["latencyPercentiles"][name] for name in ("p50", "p99", "p99.9"))
    return Sample(answered / told["summary"]["total"], p50, p99, p999, application, of_database, errors)
