"""The service and its peers side by side: every system takes its turn in every round."""

import argparse
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from . import conformance, report
from .database import Server, server
from .load import Sample, closed_loop, open_loop
from .systems import PIPELINED, SERVICE, SYSTEMS, System

# Title, and the percentage of requests that save.
LOADS = {"GET": 0, "PUT": 100, "90 % GET, 10 % PUT": 10}
DATABASE = "bench"
PAIRS = 10


class Comparison:
    """`measured`: by system and title of the load; `footprints`: seconds of the start, MB idle and after the load."""

    def __init__(self, options: argparse.Namespace, database: Server, directory: Path) -> None:
        self.options, self.database, self.directory = options, database, directory
        [self.rows] = options.rows or [100_000]
        self.measured: dict[tuple[str, object], list[Sample]] = defaultdict(list)
        self.footprints: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
        database.load(DATABASE, self.rows)
        self.urls = {"PostgreSQL": database.url(DATABASE), "SQLite": f"sqlite://{directory}/birthdays.db"}
        subprocess.run([*SERVICE.command, "copy", "--from", self.urls["PostgreSQL"], "--to", self.urls["SQLite"]], check=True)

    def start(self, system: System):
        return system.start(self.urls[system.store], self.directory)

    def turn(self, system: System) -> None:
        with self.start(system) as process:
            time.sleep(0.5)
            idle = process.megabytes()
            closed_loop(process, self.database, self.rows, 1)
            for title, saves in LOADS.items():
                self.keep(system, title, closed_loop(process, self.database, self.rows, self.options.seconds, saves))
                self.database.tidy(DATABASE)
            for rate in self.options.rates:
                self.keep(system, rate, open_loop(process, self.database, self.rows, self.options.seconds, rate))
            self.footprints[system.name].append((process.start_seconds, idle, process.megabytes()))

    def keep(self, system: System, load: object, sample: Sample) -> None:
        report.say(f"{system.name:24} {load:20} {sample.rate:8,.0f}/s {sample.cpu:7.1f} µs  p50 {sample.p50:.2f}  p99 {sample.p99:.2f} ms")
        self.measured[system.name, load].append(sample)

    def pairs(self) -> dict[str, list[Sample]]:
        """One connection, one request at a time: coalescing must not make these slower."""
        samples = defaultdict(list)
        with self.start(SERVICE) as ours, self.start(PIPELINED) as plain:
            for number in range(PAIRS):
                both = [(SERVICE.title, ours), (PIPELINED.title, plain)]
                for title, process in both if number % 2 else reversed(both):
                    samples[title].append(closed_loop(process, self.database, self.rows, 2, connections=1))
        return samples


def run(options: argparse.Namespace) -> None:
    chosen = [system for system in SYSTEMS if not options.only or system.name in options.only]
    with tempfile.TemporaryDirectory(prefix="birthday-bench-") as directory, server() as database:
        comparison = Comparison(options, database, Path(directory))
        with comparison.start(SERVICE) as process:
            right = conformance.answers(process.port)
        for system in chosen:
            with comparison.start(system) as process:
                conformance.check(process.port, right)
        for number in range(options.rounds):
            report.say(f"round {number + 1} of {options.rounds}")
            # Each round begins with a different system, so that none always follows the same one.
            for system in chosen[number % len(chosen) :] + chosen[: number % len(chosen)]:
                comparison.turn(system)
        write(comparison, chosen, comparison.pairs())


def write(comparison: Comparison, systems: list[System], pairs: dict[str, list[Sample]]) -> None:
    options, measured = comparison.options, comparison.measured
    others = statistics.median(sample.others for samples in measured.values() for sample in samples)

    def of(load: object) -> list[tuple[str, list[Sample]]]:
        return [(system.title, measured[system.name, load]) for system in systems]

    parts = [
        "# Results\n",
        f"{report.stamp()}, {report.machine()}, load generator and PostgreSQL 18.1 on the same cores. {comparison.rows:,} rows, medians"
        f" [ranges] of {options.rounds} interleaved rounds of {options.seconds:g} s. Ratios within this run count, absolute numbers do"
        f" not: read [how it is measured](README.md). Other programs took {others:.0%} of the machine (median).\n",
    ]
    for title in LOADS:
        parts += [f"## {title}, 64 connections\n", report.loaded(of(title))]
    for rate in options.rates:
        parts += [f"## Lookups on a schedule, {rate:,} a second (latency from the scheduled instant)\n", report.loaded(of(rate), rate)]
    parts += [f"## One connection, {PAIRS} pairs in turn\n", report.loaded(list(pairs.items()))]
    parts += ["## Start and memory\n", report.footprint([(system.title, comparison.footprints[system.name]) for system in systems])]
    report.write(options.output / "results.md", parts)
