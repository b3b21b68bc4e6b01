"""Run trackers by VOT's protocols, or read their raw results, and report."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from siamtrack.core.boxes import Array
from siamtrack.core.parallel import Workers
from siamtrack.core.provenance import Made, recording
from siamtrack.core.tracks import Tracker, TrackerFactory
from siamtrack.data.sequence import Dataset, Sequence
from siamtrack.errors import ResultsError
from siamtrack.evaluation.report import Curve, Report
from siamtrack.evaluation.run import Job, run_resumable, sequence_made
from siamtrack.evaluation.vot import files, multistart, supervised
from siamtrack.evaluation.vot.multistart import AnchorRun, run_anchor
from siamtrack.evaluation.vot.supervised import SupervisedRun, run_supervised

logger = logging.getLogger(__name__)

SUPERVISED, MULTISTART = "vot", "vot-multistart"
INTERVALS = {
    **dict.fromkeys(("VOT2015", "VOT2016"), (108, 371)),
    **dict.fromkeys(("VOT2017", "VOT2018"), (100, 356)),
    "VOT2019": (46, 291),
    **dict.fromkeys(("VOT2020", "VOT2021", "VOT2022"), (115, 755)),
}
"""Lengths over which EAO averages; each year has its own."""


VotRun = SupervisedRun | AnchorRun


@dataclass(frozen=True, eq=False)
class _Job(Job):
    anchor: tuple[int, int] | None


def evaluate_vot(
    trackers: Mapping[str, Tracker | TrackerFactory | Path],
    dataset: Dataset,
    *,
    protocol: str = SUPERVISED,
    out: str | Path | None = None,
    workers: Workers = 1,
    resume: bool = True,
    interval: tuple[int, int] | None = None,
    made: Mapping[str, Made] | None = None,
    overwrite: bool = False,
) -> Report:
    """Evaluate trackers by `vot` (supervised) or `vot-multistart` (from anchors).

    Args:
        trackers: By name: a tracker, something that makes one, or the folder of its raw results,
            which holds `baseline`.
        dataset: Sequences, with polygons where the benchmark has them.
        protocol: Which.
        out: Folder for raw results; finished runs in it are not run again.
        workers: Number of processes.
        resume: Use what is in `out`.
        interval: Shortest and longest sequence over which EAO averages; the year's by default.
            Without either, EAO is left out.
        made: What each tracker is made of, by name, as for `siamtrack.evaluation.run`.
        overwrite: Run again what was made differently.

    Returns:
        Report with EAO, accuracy, and robustness (multi-start: part of frames tracked; supervised:
        failures, and failures per 100 frames, lower is better). The curve of the expected overlap
        ends with the longest run, as the toolkit's does.

    Raises:
        ValueError: If the protocol is neither, or `workers` does not fit.
        ResultsError: If raw results are missing or damaged.
    """
    if protocol not in (SUPERVISED, MULTISTART):
        raise ValueError(f"protocol {protocol!r}: expected {SUPERVISED} or {MULTISTART}")
    interval = interval or INTERVALS.get(dataset.name)
    overall, rows, curves = {}, {}, {}
    for name, tracker in trackers.items():
        root = tracker if isinstance(tracker, Path) else None if out is None else Path(out) / name
        folder = None if root is None else root / files.BASELINE
        jobs = [job for sequence in dataset for job in _jobs(sequence, protocol, folder)]
        if isinstance(tracker, Path):
            jobs = [again for job in jobs for again in _repetitions(job)]
            runs = [_read(job) for job in jobs]
        else:
            if made is not None:
                own = made[name]
                jobs = [replace(j, made={**own, **sequence_made(j.sequence)}) for j in jobs]
            runs = run_resumable(
                _work, tracker, jobs, _finished, folder, workers, resume, overwrite
            )
        summarize = _supervised if protocol == SUPERVISED else _multistart
        overall[name], rows[name], curves[name] = summarize(jobs, runs, dataset, interval)
    lines = {name: (np.arange(len(y), dtype=np.float64), y) for name, y in curves.items()}
    title, x_label = "Expected overlap", "frames after the start"
    plot = Curve(title, x_label, "expected average overlap", lines)
    longest = len(next(iter(curves.values())))
    notes = [f"the data set lacks {missing}" for missing in dataset.missing]
    if interval is None:
        notes.append("no EAO: the data set has no interval of lengths of its own; give one")
    elif interval[0] > longest:
        notes.append(f"no EAO: no sequence has {interval[0]} frames")
    return Report(
        dataset.name,
        protocol=protocol,
        notes=tuple(notes),
        figures=overall,
        rows=rows,
        curves=(plot,),
    )


def _jobs(sequence: Sequence, protocol: str, folder: Path | None) -> list[_Job]:
    if protocol == SUPERVISED:
        file = None if folder is None else folder / sequence.name / f"{sequence.name}_001.txt"
        return [_Job(sequence, file, None, anchor=None)]
    return [
        _Job(sequence, folder and files.anchor_file(folder, sequence, anchor[0]), None, anchor)
        for anchor in multistart.anchors_of(sequence)
    ]


def _repetitions(job: _Job) -> list[_Job]:
    """Return a job for each repetition of a supervised run that is there, at least the first."""
    if job.anchor is not None or job.file is None:
        return [job]
    found = files.supervised_files(job.file.parent.parent, job.sequence)
    return [replace(job, file=file) for file in found or [job.file]]


def _finished(job: _Job) -> VotRun | None:
    try:
        return _read(job)
    except ResultsError as reason:
        logger.warning("%s: is run again (%s)", job.file, reason)
        return None


def _work(tracker: Tracker, job: _Job) -> VotRun:
    """Run; what is written is what is evaluated."""
    run: VotRun
    if job.anchor is None:
        run = run_supervised(tracker, job.sequence)
    else:
        run = run_anchor(tracker, job.sequence, *job.anchor)
    if job.file is None:
        return run
    with nullcontext() if job.made is None else recording(job.file, job.made):
        files.write_run(job.file, run)
    return _read(job)


def _read(job: _Job) -> VotRun:
    if job.file is None:
        raise ResultsError(f"{job.sequence.name}: no file to read")
    file = files.existing(job.file)
    if job.anchor is None:
        return files.read_supervised(file, job.sequence)
    return files.read_anchor(file, job.sequence, *job.anchor)


_Summary = tuple[dict[str, float], dict[str, dict[str, float]], Array]


def _supervised(
    jobs: list[_Job],
    runs: list[VotRun],
    dataset: Dataset,
    interval: tuple[int, int] | None,
) -> _Summary:
    every = zip(runs, jobs, strict=True)
    pairs = [(run, job.sequence) for run, job in every if isinstance(run, SupervisedRun)]
    rows = {}
    for sequence in dataset:
        own = [pair for pair in pairs if pair[1] is sequence]
        failures = float(np.mean([run.failures for run, _ in own]))
        rows[sequence.name] = {
            "accuracy": float(np.mean([supervised.accuracy([pair]) for pair in own])),
            "failures": failures,
            "failures/100": 100 * failures / len(sequence),
        }
    parts = [part for pair in pairs for part in supervised.fragments(*pair)]
    curve = supervised.expected_overlap_curve(parts, max(len(part) for part, _ in parts))
    overall = {
        "accuracy": _weighted(rows, "accuracy", dataset),
        "failures": float(np.mean([row["failures"] for row in rows.values()])),
        "failures/100": _weighted(rows, "failures/100", dataset),
    }
    if interval is not None:
        eao = supervised.expected_average_overlap(curve, *interval)
        overall = {"EAO": eao, **overall} if np.isfinite(eao) else overall
    return overall, rows, curve


def _weighted(rows: dict[str, dict[str, float]], figure: str, dataset: Dataset) -> float:
    """Return the mean of a figure over sequences, each weighing as many frames as it has."""
    lengths = [len(sequence) for sequence in dataset]
    values = [rows[sequence.name][figure] for sequence in dataset]
    return float(np.average(values, weights=lengths))


def _multistart(
    jobs: list[_Job],
    runs: list[VotRun],
    dataset: Dataset,
    interval: tuple[int, int] | None,
) -> _Summary:
    parts: dict[str, list[Array]] = {}
    for job, run in zip(jobs, runs, strict=True):
        if isinstance(run, AnchorRun):
            overlap = multistart.anchor_overlaps(run, job.sequence)
            parts.setdefault(job.sequence.name, []).append(overlap)
    rows, tracked = {}, []
    for name, overlaps in parts.items():
        accuracy, robustness, count = multistart.accuracy_robustness(overlaps)
        rows[name] = {"accuracy": accuracy, "robustness": robustness}
        tracked.append(count)
    # without any tracked frame the accuracy of all sequences is 0
    weights = tracked if any(tracked) else None
    overall = {
        "accuracy": float(np.average([row["accuracy"] for row in rows.values()], weights=weights)),
        "robustness": _weighted(rows, "robustness", dataset),
    }
    every = [part for group in parts.values() for part in group]
    curve = multistart.expected_overlap_curve(every, max(map(len, every)))
    if interval is not None:
        long = multistart.expected_overlap_curve(every, max(interval[1], len(curve)))
        eao = multistart.expected_average_overlap(long, *interval)
        overall = {"EAO": eao, **overall} if np.isfinite(eao) else overall
    return overall, rows, curve
