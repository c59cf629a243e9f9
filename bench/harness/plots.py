"""The plots, as SVG."""

import statistics
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402 (the backend comes first)

from .report import Samples, middle  # noqa: E402

# Text stays text, and the same figures give the same file.
plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "birthday-api", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
OURS, OTHERS, DATABASE = "#b3361e", "#8a94a0", "#cdd3da"


def save(figure: plt.Figure, file: Path) -> None:
    figure.savefig(file, metadata={"Date": None}, bbox_inches="tight", facecolor="white")
    plt.close(figure)


def bars(file: Path, loads: dict[str, list[tuple[str, Samples]]]) -> None:
    """For each load: requests per second, and CPU per request of application and database."""
    systems = len(next(iter(loads.values())))
    figure, grid = plt.subplots(len(loads), 2, figsize=(11, 0.32 * systems * len(loads) + 1), squeeze=False, layout="constrained")
    for (title, rows), (rates, costs) in zip(loads.items(), grid, strict=True):
        rows = sorted(rows, key=lambda row: middle(row[1], lambda s: s.rate))
        names = [name.replace("**", "") for name, _ in rows]
        colours = [OURS if "**" in name else OTHERS for name, _ in rows]
        figures = [middle(samples, lambda s: s.rate) for _, samples in rows]
        rates.bar_label(rates.barh(names, figures, color=colours), [f" {value:,.0f}" for value in figures])
        rates.set_title(f"{title}: requests per second", loc="left")
        rates.margins(x=0.15)
        application = [middle(samples, lambda s: s.application_cpu) for _, samples in rows]
        database = [middle(samples, lambda s: s.database_cpu) for _, samples in rows]
        both = [mine + theirs for mine, theirs in zip(application, database, strict=True)]
        # The dearest would make all others look alike: their bars are cut, not their labels.
        limit = 2 * statistics.median(both)
        costs.barh(names, application, color=colours)
        costs.barh(names, database, left=application, color=DATABASE)
        for place, value in enumerate(both):
            costs.text(min(value, limit), place, f" {value:,.0f}", va="center")
        costs.set_xlim(0, limit)
        costs.set_title("CPU per request, µs (light: PostgreSQL)", loc="left")
        costs.set_yticks([])
        for axes in (rates, costs):
            axes.set_xticks([])
            axes.spines["bottom"].set_visible(False)
    save(figure, file)


def lines(file: Path, label: str, ticks: list[int], curves: dict[str, dict[str, list[float]]]) -> None:
    """One small plot for each of `curves` (its title, then line by line the values at `ticks`)."""
    figure, row = plt.subplots(1, len(curves), figsize=(4 * len(curves), 3), squeeze=False, layout="constrained")
    for axes, (title, series) in zip(row[0], curves.items(), strict=True):
        for name, values in series.items():
            axes.plot(ticks, values, marker="o", label=name)
        axes.set_xscale("log")
        axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        axes.minorticks_off()
        axes.set_ylim(bottom=0)
        axes.set_xlabel(label)
        axes.set_title(title, loc="left")
        if len(series) > 1:
            axes.legend(frameon=False)
    save(figure, file)
