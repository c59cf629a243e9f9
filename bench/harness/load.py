"""Load: closed loop by wrk, open loop by oha."""

import json
import os
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
    # Share of the machine that others took: neither system, database nor load generator.
    others: float

    @property
    def cpu(self) -> float:
        return self.application_cpu + self.database_cpu


def quiet(limit: float = 5) -> None:
    """Waits until the machine has next to nothing else to do, but not for ever."""
    until = time.monotonic() + limit
    while psutil.cpu_percent(0.5) > 10 and time.monotonic() < until:
        pass


class Meter:
    """CPU between its making and `read`."""

    def __init__(self, system: Running, database: Server) -> None:
        self._system, self._database = system.pid, database.pid
        self._before = self._now()

    def _now(self) -> tuple[float, float, float, float, float]:
        machine = psutil.cpu_times()
        generator = sum(os.times()[:4])
        idle = machine.idle + machine.iowait
        return cpu_seconds(self._system), cpu_seconds(self._database), generator, sum(machine[:8]) - idle, sum(machine[:8])

    def read(self) -> tuple[float, float, float]:
        """Seconds of the system and of the database, and the share of the machine that others took."""
        system, database, generator, busy, whole = (late - early for early, late in zip(self._before, self._now(), strict=True))
        return system, database, max(busy - system - database - generator, 0) / whole


def closed_loop(system: Running, database: Server, saves: int, rows: int, seconds: float, connections: int = 64) -> Sample:
    """As fast as the system answers over keep-alive connections; `saves` per cent of the requests are PUT."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "10s", "-s", str(SCRIPT), system.url]
    meter = Meter(system, database)
    output = subprocess.run([*command, "--", str(saves), str(rows)], check=True, capture_output=True, text=True).stdout
    mine, theirs, others = meter.read()
    told = json.loads(output.splitlines()[-1])
    answered = max(told["requests"], 1)
    latencies = told["p50"], told["p99"], told["p999"]
    return Sample(answered / told["seconds"], *latencies, 1e6 * mine / answered, 1e6 * theirs / answered, told["errors"], others)


def open_loop(system: Running, database: Server, names: list[str], rate: int, seconds: float, connections: int = 64) -> Sample:
    """Lookups that arrive on a schedule, whether or not earlier ones are answered; latency counts from the scheduled instant."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as urls:
        urls.writelines(f"{system.url}/hello/{name}\n" for name in names)
        urls.flush()
        command = ["oha", "-z", f"{seconds:g}s", "-q", str(rate), "-c", str(connections), "--latency-correction", "--no-tui"]
        meter = Meter(system, database)
        output = subprocess.run(
            [*command, "--output-format", "json", "--urls-from-file", urls.name], check=True, capture_output=True, text=True
        ).stdout
        mine, theirs, others = meter.read()
    told = json.loads(output)
    statuses = told["statusCodeDistribution"]
    answered = max(sum(statuses.values()), 1)
    latencies = (1e3 * told["latencyPercentiles"][name] for name in ("p50", "p99", "p99.9"))
    errors = answered - statuses.get("200", 0)
    return Sample(answered / told["summary"]["total"], *latencies, 1e6 * mine / answered, 1e6 * theirs / answered, errors, others)
