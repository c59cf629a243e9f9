"""The service and its peers side by side: every system takes its turn in every round."""

import argparse
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from common.start import free_port

from . import conformance, plots, report
from .load import Sample, closed_loop, open_loop, quiet
from .postgresql import Server, server
from .process import Running, resident_bytes, running
from .rows import into_sqlite, name_of
from .systems import SERVICE, SQLITE, SYSTEMS, System
from .systems import PIPELINED as PLAIN

# Title, and how many per cent of the requests save.
LOADS = {"GET": 0, "PUT": 100, "90 % GET, 10 % PUT": 10}
RATES = (500, 5000)
DATABASE = "bench"
PAIRS = 10


@dataclass
class Measured:
    loads: dict[str, list[Sample]] = field(default_factory=lambda: defaultdict(list))
    rates: dict[int, list[Sample]] = field(default_factory=lambda: defaultdict(list))
    starts: list[float] = field(default_factory=list)
    idle: list[float] = field(default_factory=list)
    loaded: list[float] = field(default_factory=list)


class Comparison:
    def __init__(self, options: argparse.Namespace, database: Server, directory: Path) -> None:
        self.options, self.database, self.directory = options, database, directory
        self.rows = options.rows or 100_000

    def start(self, system: System):
        port = free_port()
        url = self.database.url(DATABASE) if system.store == "PostgreSQL" else f"sqlite://{self.directory}/birthdays.db"
        log = self.directory / f"{system.name}.log"
        return running(system.command(self.options.cache), system.environment(port, url), port, log, f"/hello/{name_of(0)}")

    def load_sqlite(self) -> None:
        file = self.directory / "birthdays.db"
        environment = SQLITE.environment(free_port(), f"sqlite://{file}")
        subprocess.run([*SQLITE.command(self.options.cache), "migrate"], env=environment, check=True)
        into_sqlite(file, self.rows)

    def turn(self, system: System, measured: Measured) -> None:
        quiet()
        with self.start(system) as process:
            measured.starts.append(process.start_seconds)
            time.sleep(0.5)
            measured.idle.append(resident_bytes(process.pid))
            closed_loop(process, self.database, 0, self.rows, 1)
            for title, saves in LOADS.items():
                sample = closed_loop(process, self.database, saves, self.rows, self.options.seconds)
                measured.loads[title].append(self.without_errors(sample, system))
                say(f"{system.name:24} {title:20} {sample.rate:8,.0f}/s {sample.cpu:7.1f} µs  p99 {sample.p99:.2f} ms")
                self.database.tidy(DATABASE)
            names = [name_of(number * 7919 % self.rows) for number in range(10_000)]
            for rate in RATES:
                sample = open_loop(process, self.database, names, rate, self.options.seconds)
                measured.rates[rate].append(self.without_errors(sample, system))
            measured.loaded.append(resident_bytes(process.pid))

    def without_errors(self, sample: Sample, system: System) -> Sample:
        if sample.errors:
            raise RuntimeError(f"{system.name} answered {sample.errors} requests with an error: {self.directory / system.name}.log")
        return sample

    def pairs(self) -> dict[str, list[Sample]]:
        """One connection, one request at a time: what gathering requests must not cost."""
        samples = defaultdict(list)
        with self.start(SERVICE) as ours, self.start(PLAIN) as plain:
            for number in range(PAIRS):
                both: list[tuple[str, Running]] = [(SERVICE.title, ours), (PLAIN.title, plain)]
                for title, process in both if number % 2 else reversed(both):
                    samples[title].append(closed_loop(process, self.database, 0, self.rows, 2, connections=1))
        return samples


def run(options: argparse.Namespace) -> None:
    chosen = [system for system in SYSTEMS if not options.only or system.name in options.only]
    measured = {system.name: Measured() for system in chosen}
    with tempfile.TemporaryDirectory(prefix="birthday-bench-") as directory, server() as database:
        comparison = Comparison(options, database, Path(directory))
        database.load(DATABASE, comparison.rows)
        comparison.load_sqlite()
        for system in chosen:
            with comparison.start(system) as process:
                conformance.check(process.port)
        for number in range(options.rounds):
            say(f"round {number + 1} of {options.rounds}")
            # Each round begins with another system, so that none always follows the same one.
            for system in chosen[number % len(chosen) :] + chosen[: number % len(chosen)]:
                comparison.turn(system, measured[system.name])
        pairs = comparison.pairs()
    write(options, comparison.rows, chosen, measured, pairs)


def write(options: argparse.Namespace, rows: int, systems: list[System], measured: dict[str, Measured], pairs: dict) -> None:
    others = statistics.median(sample.others for each in measured.values() for load in each.loads.values() for sample in load)
    parts = [
        "# Results\n",
        f"{report.stamp()}, {report.machine()}, load generator and PostgreSQL 18.1 on the same cores. {rows:,} rows, medians"
        f" [ranges] of {options.rounds} interleaved rounds of {options.seconds:g} s. Ratios within this run count, absolute numbers do"
        f" not: read [how it is measured](README.md). Other programs took {others:.0%} of the machine (median).\n",
        "![requests per second and CPU per request](results.svg)\n",
    ]
    for title in LOADS:
        parts += [f"## {title}, 64 connections\n", report.throughput([(s.title, measured[s.name].loads[title]) for s in systems])]
    for rate in RATES:
        heading = f"## Lookups on a schedule, {rate:,} a second (latency from the scheduled instant)\n"
        parts += [heading, report.latency([(s.title, measured[s.name].rates[rate]) for s in systems], rate)]
    parts += [f"## One connection, {PAIRS} pairs in turn\n", report.throughput(list(pairs.items()))]
    footprints = [(s.title, *(getattr(measured[s.name], name) for name in ("starts", "idle", "loaded"))) for s in systems]
    parts += ["## Start and memory\n", report.footprint(footprints)]
    (options.output / "results.md").write_text("\n".join(parts))
    plots.bars(options.output / "results.svg", {t: [(s.title, measured[s.name].loads[t]) for s in systems] for t in LOADS})
    say(f"written: {options.output / 'results.md'}")


def say(text: str) -> None:
    print(time.strftime("%H:%M:%S", time.gmtime()), text, flush=True)
