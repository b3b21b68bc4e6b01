"""The figures of a benchmark: their shape, their JSON and their table."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from siamtrack.benchmark.machine import Machine
from siamtrack.core.config import from_dict, parse_json, to_dict
from siamtrack.core.files import text_of
from siamtrack.evaluation.report.html import aligned
from siamtrack.runtimes.engines import known_rows, processor_kind

STAGES = ("crop", "network", "post")
"""From the frame to the patches; the search graph and the refiner's; from the response to the
track, with the online classifier."""
HEAD = [
    "",
    "p50 ms",
    "p95 ms",
    "share",
    "ratio",
    "frames/s",
    "cpu ms",
    "start ms",
    "memory MB",
    "growth MB",
    "threads",
]


@dataclass(frozen=True)
class Latency:
    """Milliseconds: half of all calls took at most `p50`, nineteen of twenty at most `p95`."""

    p50: float
    p95: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Latency:
        """Return the percentiles of durations, with linear interpolation.

        Example:
            >>> Latency.of([0.001, 0.002, 0.003])
            Latency(p50=2.0, p95=2.9)
        """
        p50, p95 = np.percentile(seconds, [50, 95]) * 1000
        return cls(round(float(p50), 4), round(float(p95), 4))


def middle(latencies: Sequence[Latency]) -> Latency:
    """Return the median of each percentile."""
    return Latency(
        statistics.median(each.p50 for each in latencies),
        statistics.median(each.p95 for each in latencies),
    )


@dataclass(frozen=True)
class Round:
    """One pass of a tracker over the clip; `start_ms` is `init` on the first frame.

    Attributes:
        fps: Updates over their total time, which the slow ones pull down.
        processor_ms: Processor time of all threads per update, also while they wait busily.
        stages: Parts of an update by name; empty for the trackers of others.
        outside: Share of an update that is not the network's; None for the trackers of others.
    """

    update: Latency
    fps: float
    processor_ms: float
    start_ms: float
    stages: dict[str, Latency] = field(default_factory=dict)
    outside: float | None = None


@dataclass(frozen=True)
class Fresh:
    """What a tracker costs in a process of its own; None where the system does not tell.

    Attributes:
        load_ms: Making the tracker, with its files in the system's cache.
        first_box_ms: `init` and the first `update`.
        total_ms: From the start of the process to the first box.
        peak_mb: Most memory that was resident, frames not counted.
        growth_mb: Growth of resident memory over `updates` further updates.
    """

    import_ms: float
    load_ms: float
    first_box_ms: float
    total_ms: float
    peak_mb: float | None
    growth_mb: float | None
    updates: int
    threads: int | None


@dataclass(frozen=True)
class Measured:
    """A tracker: its rounds, and the median over them of p50 relative to the first tracker's."""

    name: str
    rounds: tuple[Round, ...]
    ratio: float
    fresh: tuple[Fresh, ...] = ()

    @property
    def update(self) -> Latency:
        """Medians over the rounds."""
        return middle([each.update for each in self.rounds])

    def stage(self, name: str) -> Latency:
        """Medians over the rounds."""
        return middle([each.stages[name] for each in self.rounds])

    def median(self, name: str) -> float | None:
        """Return the median of a field of `Round` or `Fresh`; None where it is not known."""
        rows: Sequence[Round | Fresh] = self.rounds if hasattr(self.rounds[0], name) else self.fresh
        values = [value for row in rows if (value := getattr(row, name)) is not None]
        return statistics.median(values) if values else None


@dataclass(frozen=True)
class Many:
    """Several targets in one tracker, against as many trackers: milliseconds a frame, by round.

    `ratio` is the median over the rounds of together / apart; below 1 the batch is faster.
    """

    targets: int
    together_ms: tuple[float, ...]
    apart_ms: tuple[float, ...]
    ratio: float


@dataclass(frozen=True)
class Settings:
    """What was asked for; the first of `trackers` is the reference.

    `source` is empty for generated frames; `targets` are numbers of targets to follow at once.
    """

    source: str
    trackers: tuple[str, ...]
    frames: int
    rounds: int
    threads: int
    targets: tuple[int, ...] = ()


