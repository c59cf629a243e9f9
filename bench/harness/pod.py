"""What one pod costs: the service when few requests arrive together, the proxies around it, and a row in the database."""

import argparse
import contextlib
import tempfile
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg

from common.start import free_port

from . import envoy, report
from .compare import say
from .load import Sample, closed_loop, open_loop, quiet
from .postgresql import Server, server
from .process import Running, cpu_seconds, running
from .rows import name_of
from .systems import SERVICE

RATES = (250, 500, 1000, 2000, 4000, 8000, 16000)
SAVES = 10  # per cent
SHUFFLED = """
insert into birthdays select translate(substr(md5(row::text), 1, 12), '0123456789abcdef', 'abcdefghijklmnop'), date '1930-01-01' + row % 30000
from generate_series(1, {rows}) row on conflict do nothing
"""


@dataclass(frozen=True)
class Behind:
    """The service behind its proxies: CPU microseconds per request."""

    sample: Sample
    sidecar: float
    gateway: float


def run(options: argparse.Namespace) -> None:
    rows = options.rows or 100_000
    alone, behind = defaultdict(list), defaultdict(list)
    names = [name_of(number * 7919 % rows) for number in range(10_000)]
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="birthday-bench-")))
        database = stack.enter_context(server())
        database.load("bench", rows)
        port = free_port()
        settings = SERVICE.environment(port, database.url("bench"))
        probe = f"/hello/{name_of(0)}"
        service = stack.enter_context(running(SERVICE.command(options.cache), settings, port, directory / "service.log", probe))
        envoy.certificate(directory)

        def proxy(proxies: contextlib.ExitStack, name: str, upstream: int, mesh: envoy.Settings, **tls: bool) -> Running:
            here, admin = free_port(), free_port()
            command = envoy.command(directory, name, here, admin, upstream, mesh, **tls)
            # A sidecar refuses clients without a certificate, so its administration is asked.
            process = proxies.enter_context(running(command, {}, admin, directory / f"{name}.log", "/ready"))
            process.port = here
            return process

        for _ in range(options.rounds):
            for rate in (*RATES, None):
                quiet()
                if rate:
                    sample = open_loop(service, database, names, rate, options.seconds)
                else:
                    sample = closed_loop(service, database, 0, rows, options.seconds)
                alone[rate].append(whole(sample))
                say(f"{sample.rate:8,.0f}/s  service {sample.application_cpu:5.1f} µs  database {sample.database_cpu:5.1f} µs")
            for title, mesh in envoy.MESHES.items():
                with contextlib.ExitStack() as proxies:
                    sidecar = proxy(proxies, "sidecar", port, mesh, tls_in=True, tls_out=False)
                    gateway = proxy(proxies, "gateway", sidecar.port, mesh, tls_in=False, tls_out=True)
                    quiet()
                    behind[title].append(through(options, database, service, sidecar, gateway, rows))
                database.tidy("bench")
        sizes = measured_rows(database)
    write(options, alone, behind, sizes)


def whole(sample: Sample) -> Sample:
    if sample.errors:
        raise RuntimeError(f"{sample.errors} requests failed")
    return sample


def through(options: argparse.Namespace, database: Server, service: Running, sidecar: Running, gateway: Running, rows: int) -> Behind:
    """`closed_loop` meters what it is pointed at, the gateway; the others are read beside it."""
    quiet()
    before = cpu_seconds(service.pid), cpu_seconds(sidecar.pid)
    sample = whole(closed_loop(gateway, database, SAVES, rows, options.seconds))
    answered = sample.rate * options.seconds
    mine, beside = (1e6 * (cpu_seconds(pid) - since) / answered for pid, since in zip((service.pid, sidecar.pid), before, strict=True))
    say(f" 64 connections {sample.rate:8,.0f}/s  gateway {sample.application_cpu:5.1f} µs  sidecar {beside:5.1f} µs  service {mine:5.1f} µs")
    return Behind(replace(sample, application_cpu=mine), beside, gateway=sample.application_cpu)


def measured_rows(database: Server) -> list[tuple[str, int, float, float]]:
    """Name, rows, and bytes of table and index a row."""
    sizes = []
    for title, letters, rows in (("in order", 7, 1_000_000), ("in no order", 12, 1_000_000)):
        name = f"size_{letters}"
        database.load(name, rows if letters == 7 else 0)
        if letters != 7:
            database.run(name, SHUFFLED.format(rows=rows))
        with psycopg.connect(database.url(name)) as connection:
            query = "select count(*), pg_table_size('birthdays'), pg_indexes_size('birthdays') from birthdays"
            count, heap, index = connection.execute(query).fetchone()
        say(f"{count:,} rows of {letters} letters {title}: {heap / count:.1f} + {index / count:.1f} bytes")
        sizes.append((f"{letters} letters, {title}", count, heap / count, index / count))
        database.run("postgres", f"drop database {name}")
    return sizes


def write(options: argparse.Namespace, alone: dict[int, list[Sample]], behind: dict[str, list[Behind]], sizes: list) -> None:
    others = report.middle([s for samples in alone.values() for s in samples], lambda s: s.others)

    def microseconds(samples: list, value) -> str:
        return report.spread(samples, value, "{:,.0f}")

    rows = [
        [f"{rate:,}" if rate else "as many as it can", *(microseconds(samples, value) for value in (
            lambda s: s.rate, lambda s: s.application_cpu, lambda s: s.database_cpu))]
        for rate, samples in alone.items()
    ]  # fmt: skip
    chains = [
        [title, *(microseconds(samples, value) for value in (
            lambda b: b.sample.rate, lambda b: b.gateway, lambda b: b.sidecar, lambda b: b.sample.application_cpu, lambda b: b.sample.database_cpu))]
        for title, samples in behind.items()
    ]  # fmt: skip
    parts = [
        "# One pod\n",
        f"{report.stamp()}, {report.machine()}, PostgreSQL 18.1 and load generator on the same cores. Medians [ranges] of"
        f" {options.rounds} rounds of {options.seconds:g} s; [how it is measured](README.md). Other programs took {others:.0%} of the machine (median).\n",
        "## The service, as fewer requests arrive together\n",
        "Lookups on a schedule, 64 connections.\n",
        report.table(("asked, requests/s", "answered", "service, CPU µs per request", "database"), rows),
        "## Behind a sidecar and a gateway, 64 connections, 90 % GET, 10 % PUT\n",
        "Envoy 1.40 of upstream, one thread each, mTLS between them, the access log's format of production; without Istio's metrics, which cost more.\n",
        report.table(("mesh", "requests/s", "gateway, CPU µs per request", "sidecar", "service", "database"), chains),
        "## A row\n",
        report.table(("names", "rows", "table, bytes a row", "index"), ([name, f"{count:,}", f"{heap:.1f}", f"{index:.1f}"] for name, count, heap, index in sizes)),
    ]
    (options.output / "pod.md").write_text("\n".join(parts))
    say(f"written: {options.output / 'pod.md'}")
