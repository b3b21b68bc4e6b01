"""A report as a picture: latency by stage, and speed against accuracy where that is known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from siamtrack.benchmark.figures import STAGES, Benchmark
from siamtrack.core.config import parse_json
from siamtrack.core.files import text_of
from siamtrack.evaluation.report.plots import matplotlib_figure

COLORS = {"crop": "#e69f00", "network": "#0072b2", "post": "#009e73", "": "#9aa4ae"}
INK, SOFT = "#1b1f24", "#57606a"


def empty_figure(width: float = 1.0, height: float = 1.0) -> Any:
    """Return a figure of matplotlib; raises `MissingExtraError` unless it is installed."""
    return matplotlib_figure("pictures of benchmarks", "plots", width, height)


def read_accuracy(path: Path) -> dict[str, float]:
    """Return tracker to success AUC from the JSON that `siamtrack eval --report` wrote.

    Raises:
        ValueError: If the file is no such report.
    """
    try:
        trackers = parse_json(text_of(path))["trackers"]
        return {name: float(found["overall"]["success"]) for name, found in trackers.items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as reason:
        raise ValueError(
            f"{path} has no success of trackers ({reason!r}); give the file that "
            "`siamtrack eval DATASET --report FILE.json` writes"
        ) from reason


def draw(report: Benchmark, path: Path, accuracy: Mapping[str, float] | None = None) -> None:
    """Write a PNG, SVG or PDF; trackers without `accuracy`, their success AUC, get no point.

    Raises:
        MissingExtraError: If matplotlib is not installed.
        ValueError: If the ending is none that matplotlib writes.
    """
    known = {each.name for each in report.trackers} & set(accuracy or {})
    height = 1.7 + 0.42 * len(report.trackers)
    figure = empty_figure(11.0 if known else 7.0, max(height, 3.4))
    axes = figure.subplots(1, 2 if known else 1, squeeze=False)[0]
    _bars(axes[0], report)
    if known:
        _points(axes[1], report, accuracy or {})
    machine, settings = report.machine, report.settings
    figure.supxlabel(
        f"{machine.processor}, {settings.threads} threads, {report.size[0]}x{report.size[1]}, "
        f"median of {settings.rounds} rounds in turn",
        fontsize=8.5,
        color=SOFT,
    )
    figure.savefig(path, dpi=160)


def _bars(axes: Any, report: Benchmark) -> None:
    """One bar a tracker, the quickest on top: in three colors where the stages are known."""
    entries = sorted(report.trackers, key=lambda each: -each.update.p50)
    for row, entry in enumerate(entries):
        stages = STAGES if entry.rounds[0].stages else ()
        left = 0.0
        for name in stages:
            width = entry.stage(name).p50
            axes.barh(row, width, left=left, height=0.62, color=COLORS[name], edgecolor="white")
            left += width
        if not stages:
            axes.barh(row, entry.update.p50, height=0.62, color=COLORS[""])
        text = {"textcoords": "offset points", "fontsize": 9, "color": INK}
        end = max(left, entry.update.p50)
        axes.annotate(f"{entry.update.p50:.1f}", (end, row), (4, 0), va="center", **text)
    axes.set_yticks(range(len(entries)), [entry.name for entry in entries])
    axes.set_title("milliseconds for an update (p50)", fontsize=10.5, loc="left", color=INK)
    axes.margins(x=0.1)
    _plain(axes, "x")
    if any(entry.rounds[0].stages for entry in entries):
        handles = [axes.barh(0, 0, color=COLORS[name]) for name in STAGES]
        axes.legend(handles, STAGES, fontsize=9, frameon=False, loc="upper right")


def _points(axes: Any, report: Benchmark, accuracy: Mapping[str, float]) -> None:
    for entry in report.trackers:
        if entry.name not in accuracy:
            continue
        fps, ours = entry.median("fps") or 0.0, bool(entry.rounds[0].stages)
        color = COLORS["network" if ours else ""]
        axes.plot(fps, accuracy[entry.name], "o", markersize=9, color=color)
        text = {"textcoords": "offset points", "fontsize": 9, "color": INK}
        weight = "bold" if ours else "normal"
        axes.annotate(entry.name, (fps, accuracy[entry.name]), (8, 5), weight=weight, **text)
    axes.set_title("success AUC against frames per second", fontsize=10.5, loc="left", color=INK)
    axes.margins(x=0.28, y=0.12)
    _plain(axes, "both")


def _plain(axes: Any, grid: str) -> None:
    axes.set_axisbelow(True)
    axes.grid(axis=grid, color="#e6eaee")
    axes.tick_params(length=0, labelsize=9, labelcolor=INK)
    axes.spines[:].set_visible(False)
