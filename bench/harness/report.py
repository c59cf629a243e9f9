"""The report in Markdown."""

import platform
import statistics
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from .load import Sample

Samples = list[Sample]


def middle(samples: Samples, value: Callable[[Sample], float]) -> float:
    return statistics.median(map(value, samples))


def spread(samples: Samples, value: Callable[[Sample], float], form: str) -> str:
    """The median, and the range in brackets."""
    values = sorted(map(value, samples))
    low, high = form.format(values[0]), form.format(values[-1])
    return f"{form.format(statistics.median(values))} [{low}–{high}]" if low != high else low


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(cells) + " |"

    head = list(head)
    rule = line(["---"] + ["---:"] * (len(head) - 1))
    return "\n".join([line(head), rule, *map(line, rows)]) + "\n"


def milliseconds(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def throughput(rows: list[tuple[str, Samples]]) -> str:
    """One kind of load, all systems, fastest first."""
    def cells(title: str, samples: Samples) -> list[str]:
        return [
            title,
            spread(samples, lambda s: s.rate, "{:,.0f}"),
            spread(samples, lambda s: s.cpu, "{:,.0f}"),
            f"{middle(samples, lambda s: s.application_cpu):,.0f}",
            f"{middle(samples, lambda s: s.database_cpu):,.0f}",
            *(milliseconds(middle(samples, value)) for value in (lambda s: s.p50, lambda s: s.p99, lambda s: s.p999)),
        ]

    head = ("System", "requests/s", "CPU µs per request", "of it application", "database", "p50 ms", "p99 ms", "p99.9 ms")
    return table(head, (cells(title, samples) for title, samples in sorted(rows, key=lambda row: -middle(row[1], lambda s: s.rate))))


def latency(rows: list[tuple[str, Samples]], rate: int) -> str:
    """Open loop. A system that falls behind the schedule has no latency to speak of: it would grow for as long as one measures."""
    def cells(title: str, samples: Samples) -> list[str]:
        got = middle(samples, lambda s: s.rate)
        if got < 0.98 * rate:
            return [title, f"{got:,.0f}: falls behind", "", "", ""]
        values = (lambda s: s.p50, lambda s: s.p99, lambda s: s.p999)
        return [title, f"{got:,.0f}", *(milliseconds(middle(samples, value)) for value in values)]

    return table(("System", "requests/s", "p50 ms", "p99 ms", "p99.9 ms"), (cells(*row) for row in rows))


def footprint(rows: list[tuple[str, list[float], list[float], list[float]]]) -> str:
    def cells(title: str, starts: list[float], idle: list[float], loaded: list[float]) -> list[str]:
        start = 1e3 * statistics.median(starts)
        return [title, f"{start:,.0f}", *(f"{statistics.median(sizes) / 1e6:,.1f}" for sizes in (idle, loaded))]

    return table(("System", "start to first answer, ms", "RSS idle, MB", "RSS after the load, MB"), (cells(*row) for row in rows))


def machine() -> str:
    model = next(line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name"))
    cores = sum(line.startswith("processor") for line in Path("/proc/cpuinfo").read_text().splitlines())
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20
    return f"{cores} cores of {model}, {memory:.0f} GiB, Linux {platform.release()}"


def stamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
