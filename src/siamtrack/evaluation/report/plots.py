"""Plots: lines and points as inline SVG without a plotting library, others with Matplotlib."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from siamtrack.core.boxes import Array
from siamtrack.errors import MissingExtraError
from siamtrack.evaluation.metrics import roc_auc

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c564b", "#444444")
"""Colors that people with a color vision deficiency tell apart (Okabe and Ito)."""
DASHES = ("", "7 3", "2 3")
_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 460, 330, 52, 34, 14, 44


@dataclass(frozen=True, eq=False)
class Line:
    """One labeled curve or point of a plot; `color` is one of `COLORS`, or by its place."""

    label: str
    x: Array
    y: Array
    color: int | None = None


def line_plot(title: str, x_label: str, y_label: str, lines: Sequence[Line]) -> str:
    """Return curves with y in [0, 1] as an SVG element, with a legend in the order given.

    Example:
        >>> svg = line_plot("t", "x", "y", [Line("a<b", np.array([0.0, 1]), np.array([1.0, 0]))])
        >>> svg.startswith("<svg") and "a&lt;b" in svg
        True
    """
    high = max(float(line.x.max()) for line in lines)
    axes = _Axes(0.0, high or 1.0)
    parts = [axes.frame(title, x_label, y_label)]
    for index, line in enumerate(lines):
        known = np.isfinite(line.y)
        x, y = axes.x(line.x[known]).tolist(), axes.y(line.y[known]).tolist()
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
        tip = f"<title>{html.escape(line.label)}</title>"
        parts.append(
            f'<polyline points="{points}" {_stroke(_number(line, index))}>{tip}</polyline>'
        )
    return _svg(title, parts, lines)


def scatter_plot(title: str, x_label: str, y_label: str, points: Sequence[Line]) -> str:
    """Return labeled points, x on a logarithmic axis and y in [0, 1], as an SVG element."""
    values = np.log10([float(point.x[0]) for point in points])
    axes = _Axes(float(np.floor(values.min())), float(np.floor(values.max()) + 1), log=True)
    parts = [axes.frame(title, x_label, y_label)]
    for index, (point, value) in enumerate(zip(points, values, strict=True)):
        color = COLORS[_number(point, index) % len(COLORS)]
        x, y = axes.x(float(value)), axes.y(float(point.y[0]))
        tip = f"<title>{html.escape(point.label)}</title>"
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="{color}">{tip}</circle>')
    return _svg(title, parts, points)


def matplotlib_figure(purpose: str, extra: str, width: float, height: float) -> Any:
    """Return an empty figure of matplotlib in inches, for what is drawn without SVG of our own.

    Raises:
        MissingExtraError: If matplotlib is not installed; it names the purpose and the extra.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError(purpose, "matplotlib", extra) from error
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


Value = TypeVar("Value", float, Array)


@dataclass(frozen=True)
class _Axes:
    low: float
    high: float
    log: bool = False

    def x(self, value: Value) -> Value:
        part = (value - self.low) / (self.high - self.low)
        return _LEFT + part * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: Value) -> Value:
        return _TOP + (1 - value) * (_HEIGHT - _TOP - _BOTTOM)

    def ticks(self) -> list[tuple[float, str]]:
        if self.log:
            return [(k, f"{10.0**k:g}") for k in range(int(self.low), int(self.high) + 1)]
        return [(value, f"{value:g}") for value in np.linspace(self.low, self.high, 6).round(6)]

    def frame(self, title: str, x_label: str, y_label: str) -> str:
        bottom, right = self.y(0), _WIDTH - _RIGHT
        parts = [f'<text x="{_WIDTH / 2}" y="20" class="title">{html.escape(title)}</text>']
        for value in np.linspace(0, 1, 6):
            y = self.y(float(value))
            parts.append(f'<path d="M{_LEFT} {y:.1f}H{right}" class="grid"/>')
            parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" class="y">{value:.1f}</text>')
        for position, text in self.ticks():
            x = self.x(position)
            parts.append(f'<path d="M{x:.1f} {_TOP}V{bottom}" class="grid"/>')
            parts.append(f'<text x="{x:.1f}" y="{bottom + 16}" class="x">{text}</text>')
        middle = (_TOP + bottom) / 2
        parts.append(
            f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 8}" class="x">{html.escape(x_label)}</text>'
        )
        parts.append(
            f'<text transform="translate(14 {middle}) rotate(-90)" class="x">'
            f"{html.escape(y_label)}</text>"
        )
        return "".join(parts)


def _number(line: Line, index: int) -> int:
    return index if line.color is None else line.color


def _stroke(index: int) -> str:
    dash = DASHES[index // len(COLORS) % len(DASHES)]
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return f'fill="none" stroke="{COLORS[index % len(COLORS)]}" stroke-width="2"{dashes}'


def _svg(title: str, parts: Sequence[str], legend: Sequence[Line]) -> str:
    height = _HEIGHT + 18 * len(legend)
    rows = []
    for index, line in enumerate(legend):
        y = _HEIGHT + 18 * index + 6
        rows.append(f'<path d="M{_LEFT} {y}h26" {_stroke(_number(line, index))}/>')
        rows.append(f'<text x="{_LEFT + 34}" y="{y + 4}">{html.escape(line.label)}</text>')
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{html.escape(title)}">'
        f"{''.join(parts)}{''.join(rows)}</svg>"
    )


def plot_distances(
    panels: dict[str, ArrayLike], dissimilar: ArrayLike, path: str | Path, bins: int = 40
) -> None:
    """Draw histograms of the distances (N,) of same and different pairs, a panel for each method.

    Raises:
        MissingExtraError: If Matplotlib is not installed.
    """
    labels = np.asarray(dissimilar)
    figure = matplotlib_figure("plots", "plots", 3.2 * len(panels), 2.6)
    for index, (title, distance) in enumerate(panels.items()):
        distances = np.asarray(distance, np.float64)
        axes = figure.add_subplot(1, len(panels), index + 1)
        edges = np.linspace(0, max(float(distances.max()), 1e-9), bins + 1).tolist()
        for value, name in ((0, "same object"), (1, "another object")):
            axes.hist(distances[labels == value], edges, alpha=0.6, label=name)
        axes.set_title(f"{title}\nAUC {roc_auc(distances, labels):.3f}", fontsize=9)
        axes.set_xlabel("distance")
        axes.set_yticks([])
    figure.axes[0].legend(fontsize=8)
    figure.savefig(path, dpi=110)
