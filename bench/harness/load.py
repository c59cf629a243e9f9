"""Load: closed loop by wrk, open loop by oha."""

import json
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from .database import Server, name_of
from .systems import Running

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
    # of other processes on the request path
    beside_cpu: tuple[float, ...]
    # Share of the machine used by other programs: neither system, database nor load generator.
    others: float

    @property
    def cpu(self) -> float:
        return self.application_cpu + self.database_cpu


def cpu_seconds(pid: int) -> float:
    """User and system time of a process tree, including children that have ended."""
    process = psutil.Process(pid)
    while True:
        own = process.cpu_times()
        total = sum(own[:4])
        for child in process.children(recursive=True):
            try:
                total += sum(child.cpu_times()[:4])
            except psutil.NoSuchProcess:
                pass
        # A child that was reaped meanwhile is in neither sum: try again.
        if process.cpu_times()[2:4] == own[2:4]:
            return total


def quiet(limit: float = 5) -> None:
    """Waits until the machine is almost idle, at most `limit` seconds."""
    until = time.monotonic() + limit
    while psutil.cpu_percent(0.5) > 10 and time.monotonic() < until:
        pass


def measured(command: list[str], *pids: int) -> tuple[dict, list[float], float]:
    """A load generator's output, the CPU seconds that the processes used meanwhile, and the share of the machine that others used."""

    def now() -> list[float]:
        machine = psutil.cpu_times()
        return [*map(cpu_seconds, pids), sum(os.times()[:4]), sum(machine[:8]) - machine.idle - machine.iowait, sum(machine[:8])]

    quiet()
    before = now()
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    *known, busy, whole = (late - early for early, late in zip(before, now(), strict=True))
    return json.loads(output[output.index("{") :]), known[:-1], max(busy - sum(known), 0) / whole


def closed_loop(system: Running, database: Server, rows: int, seconds: float, saves: int = 0, connections: int = 64, beside: tuple[Running, ...] = ()) -> Sample:
    """As fast as the system answers over keep-alive connections; `saves` per cent of the requests are PUT."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "10s", "-s", str(SCRIPT), system.url, "--", str(saves), str(rows)]
    said, cpu, others = measured(command, system.pid, database.pid, *(each.pid for each in beside))
    return sample(said["requests"], said["seconds"], said["errors"], (said["p50"], said["p99"], said["p999"]), cpu, others)


def open_loop(system: Running, database: Server, rows: int, seconds: float, rate: int, connections: int = 64) -> Sample:
    """Lookups that arrive on a schedule, whether or not earlier ones are answered; latency counts from the scheduled instant."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as urls:
        urls.writelines(f"{system.url}/hello/{name_of(number * 7919 % rows)}\n" for number in range(10_000))
        urls.flush()
        command = ["oha", "-z", f"{seconds:g}s", "-q", str(rate), "-c", str(connections), "--latency-correction", "--no-tui"]
        said, cpu, others = measured([*command, "--output-format", "json", "--urls-from-file", urls.name], system.pid, database.pid)
    statuses = said["statusCodeDistribution"]
    latencies = tuple(1e3 * said["latencyPercentiles"][name] for name in ("p50", "p99", "p99.9"))
    answered = sum(statuses.values())
    return sample(answered, said["summary"]["total"], answered - statuses.get("200", 0), latencies, cpu, others)


def sample(answered: int, seconds: float, errors: int, latencies: tuple[float, ...], cpu: list[float], others: float) -> Sample:
    if errors or not answered:
        raise RuntimeError(f"{answered} requests were answered, {errors} of them with an error")
    application, database, *beside = (1e6 * used / answered for used in cpu)
    return Sample(answered / seconds, *latencies, application, database, tuple(beside), others)
