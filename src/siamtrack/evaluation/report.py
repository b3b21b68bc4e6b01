"""The report of an evaluation: figures per tracker, per sequence and overall."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from siamtrack.core.boxes import Array
from siamtrack.core.writing import write_text
from siamtrack.errors import UnknownNameError
from siamtrack.evaluation.bootstrap import PairedTest, confidence_interval, paired_test
from siamtrack.evaluation.formats import aligned, csv_text, latex
from siamtrack.evaluation.metrics import Policy
from siamtrack.evaluation.scores import METRICS, SequenceScore, figures

if TYPE_CHECKING:
    from siamtrack.evaluation.clips import Clip

SHOWN = ("success", "precision", "norm_precision", "ao", "sr50", "sr75")
"""Metrics in tables, in this order."""


@dataclass(frozen=True, eq=False)
class Report:
    """Scores of trackers on a data set; an overall figure is the mean over sequences.

    Args:
        dataset: Name of the data set.
        scores: For each tracker, its scores in the order of the data set.
        protocol: `ope`, `tre` or `sre`.
        policy: Which frames count.
        notes: What was left out or treated specially; every table carries them.

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
    """

    dataset: str
    scores: Mapping[str, tuple[SequenceScore, ...]]
    protocol: str = "ope"
    policy: Policy = field(default_factory=Policy)
    notes: tuple[str, ...] = ()

    @cached_property
    def trackers(self) -> tuple[str, ...]:
        """Names of the trackers, the best success first."""
        return tuple(sorted(self.scores, key=lambda name: -self._means[name]["success"]))

    def of(self, tracker: str) -> tuple[SequenceScore, ...]:
        """Return a tracker's scores.

        Raises:
            UnknownNameError: If the report has no such tracker.
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
        return dict(zip(names, self._figures[tracker][metric].tolist(), strict=True))

    def overall(self, tracker: str) -> dict[str, float]:
        """Return every metric as the mean over sequences, or over frames if the policy pools."""
        self.of(tracker)
        return dict(self._means[tracker])

    @cached_property
    def _figures(self) -> dict[str, dict[str, Array]]:
        """Of each tracker and metric the figures of all sequences."""
        return {tracker: figures(scores) for tracker, scores in self.scores.items()}

    @cached_property
    def _means(self) -> dict[str, dict[str, float]]:
        return {
            tracker: {
                name: float(np.average(values, weights=self._weights(tracker)))
                for name, values in rows.items()
            }
            for tracker, rows in self._figures.items()
        }

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
        counts = sorted({len(scores) for scores in self.scores.values()})
        number = " or ".join(map(str, counts))
        word = "sequence" if counts == [1] else "sequences"
        return f"{self.dataset}, {self.protocol.upper()}, {number} {word}"

    def summary_rows(self) -> list[list[str]]:
        """Return the header and one row of text per tracker, the best success first."""
        rows = [["tracker", *SHOWN, "fps"]]
        for name in self.trackers:
            overall, speed = self.overall(name), self.speed(name)
            fps = "-" if speed is None else f"{speed['fps']:.1f}"
            rows.append([name, *(f"{overall[metric]:.4f}" for metric in SHOWN), fps])
        return rows

    def table(self) -> str:
        """Return the overall figures as aligned text, with the notes below."""
        return "\n".join([self.title(), aligned(self.summary_rows()), *self._noted()])

    def to_latex(self) -> str:
        """Return the overall figures as a LaTeX table (package booktabs)."""
        return latex(self.summary_rows(), comments=[self.title(), *self._noted()])

    def to_csv(self) -> str:
        """Return the figures of every tracker on every sequence as CSV."""
        header = ["tracker", "sequence", "frames", "counted", *METRICS, "fps"]
        rows: list[list[object]] = []
        for tracker in self.trackers:
            for score in self.of(tracker):
                figures = [round(value, 6) for value in score.metrics().values()]
                fps = "" if score.fps is None else round(score.fps, 3)
                row = [tracker, score.sequence, score.frames, round(score.counted, 2)]
                rows.append([*row, *figures, fps])
        return csv_text([header, *rows])

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the times of single frames, ready for JSON."""
        return {
            "dataset": self.dataset,
            "protocol": self.protocol,
            "policy": asdict(self.policy),
            "notes": list(self.notes),
            "trackers": {name: self._tracker_dict(name) for name in self.trackers},
        }

    def to_json(self) -> str:
        """Return `to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=2)

    def to_html(self, path: str | Path, clips: Sequence[Clip] = ()) -> Path:
        """Write one self-contained HTML page with plots, tables and clips, and return its path."""
        from siamtrack.evaluation.html import page

        target = Path(path)
        write_text(target, page(self, clips))
        return target

    def _noted(self) -> list[str]:
        return [f"note: {note}" for note in self.notes]

    def _tracker_dict(self, tracker: str) -> dict[str, Any]:
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
