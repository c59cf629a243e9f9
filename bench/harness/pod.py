"""What one pod costs: the service when few requests arrive together, more connections, more rows."""

import argparse
import contextlib
import tempfile
from collections import defaultdict
from pathlib import Path

from . import report
from .compare import DATABASE, LOADS
from .database import server
from .load import closed_loop, open_loop
from .systems import SERVICE

SAVES = LOADS["90 % GET, 10 % PUT"]
RATES = (250, 500, 1000, 2000, 4000, 8000, 16000)
CONNECTIONS = (1, 16, 64, 256, 1024)
ROWS = [100_000, 1_000_000, 10_000_000]
SHUFFLED = """
insert into birthdays select translate(substr(md5(row::text), 1, 12), '0123456789abcdef', 'abcdefghijklmnop'), date '1930-01-01' + row % 30000
from generate_series(1, {rows}) row on conflict do nothing
"""
SIZES = "select count(*), pg_table_size('birthdays'), pg_indexes_size('birthdays') from birthdays"


def run(options: argparse.Namespace) -> None:
    sizes = options.rows or ROWS
    rows, seconds = sizes[0], options.seconds
    alone, many, grown, memory = (defaultdict(list) for _ in range(4))
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="birthday-bench-")))
        database = stack.enter_context(server())
        database.load(DATABASE, rows)
        with SERVICE.start(database.url(DATABASE), directory) as service:
            for _ in range(options.rounds):
                for rate in RATES:
                    alone[f"{rate:,}"].append(open_loop(service, database, rows, seconds, rate, SAVES))
                alone["as many as it can"].append(closed_loop(service, database, rows, seconds, SAVES))
                database.tidy(DATABASE)
        for _ in range(options.rounds):
            with SERVICE.start(database.url(DATABASE), directory) as service:
                for count in CONNECTIONS:
                    many[count].append(closed_loop(service, database, rows, seconds, connections=count))
                    memory[count].append(service.megabytes())
        services = {}
        for size in sizes:
            database.load(f"rows_{size}", size)
            services[size] = stack.enter_context(SERVICE.start(database.url(f"rows_{size}"), directory))
            closed_loop(services[size], database, size, 5)
        for number in range(options.rounds):
            for size in sizes if number % 2 else reversed(sizes):
                for title, saves in LOADS.items():
                    grown[size, title].append(closed_loop(services[size], database, size, seconds, saves))
                    database.tidy(f"rows_{size}")
        database.load("shuffled", 1_000_000, SHUFFLED)
        tables = {f"7 letters, in order, {size:,} rows": database.run(f"rows_{size}", SIZES) for size in sizes}
        tables["12 letters, in no order"] = database.run("shuffled", SIZES)
    write(options, alone, [(count, samples, memory[count]) for count, samples in many.items()], grown, tables)


def write(options: argparse.Namespace, alone: dict, many: list, grown: dict, tables: dict) -> None:
    others = report.middle([sample for samples in alone.values() for sample in samples], lambda s: s.others)

    def cells(samples: list, *values) -> list[str]:
        return [report.spread(map(value, samples)) for value in values]

    def rows_of(size: int) -> list[str]:
        loads = [samples for (rows, _), samples in grown.items() if rows == size]
        return [f"{size:,}", *(cell for samples in loads for cell in cells(samples, lambda s: s.rate, lambda s: s.cpu))]

    parts = [
        "# One pod\n",
        f"{report.stamp()}, {report.machine()}, PostgreSQL 18.1 and load generator on the same cores. Medians [ranges] of"
        f" {options.rounds} rounds of {options.seconds:g} s; [how it is measured](README.md). Other programs took {others:.0%} of the machine (median).\n",
        "## The service, as fewer requests arrive together\n",
        "90 % GET and 10 % PUT on a schedule, 64 connections.\n",
        report.table(("asked, requests/s", "answered", "service, CPU µs per request", "database"), (
            [rate, *cells(samples, lambda s: s.rate, lambda s: s.application_cpu, lambda s: s.database_cpu)] for rate, samples in alone.items())),
        "## More connections, GET\n",
        report.table(("connections", "requests/s", "CPU µs per request, with the database", "p50 ms", "p99 ms", "p99.9 ms", "RSS, MB"), (
            [f"{count:,}", *cells(samples, lambda s: s.rate, lambda s: s.cpu), *report.milliseconds(samples), report.spread(sizes)] for count, samples, sizes in many)),
        "## More rows, 64 connections\n",
        report.table(("rows", *(f"{title}: {what}" for title in LOADS for what in ("requests/s", "CPU µs"))), map(rows_of, sorted({rows for rows, _ in grown}))),
        "## A row\n",
        report.table(("names", "table, bytes a row", "index"), ([name, f"{heap / count:.1f}", f"{index / count:.1f}"] for name, (count, heap, index) in tables.items())),
    ]  # fmt: skip
    report.write(options.output / "pod.md", parts)
