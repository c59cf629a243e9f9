"""The service alone, as tables and the number of connections grow."""

import argparse
import contextlib
import tempfile
from collections import defaultdict
from pathlib import Path

from common.start import free_port

from . import plots, report
from .compare import LOADS, say
from .load import Sample, closed_loop, quiet
from .postgresql import Server, server
from .process import resident_bytes, running
from .rows import name_of
from .systems import SERVICE

ROWS = (100_000, 1_000_000, 10_000_000)
CONNECTIONS = (1, 16, 64, 256, 1024)


def run(options: argparse.Namespace) -> None:
    sizes = [rows for rows in ROWS if rows <= (options.rows or ROWS[-1])]
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="birthday-bench-")))
        database = stack.enter_context(server())
        for rows in sizes:
            say(f"loading {rows:,} rows")
            database.load(f"rows_{rows}", rows)

        def started(rows: int):
            port = free_port()
            settings = SERVICE.environment(port, database.url(f"rows_{rows}"))
            return running(SERVICE.command(options.cache), settings, port, directory / "service.log", f"/hello/{name_of(0)}")

        by_rows = tables(options, database, started, sizes)
        by_connections, memory = connections(options, database, started, sizes[0])
    write(options, sizes, by_rows, by_connections, memory)


def tables(options: argparse.Namespace, database: Server, started, sizes: list[int]) -> dict[tuple[str, int], list[Sample]]:
    """A service for each size of the table, in turn."""
    samples = defaultdict(list)
    with contextlib.ExitStack() as stack:
        services = {rows: stack.enter_context(started(rows)) for rows in sizes}
        for rows, service in services.items():
            closed_loop(service, database, 0, rows, 5)
        for number in range(options.rounds):
            for title, saves in LOADS.items():
                for rows in sizes if number % 2 else reversed(sizes):
                    quiet()
                    sample = closed_loop(services[rows], database, saves, rows, options.seconds)
                    say(f"{rows:12,} rows  {title:20} {sample.rate:8,.0f}/s {sample.cpu:6.1f} µs  {sample.errors} errors")
                    samples[title, rows].append(sample)
                    database.tidy(f"rows_{rows}")
    return samples


def connections(options: argparse.Namespace, database: Server, started, rows: int) -> tuple[dict, dict]:
    """From one connection to many on one service; its memory is read while they are open."""
    samples, memory = defaultdict(list), defaultdict(list)
    for _ in range(options.rounds):
        with started(rows) as service:
            for count in CONNECTIONS:
                quiet()
                samples[count].append(closed_loop(service, database, 0, rows, options.seconds, connections=count))
                memory[count].append(resident_bytes(service.pid) / 1e6)
                say(f"{count:5} connections {samples[count][-1].rate:8,.0f}/s  {samples[count][-1].errors} errors")
    return samples, memory


def write(options: argparse.Namespace, sizes: list[int], by_rows: dict, by_connections: dict, memory: dict) -> None:
    def row(label: str, samples: list[Sample], more: list[str]) -> list[str]:
        latencies = (report.milliseconds(report.middle(samples, value)) for value in (lambda s: s.p50, lambda s: s.p99))
        cost, errors = report.spread(samples, lambda s: s.cpu, "{:,.1f}"), str(sum(s.errors for s in samples))
        return [label, report.spread(samples, lambda s: s.rate, "{:,.0f}"), cost, *latencies, errors, *more]

    head = ["requests/s", "CPU µs per request", "p50 ms", "p99 ms", "errors"]
    parts = [
        "# Growth\n",
        f"{report.stamp()}, {report.machine()}, the service on PostgreSQL 18.1, load generator on the same cores. Medians [ranges] of"
        f" {options.rounds} interleaved rounds of {options.seconds:g} s; [how it is measured](README.md).\n",
        "## Rows, 64 connections\n",
        "![rows](growth-rows.svg)\n",
    ]
    for title in LOADS:
        first = report.middle(by_rows[title, sizes[0]], lambda s: s.rate)
        rows = []
        for size in sizes:
            change = report.middle(by_rows[title, size], lambda s: s.rate) / first - 1
            rows.append(row(f"{size:,}", by_rows[title, size], [f"{change:+.0%}"]))
        parts += [f"{title}\n", report.table(["rows", *head, "against the smallest"], rows)]
    parts += ["## Connections, GET\n", "![connections](growth-connections.svg)\n"]
    table = [row(f"{count:,}", by_connections[count], [report_range(memory[count])]) for count in CONNECTIONS]
    parts.append(report.table(["connections", *head, "RSS MB"], table))
    (options.output / "growth.md").write_text("\n".join(parts))

    def curve(value) -> dict[str, list[float]]:
        return {title: [report.middle(by_rows[title, size], value) for size in sizes] for title in LOADS}

    curves = {"requests per second": curve(lambda s: s.rate), "CPU per request, µs": curve(lambda s: s.cpu), "p99, ms": curve(lambda s: s.p99)}
    plots.lines(options.output / "growth-rows.svg", "rows", sizes, curves)
    curves = {
        "requests per second": {"GET": [report.middle(by_connections[count], lambda s: s.rate) for count in CONNECTIONS]},
        "p99, ms": {"GET": [report.middle(by_connections[count], lambda s: s.p99) for count in CONNECTIONS]},
        "RSS, MB": {"GET": [max(memory[count]) for count in CONNECTIONS]},
    }
    plots.lines(options.output / "growth-connections.svg", "connections", list(CONNECTIONS), curves)
    say(f"written: {options.output / 'growth.md'}")


def report_range(values: list[float]) -> str:
    return f"{min(values):.1f}–{max(values):.1f}"
