"""The report in Markdown."""

import platform
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from .load import Sample

Samples = list[Sample]


def say(text: str) -> None:
    print(time.strftime("%H:%M:%S", time.gmtime()), text, flush=True)


def write(file: Path, parts: list[str]) -> None:
    file.write_text("\n".join(parts))
    say(f"written: {file}")


def middle(samples: Samples, value: Callable[[Sample], float]) -> float:
    return statistics.median(map(value, samples))


def spread(values: Iterable[float], form: str = "{:,.0f}") -> str:
    """The median, and the range in brackets."""
    values = sorted(values)
    low, high = form.format(values[0]), form.format(values[-1])
    return f"{form.format(statistics.median(values))} [{low}–{high}]" if low != high else low


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, *rows)]
    return "\n".join([lines[0], "| --- |" + " ---: |" * (lines[0].count("|") - 2), *lines[1:]]) + "\n"


def milliseconds(samples: Samples) -> list[str]:
    values = (middle(samples, value) for value in (lambda s: s.p50, lambda s: s.p99, lambda s: s.p999))
    return [f"{value:.2f}" if value < 10 else f"{value:,.0f}" for value in values]


def loaded(rows: list[tuple[str, Samples]], rate: int = 0) -> str:
    """One kind of load, all systems, fastest first. A system that falls behind a schedule has no meaningful latency: it would grow for
    as long as the measurement lasts."""

    def cells(title: str, samples: Samples) -> list[str]:
        got = middle(samples, lambda s: s.rate)
        if got < 0.98 * rate:
            return [title, f"{got:,.0f}: falls behind", *[""] * 6]
        parts = (f"{middle(samples, part):,.0f}" for part in (lambda s: s.application_cpu, lambda s: s.database_cpu))
        return [title, spread(s.rate for s in samples), spread(s.cpu for s in samples), *parts, *milliseconds(samples)]

    head = ("System", "requests/s", "CPU µs per request", "of it application", "database", "p50 ms", "p99 ms", "p99.9 ms")
    return table(head, (cells(*row) for row in sorted(rows, key=lambda row: -middle(row[1], lambda s: s.rate))))


def footprint(rows: list[tuple[str, list[tuple[float, float, float]]]]) -> str:
    def cells(title: str, measured: list[tuple[float, float, float]]) -> list[str]:
        start, idle, loaded = map(statistics.median, zip(*measured, strict=True))
        return [title, f"{1e3 * start:,.0f}", f"{idle:,.1f}", f"{loaded:,.1f}"]

    return table(("System", "start to first answer, ms", "RSS idle, MB", "RSS after the load, MB"), (cells(*row) for row in rows))


def machine() -> str:
    cores = [line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20
    return f"{len(cores)} cores of {cores[0]}, {memory:.0f} GiB, Linux {platform.release()}"


def stamp() -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