@dataclass(frozen=True)
class Benchmark:
    """Everything that was measured, with what was asked for, where it ran, and who was skipped."""

    settings: Settings
    machine: Machine
    clip: str
    size: tuple[int, int]
    decode: tuple[Latency, ...]
    trackers: tuple[Measured, ...]
    many: tuple[Many, ...] = ()
    skipped: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Return everything as JSON text."""
        return json.dumps(to_dict(self), indent=1) + "\n"


def read_report(path: Path) -> Benchmark:
    """Read what `Benchmark.to_json` wrote.

    Raises:
        ValueError: If the file is no report.
        OSError: If it cannot be read.
    """
    try:
        return from_dict(Benchmark, parse_json(text_of(path)))
    except (TypeError, LookupError, ValueError) as reason:
        raise ValueError(f"{path} is no report of siamtrack bench ({reason})") from reason


def table(report: Benchmark) -> str:
    """Return what was measured on one line, one table, and what to know about it."""
    rows = [HEAD]
    for entry in report.trackers:
        rows += [_tracker(entry), *_stages(entry)]
    rows.append(_row("decode", middle(report.decode)))
    return "\n".join([_title(report), aligned(rows), *_many(report), *_notes(report)])


def _title(report: Benchmark) -> str:
    settings, machine = report.settings, report.machine
    width, height = report.size
    return (
        f"{report.clip}: {settings.frames} frames of {width}x{height}, rounds in turn: "
        f"{settings.rounds}, threads: {settings.threads}; {machine.processor}, cores: "
        f"{machine.cores}"
    )


def _tracker(entry: Measured) -> list[str]:
    latency = entry.update
    formats = {
        "fps": ".0f",
        "processor_ms": ".1f",
        "total_ms": ".0f",
        "peak_mb": ".0f",
        "growth_mb": "+.1f",
        "threads": ".0f",
    }
    rest = (_text(entry.median(name), form) for name, form in formats.items())
    p50, p95 = f"{latency.p50:.2f}", f"{latency.p95:.2f}"
    return _cells(entry.name, p50, p95, "", f"{entry.ratio:.2f}", *rest)


def _stages(entry: Measured) -> Iterator[list[str]]:
    outside = entry.median("outside")
    if outside is None:
        return
    for name in STAGES:
        latency = entry.stage(name)
        yield _row(f"  {name}", latency, f"{latency.p50 / entry.update.p50:.1%}")
    yield _cells("  outside the network", share=f"{outside:.1%}")


def _many(report: Benchmark) -> Iterator[str]:
    if not report.many:
        return
    rows = [["targets at once", "one tracker, ms", "as many trackers, ms", "ratio"]]
    for each in report.many:
        times = (f"{statistics.median(ms):.2f}" for ms in (each.together_ms, each.apart_ms))
        rows.append([str(each.targets), *times, f"{each.ratio:.2f}"])
    yield aligned(rows)


def _row(name: str, latency: Latency, share: str = "") -> list[str]:
    return _cells(name, f"{latency.p50:.2f}", f"{latency.p95:.2f}", share)


def _cells(
    name: str, p50: str = "", p95: str = "", share: str = "", ratio: str = "", *rest: str
) -> list[str]:
    cells = [name, p50, p95, share, ratio, *rest]
    return cells + [""] * (len(HEAD) - len(cells))


def _text(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _notes(report: Benchmark) -> Iterator[str]:
    if report.machine.busy:
        yield (
            f"note: a load of {report.machine.load:g} on {report.machine.cores} cores before the "
            "start: milliseconds are too long, and with a thread for each core ratios are off as "
            "well; measure again on a quiet machine"
        )
    kind = processor_kind()
    if kind not in {row.processor for row in known_rows()}:
        yield (
            f"note: no engine was measured on processors of this kind ({kind or 'unknown'}), so "
            "that `--runtime auto` is onnx: `siamtrack bench --engines` measures what is installed"
        )
    for line in report.skipped:
        yield f"skipped {line}"
