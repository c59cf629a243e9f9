"""Load: closed loop by wrk, open loop by oha."""

import json
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from datetime import date, timedelta
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


def measured(commands: list[list[str]], *pids: int) -> tuple[list[dict], list[float], float]:
    """The output of load generators that run at the same time, the CPU seconds that the processes used meanwhile, and the share of the machine that others used."""

    def now() -> list[float]:
        machine = psutil.cpu_times()
        return [*map(cpu_seconds, pids), sum(os.times()[:4]), sum(machine[:8]) - machine.idle - machine.iowait, sum(machine[:8])]

    quiet()
    before = now()
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    outputs = [process.communicate()[0] for process in started]
    if failed := [process.args for process in started if process.returncode]:
        raise RuntimeError(f"failed: {failed}")
    *known, busy, whole = (late - early for early, late in zip(before, now(), strict=True))
    return [json.loads(output[output.index("{") :]) for output in outputs], known[:-1], max(busy - sum(known), 0) / whole


def closed_loop(system: Running, database: Server, rows: int, seconds: float, saves: int = 0, connections: int = 64) -> Sample:
    """As fast as the system answers over keep-alive connections; `saves` per cent of the requests are PUT."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "10s", "-s", str(SCRIPT), system.url, "--", str(saves), str(rows)]
    [said], cpu, others = measured([command], system.pid, database.pid)
    return sample(said["requests"], said["seconds"], said["errors"], (said["p50"], said["p99"], said["p999"]), cpu, others)


def open_loop(system: Running, database: Server, rows: int, seconds: float, rate: int, saves: int = 0) -> Sample:
    """Requests that arrive on a schedule, whether or not earlier ones are answered; `saves` per cent are PUT. Latency is that of the
    lookups and counts from the scheduled instant."""
    with tempfile.TemporaryDirectory() as folder:
        urls, bodies = Path(folder, "urls"), Path(folder, "bodies")
        urls.write_text("".join(f"{system.url}/hello/{name_of(number * 7919 % rows)}\n" for number in range(10_000)))
        bodies.write_text("".join(f'{{"dateOfBirth":"{date(1930, 1, 1) + timedelta(day)}"}}\n' for day in range(30_000)))
        put = ["-m", "PUT", "-T", "application/json", "-Z", str(bodies)]
        options = ["-z", f"{seconds:g}s", "--latency-correction", "--no-tui", "--output-format", "json", "--urls-from-file", str(urls)]
        shares = ((100 - saves, []), (saves, put))
        commands = [["oha", "-q", str(rate * share // 100), "-c", str(64 * share // 100), *options, *more] for share, more in shares if share]
        said, cpu, others = measured(commands, system.pid, database.pid)
    statuses = [status for each in said for status in each["statusCodeDistribution"].items()]
    latencies = tuple(1e3 * said[0]["latencyPercentiles"][name] for name in ("p50", "p99", "p99.9"))
    answered, errors = sum(count for _, count in statuses), sum(count for status, count in statuses if status not in ("200", "204"))
    return sample(answered, said[0]["summary"]["total"], errors, latencies, cpu, others)


def sample(answered: int, seconds: float, errors: int, latencies: tuple[float, ...], cpu: list[float], others: float) -> Sample:
    if errors or not answered:
        raise RuntimeError(f"{answered} requests were answered, {errors} of them with an error")
    application, database = (1e6 * used / answered for used in cpu)
    return Sample(answered / seconds, *latencies, application, database, others)
