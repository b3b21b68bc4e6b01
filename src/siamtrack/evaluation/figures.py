"""Figures of trackers in a table with curves: what the protocols besides OPE report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from siamtrack.core.boxes import Array
from siamtrack.core.writing import write_text
from siamtrack.evaluation.formats import aligned, csv_text, latex


@dataclass(frozen=True, eq=False)
class Curve:
    """One plot: a curve per tracker.

    Args:
        title: What it shows.
        x_label: Name of the horizontal axis.
        y_label: Name of the vertical axis, from 0 to 1.
        lines: For each tracker x and y (N,).
    """

    title: str
    x_label: str
    y_label: str
    lines: Mapping[str, tuple[Array, Array]]


@dataclass(frozen=True, eq=False)
class Figures:
    """Overall figures and those of each sequence.

    Args:
        dataset: Name of the data set.
        protocol: Name of the protocol.
        overall: For each tracker the figures by name; the first name ranks, higher is better.
        sequences: For each tracker and sequence the figures by name.
        curves: Plots.
        notes: What was left out or treated specially.

    Example:
        >>> print(Figures("VOT2018", "vot", {"a": {"EAO": 0.25}, "b": {"EAO": 0.5}}).table())
        VOT2018, VOT
        tracker     EAO
        b        0.5000
        a        0.2500
    """

    dataset: str
    protocol: str
    overall: Mapping[str, Mapping[str, float]]
    sequences: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    curves: tuple[Curve, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def trackers(self) -> tuple[str, ...]:
        """Names of the trackers, the best first."""

        def rank(name: str) -> float:
            return -next(iter(self.overall[name].values()))

        return tuple(sorted(self.overall, key=rank))

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the figures."""
        return tuple(dict.fromkeys(name for row in self.overall.values() for name in row))

    def title(self) -> str:
        """Return data set and protocol in one line."""
        return f"{self.dataset}, {self.protocol.upper()}"

    def summary_rows(self) -> list[list[str]]:
        """Return the header and one row of text per tracker, the best first."""
        rows = [["tracker", *self.columns]]
        for name in self.trackers:
            row = self.overall[name]
            rows.append([name, *(_text(row.get(column)) for column in self.columns)])
        return rows

    def table(self) -> str:
        """Return the overall figures as aligned text, with the notes below."""
        return "\n".join([self.title(), aligned(self.summary_rows()), *self._noted()])

    def to_latex(self) -> str:
        """Return the overall figures as a LaTeX table (package booktabs)."""
        return latex(self.summary_rows(), comments=[self.title(), *self._noted()])

    def to_csv(self) -> str:
        """Return the figures of every tracker on every sequence, and overall, as CSV."""
        names = list(dict.fromkeys(
            [*self.columns, *(name for rows in self.sequences.values()
                              for row in rows.values() for name in row)]
        ))  # fmt: skip
        lines: list[list[object]] = [["tracker", "sequence", *names]]
        for tracker in self.trackers:
            for sequence, row in {"": self.overall[tracker],
                                  **self.sequences.get(tracker, {})}.items():  # fmt: skip
                cells = ["" if name not in row else round(row[name], 6) for name in names]
                lines.append([tracker, sequence, *cells])
        return csv_text(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        return {
            "dataset": self.dataset,
            "protocol": self.protocol,
            "notes": list(self.notes),
            "trackers": {
                name: {
                    "overall": dict(self.overall[name]),
                    "sequences": {k: dict(v) for k, v in self.sequences.get(name, {}).items()},
                }
                for name in self.trackers
            },
        }

    def to_json(self) -> str:
        """Return `to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=2)

    def to_html(self, path: str | Path) -> Path:
        """Write one self-contained HTML page with plots and tables, and return its path."""
        from siamtrack.evaluation.html import figures_page

        target = Path(path)
        write_text(target, figures_page(self))
        return target

    def _noted(self) -> list[str]:
        return [f"note: {note}" for note in self.notes]


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
