"""The report of an evaluation: figures per tracker, per sequence and overall, in five formats."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from siamtrack.core.boxes import Array
from siamtrack.core.writing import write_text
from siamtrack.errors import UnknownNameError
from siamtrack.evaluation.metrics import (
    NORMALIZED_THRESHOLDS,
    PRECISION_THRESHOLDS,
    SUCCESS_THRESHOLDS,
    Policy,
)
from siamtrack.evaluation.report import html
from siamtrack.evaluation.report.html import aligned, csv_text, latex
from siamtrack.evaluation.report.plots import Line, line_plot, scatter_plot
from siamtrack.evaluation.scores import (
    METRICS,
    PairedTest,
    SequenceScore,
    confidence_interval,
    figures,
    paired_test,
)

SHOWN = ("success", "precision", "norm_precision", "ao", "sr50", "sr75")
"""Metrics of scored boxes in tables, in this order."""
CURVES = {
    "success": ("Success", "overlap threshold", SUCCESS_THRESHOLDS),
    "precision": ("Precision", "center error threshold, px", PRECISION_THRESHOLDS),
    "norm_precision": ("Normalized precision", "error threshold", NORMALIZED_THRESHOLDS),
}
"""Metric to title, horizontal axis and thresholds of its plot."""

Values = Mapping[str, float]
"""Figures by name."""


@dataclass(frozen=True, eq=False)
class Curve:
    """One plot: a curve x, y (N,) per tracker, y from 0 to 1.

    The overall figure `metric` is in the legend; the one that ranks if empty.
    """

    title: str
    x_label: str
    y_label: str
    lines: Mapping[str, tuple[Array, Array]]
    metric: str = ""


class Overall(dict[str, dict[str, float]]):
    """Overall figures of each tracker; a call returns a copy of those of one."""

    def __call__(self, tracker: str) -> dict[str, float]:
        """Return a tracker's figures by name.

        Raises:
            UnknownNameError: If the report has no such tracker.
        """
        if tracker not in self:
            raise UnknownNameError("tracker", tracker, self)
        return dict(self[tracker])


@dataclass(frozen=True, eq=False)
class Report:
    """Figures of trackers on a data set.

    Protocols that compare box with box (`ope`, `tre`, `sre`) give `scores`, and an overall figure
    is a mean over sequences. The others (VOT's, long-term) give `figures` and `rows`.

    Args:
        dataset: Name of the data set.
        scores: For each tracker, its scores in the order of the data set.
        protocol: Name of the protocol.
        policy: Which frames count, where there are scores.
        notes: What was left out or treated specially; every table carries them.
        figures: Without scores: for each tracker the overall figures; the first ranks, higher is
            better.
        rows: Without scores: for each tracker and sequence the figures by name.
        curves: Without scores: the plots.

    Example:
        >>> from siamtrack.evaluation.scores import score_sequence
        >>> truth = [[0, 0, 8, 6], [1, 0, 8, 6]]
        >>> report = Report("toys", {"perfect": (score_sequence("toy", truth, truth),)})
        >>> round(report.overall("perfect")["success"], 4)
        0.9524
        >>> print(report.table())
        toys, OPE, 1 sequence
        tracker  success  precision  norm_precision      ao    sr50    sr75  fps
        perfect   0.9524     1.0000          1.0000  1.0000  1.0000  1.0000    -
        >>> figures = {"a": {"EAO": 0.25}, "b": {"EAO": 0.5}}
        >>> print(Report("VOT2018", protocol="vot", figures=figures).table())
        VOT2018, VOT
        tracker     EAO
        b        0.5000
        a        0.2500
    """

    dataset: str
    scores: Mapping[str, tuple[SequenceScore, ...]] = field(default_factory=dict)
    protocol: str = "ope"
    policy: Policy = field(default_factory=Policy)
    notes: tuple[str, ...] = ()
    figures: Mapping[str, Values] = field(default_factory=dict)
    rows: Mapping[str, Mapping[str, Values]] = field(default_factory=dict)
    curves: tuple[Curve, ...] = ()

    @cached_property
    def trackers(self) -> tuple[str, ...]:
        """Names of the trackers, the best first."""

        def rank(name: str) -> float:
            return -next(iter(self.overall[name].values()))

        return tuple(sorted(self.overall, key=rank))

    @cached_property
    def overall(self) -> Overall:
        """Overall figures: `overall[tracker]`, or `overall(tracker)` for a copy."""
        found = Overall({name: dict(row) for name, row in self.figures.items()})
        for tracker, rows in self._values.items():
            weights = self._weights(tracker)
            found[tracker] = {
                name: float(np.average(values, weights=weights)) for name, values in rows.items()
            }
        return found

    @cached_property
    def sequences(self) -> dict[str, dict[str, dict[str, float]]]:
        """Figures of each tracker on each sequence."""
        scored = {
            tracker: {score.sequence: score.metrics() for score in scores}
            for tracker, scores in self.scores.items()
        }
        given = {
            tracker: {sequence: dict(row) for sequence, row in rows.items()}
            for tracker, rows in self.rows.items()
        }
        return {**given, **scored}

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the overall figures."""
        return tuple(dict.fromkeys(name for row in self.overall.values() for name in row))

    def of(self, tracker: str) -> tuple[SequenceScore, ...]:
        """Return a tracker's scores.

        Raises:
            UnknownNameError: If the report has no scores of such a tracker.
        """
        if tracker not in self.scores:
            raise UnknownNameError("tracker", tracker, self.scores)
        return self.scores[tracker]

    def values(self, tracker: str, metric: str = "success") -> dict[str, float]:
        """Return a tracker's figure on every sequence.

        Raises:
            UnknownNameError: If the report has no such tracker or there is no such metric.
        """
        if metric not in METRICS:
            raise UnknownNameError("metric", metric, METRICS)
        names = (score.sequence for score in self.of(tracker))
        return dict(zip(names, self._values[tracker][metric].tolist(), strict=True))

    @cached_property
    def _values(self) -> dict[str, dict[str, Array]]:
        """Figures on all sequences (S,), of each tracker and metric."""
        return {tracker: figures(scores) for tracker, scores in self.scores.items()}

    def interval(
        self, tracker: str, metric: str = "success", *, seed: int = 0
    ) -> tuple[float, float]:
        """Return the 95 % bootstrap interval over sequences of a tracker's overall figure."""
        values = self.values(tracker, metric).values()
        return confidence_interval(list(values), weights=self._weights(tracker), seed=seed)

    def curve(self, tracker: str, metric: str = "success") -> Array:
        """Return a tracker's mean curve of `success`, `precision` or `norm_precision`."""
        curves = [getattr(score, f"{metric}_curve") for score in self.of(tracker)]
        return np.asarray(np.average(curves, axis=0, weights=self._weights(tracker)))

    def _weights(self, tracker: str) -> list[float] | None:
        """Return how much each sequence counts: as many frames as it has, or None for the same."""
        return [float(s.counted) for s in self.scores[tracker]] if self.policy.pool else None

    def compare(
        self, first: str, second: str, metric: str = "success", *, seed: int = 0
    ) -> PairedTest:
        """Compare two trackers on the sequences that both have."""
        a, b = self.values(first, metric), self.values(second, metric)
        common = [name for name in a if name in b]
        return paired_test([a[n] for n in common], [b[n] for n in common], seed=seed)

    def attributes(self, tracker: str, metric: str = "success") -> dict[str, tuple[float, int]]:
        """Return, for each challenge, a tracker's mean over its sequences and their number."""
        groups: dict[str, list[float]] = {}
        for score, value in zip(
            self.of(tracker), self.values(tracker, metric).values(), strict=True
        ):
            for attribute in score.attributes:
                groups.setdefault(attribute, []).append(value)
        return {
            name: (math.fsum(group) / len(group), len(group))
            for name, group in sorted(groups.items())
        }

    def speed(self, tracker: str) -> dict[str, float] | None:
        """Return `fps` (frames over total time) and `p50_ms`, `p95_ms` and `p99_ms` per frame.

        None if any sequence lacks times: a speed of some of them would be another figure.
        """
        scores = self.of(tracker)
        if not all(len(score.times) for score in scores):
            return None
        times = np.concatenate([score.times for score in scores])
        p50, p95, p99 = np.percentile(times, [50, 95, 99]) * 1000
        total = max(float(times.sum()), 1e-12)
        return {
            "fps": len(times) / total,
            "p50_ms": float(p50),
            "p95_ms": float(p95),
            "p99_ms": float(p99),
        }

    def title(self) -> str:
        """Return data set, protocol and number of sequences in one line."""
        title = f"{self.dataset}, {self.protocol.upper()}"
        if not self.scores:
            return title
        counts = sorted({len(scores) for scores in self.scores.values()})
        word = "sequence" if counts == [1] else "sequences"
        return f"{title}, {' or '.join(map(str, counts))} {word}"

    def summary_rows(self) -> list[list[str]]:
        """Return the header and one row of text per tracker, the best first."""
        columns, speeds = (SHOWN, ["fps"]) if self.scores else (self.columns, [])
        table = [["tracker", *columns, *speeds]]
        for name in self.trackers:
            row = [_text(self.overall[name].get(column)) for column in columns]
            if self.scores:
                speed = self.speed(name)
                row.append("-" if speed is None else f"{speed['fps']:.1f}")
            table.append([name, *row])
        return table

    def table(self) -> str:
        """Return the overall figures as aligned text, with the notes below."""
        return "\n".join([self.title(), aligned(self.summary_rows()), *self._noted()])

    def to_latex(self) -> str:
        """Return the overall figures as a LaTeX table (package booktabs)."""
        return latex(self.summary_rows(), comments=[self.title(), *self._noted()])

    def to_csv(self) -> str:
        """Return the figures of every tracker on every sequence as CSV.

        Without scores, a row without the name of a sequence has the overall figures.
        """
        lines = [line for name in self.trackers for line in self._csv_lines(name)]
        first = () if self.scores else self.columns
        names = dict.fromkeys([*first, *(name for _, _, row in lines for name in row)])
        cells = [[*key, *(row.get(name, "") for name in names)] for *key, row in lines]
        return csv_text([["tracker", "sequence", *names], *cells])

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the times of single frames, ready for JSON."""
        policy = {"policy": asdict(self.policy)} if self.scores else {}
        return {
            "dataset": self.dataset,
            "protocol": self.protocol,
            **policy,
            "notes": list(self.notes),
            "trackers": {name: self._tracker_dict(name) for name in self.trackers},
        }

    def to_json(self) -> str:
        """Return `to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=2)

    def to_html(self, path: str | Path, videos: Sequence[html.Video] = ()) -> Path:
        """Write one self-contained HTML page with plots, tables and videos, and return its path."""
        target = Path(path)
        write_text(target, self.page(videos))
        return target

    def page(self, videos: Sequence[html.Video] = ()) -> str:
        """Return the HTML page as text."""
        sections = [
            self._summary_section(),
            f'<section class="plots">{"".join(self._plots())}</section>',
            html.video_section(videos, self.trackers),
            self._comparison_section() if len(self.scores) > 1 else "",
            self._attribute_section(),
            *self._sequence_sections(),
        ]
        return html.document(self.title(), self.notes, sections)

    def _noted(self) -> list[str]:
        return [f"note: {note}" for note in self.notes]

    def _csv_lines(self, tracker: str) -> Iterator[tuple[str, str, dict[str, object]]]:
        """Yield tracker, sequence, and the figures of a line by name."""
        if not self.scores:
            rows = {"": self.overall[tracker], **self.sequences.get(tracker, {})}
            for sequence, row in rows.items():
                yield tracker, sequence, {name: round(value, 6) for name, value in row.items()}
        for score in self.scores.get(tracker, ()):
            metrics = {name: round(value, 6) for name, value in score.metrics().items()}
            fps = "" if score.fps is None else round(score.fps, 3)
            row = {"frames": score.frames, "counted": round(score.counted, 2)}
            yield tracker, score.sequence, {**row, **metrics, "fps": fps}

    def _tracker_dict(self, tracker: str) -> dict[str, Any]:
        if not self.scores:
            return {"overall": self.overall(tracker), "sequences": self.sequences.get(tracker, {})}
        low, high = self.interval(tracker)
        return {
            "overall": self.overall(tracker),
            "success_interval_95": [low, high],
            "speed": self.speed(tracker),
            "attributes": {
                name: {"success": value, "sequences": count}
                for name, (value, count) in self.attributes(tracker).items()
            },
            "sequences": {score.sequence: _score_dict(score) for score in self.of(tracker)},
        }

    def _summary_section(self) -> str:
        header, *rows = self.summary_rows()
        if self.scores:
            for row, tracker in zip(rows, self.trackers, strict=True):
                low, high = self.interval(tracker)
                row.insert(2, f"{low:.3f} to {high:.3f}")
                speed = self.speed(tracker) or {}
                times = (speed.get(key) for key in ("p50_ms", "p95_ms"))
                row += ["-" if ms is None else f"{ms:.1f}" for ms in times]
            short = {"norm_precision": "norm. precision", "sr50": "SR 0.5", "sr75": "SR 0.75"}
            header = [{**short, "ao": "AO"}.get(name, name) for name in header]
            header = [*header[:2], "95 % interval", *header[2:], "ms, median", "ms, 95 %"]
        return html.section("Overall", html.table(header, rows, swatches=True))

    def _plots(self) -> Iterator[str]:
        curves = self.curves or [
            Curve(title, x_label, "part of frames", self._lines(metric, thresholds), metric)
            for metric, (title, x_label, thresholds) in CURVES.items()
            if self.scores
        ]
        for curve in curves:
            metric = curve.metric or self.columns[0]
            values = {name: self.overall[name].get(metric, 0.0) for name in self.trackers}
            lines = []
            for name in sorted(values, key=lambda key: -values[key]):
                label, color = f"{name} [{values[name]:.3f}]", self.trackers.index(name)
                lines.append(Line(label, *curve.lines[name], color))
            yield line_plot(curve.title, curve.x_label, curve.y_label, lines)
        points = []
        for color, name in enumerate(self.scores and self.trackers):
            if speed := self.speed(name):
                label = f"{name} [{speed['fps']:.0f} frames/s]"
                x, y = (np.array([v]) for v in (speed["fps"], self.overall[name]["success"]))
                points.append(Line(label, x, y, color))
        if points:
            yield scatter_plot("Speed and success", "frames per second", "success", points)

    def _lines(self, metric: str, thresholds: Array) -> dict[str, tuple[Array, Array]]:
        return {name: (thresholds, self.curve(name, metric)) for name in self.trackers}

    def _comparison_section(self) -> str:
        first, *others = self.trackers
        rows = []
        for other in others:
            test = self.compare(first, other)
            row = [
                f"{first} - {other}",
                f"{test.difference:+.4f}",
                f"{test.low:+.4f} to {test.high:+.4f}",
                f"{test.wins} / {test.losses} / {test.ties}",
                f"{test.p_value:.3g}",
            ]
            rows.append(row)
        header = ["success", "difference", "95 % interval", "wins / losses / ties", "p (sign test)"]
        title = "The best against the others, paired by sequence"
        return html.section(title, html.table(header, rows))

    def _attribute_section(self) -> str:
        groups = {name: self.attributes(name) for name in self.trackers if name in self.scores}
        rows = []
        for name in sorted({attribute for group in groups.values() for attribute in group}):
            found = [group.get(name) for group in groups.values()]
            count = max(value[1] for value in found if value)
            rows.append([f"{name} ({count})", *(_text(value and value[0]) for value in found)])
        if not rows:
            return ""
        table = html.table(["attribute", *groups], rows, best=True, shade=True)
        return html.section("Success by attribute", table)

    def _sequence_sections(self) -> Iterator[str]:
        groups = {name: self.sequences.get(name, {}) for name in self.trackers}
        names = list(dict.fromkeys(name for group in groups.values() for name in group))
        every = (key for group in groups.values() for row in group.values() for key in row)
        columns = ["success"] if self.scores else list(dict.fromkeys(every))
        for column in columns:
            rows = [
                [name, *(_text(group.get(name, {}).get(column)) for group in groups.values())]
                for name in names
            ]
            ranks = column == self.columns[0]
            best = ranks and bool(self.scores)
            table = html.table(["sequence", *groups], rows, best=best, shade=ranks)
            title = column.capitalize() if self.scores else column
            yield html.section(f"{title} by sequence", table)


def merge(reports: Iterable[Report]) -> Report:
    """Return one report of the trackers of several reports on the same data set.

    Raises:
        ValueError: If there is none, they differ in data set, protocol or policy, or two have a
            tracker of the same name.
    """
    parts = list(reports)
    if not parts:
        raise ValueError("no report to merge: give at least one")
    first = parts[0]
    scores: dict[str, tuple[SequenceScore, ...]] = {}
    for part in parts:
        settings = (part.dataset, part.protocol, part.policy)
        if settings != (first.dataset, first.protocol, first.policy):
            raise ValueError(f"reports differ: {first.title()} and {part.title()}; merge like ones")
        if double := scores.keys() & part.scores.keys():
            raise ValueError(f"two reports have the tracker {min(double)!r}: name them differently")
        scores.update(part.scores)
    notes = tuple(dict.fromkeys(note for part in parts for note in part.notes))
    return Report(first.dataset, scores, first.protocol, first.policy, notes)


def _score_dict(score: SequenceScore) -> dict[str, Any]:
    return {
        "frames": score.frames,
        "counted": score.counted,
        **score.metrics(),
        "fps": score.fps,
        "attributes": list(score.attributes),
        "success_curve": score.success_curve.tolist(),
        "precision_curve": score.precision_curve.tolist(),
        "norm_precision_curve": score.norm_precision_curve.tolist(),
    }


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
