"""Run a tracker on one sequence or over a data set, resumable and in parallel, and judge it."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike

from siamtrack.core.boxes import Array
from siamtrack.core.files import read_rows
from siamtrack.core.parallel import Workers, run_jobs
from siamtrack.core.provenance import Made, files_state, outdated, recording
from siamtrack.core.tracks import Estimate, Tracker, TrackerFactory
from siamtrack.core.writing import owning
from siamtrack.data.sequence import Dataset, Sequence
from siamtrack.errors import DatasetError, ResultsError
from siamtrack.evaluation.metrics import POLICIES, Policy
from siamtrack.evaluation.protocols import PROTOCOLS, Start
from siamtrack.evaluation.report import Report
from siamtrack.evaluation.results import read_results, write_results, write_rows
from siamtrack.evaluation.scores import SequenceScore, average, score_sequence, uncounted_notes

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Result:
    """One run of a tracker over N frames.

    Args:
        boxes: (N, 4) ltwh in pixels, 0-based; NaN where the tracker gave no finite box.
        scores: (N,) the tracker's own scores; NaN in the first frame.
        times: (N,) seconds of `init` (first) and of each `update`, without reading the frame.
    """

    boxes: Array
    scores: Array
    times: Array

    @property
    def fps(self) -> float:
        """Frames over total seconds."""
        return len(self.times) / max(float(self.times.sum()), 1e-12)


@dataclass(frozen=True, eq=False)
class Run:
    """What a tracker did from one start of one sequence."""

    sequence: Sequence
    start: Start
    result: Result


def run_tracker(
    tracker: Tracker, sequence: Sequence, *, start: int | None = None, box: ArrayLike | None = None
) -> Result:
    """Run a tracker once from a frame to the end, without resets (one-pass evaluation).

    Args:
        tracker: Started anew by its `init`.
        sequence: Frames and true boxes.
        start: Frame to start in; the first annotated one by default. Rows before it are NaN.
        box: Box to start with, ltwh in pixels; the true one by default. It is the first result.

    Returns:
        Result over all frames from `start`, N = len(sequence) - start. With the default start it
        covers the whole sequence, with NaN rows before the first annotated frame.

    Raises:
        ValueError: If `start` is not a frame of the sequence, or the first box is not finite.
        TypeError: If the tracker's `update` returns anything else than a box and a score.
        DatasetError: If a frame cannot be read.
    """
    first = sequence.init_frame if start is None else start
    if not 0 <= first < len(sequence):
        raise ValueError(f"start {start}: expected a frame from 0 to {len(sequence) - 1}")
    begin = np.array(sequence.boxes[first] if box is None else box, dtype=np.float64)
    if begin.shape != (4,) or not np.isfinite(begin).all():
        raise ValueError(
            f"sequence {sequence.name}: frame {first} has no box to start with; start elsewhere"
        )
    count = len(sequence) if start is None else len(sequence) - first
    offset = len(sequence) - count
    boxes = np.full((count, 4), np.nan)
    scores, times = np.full(count, np.nan), np.zeros(count)
    for index in range(first, len(sequence)):
        frame, row = sequence[index], index - offset
        clock = time.perf_counter()
        if index == first:
            tracker.init(frame, begin.copy())
            times[row] = time.perf_counter() - clock
            boxes[row] = begin
            continue
        estimate = tracker.update(frame)
        times[row] = time.perf_counter() - clock
        boxes[row], scores[row] = _box_and_score(estimate)
    _guard(boxes[first - offset :], sequence.name)
    return Result(boxes, scores, times)


def evaluate(
    tracker: Tracker | TrackerFactory,
    dataset: Dataset,
    *,
    out: str | Path | None = None,
    name: str | None = None,
    resume: bool = True,
    workers: Workers = 1,
    protocol: str = "ope",
    policy: Policy | None = None,
    made: Made | None = None,
    overwrite: bool = False,
) -> Report:
    """Run a tracker over a data set and return its report.

    Args:
        tracker: An object with `init(frame, box)` and `update(frame)`, whose result has `box` and
            `score`; or a function or class that makes one.
        dataset: Sequences with frames.
        out: Folder for raw results: `out/NAME/SEQUENCE.txt` with `SEQUENCE_time.txt` and
            `SEQUENCE_score.txt` beside it (below `out/NAME/tre` and `sre` for these protocols; for
            GOT-10k `out/NAME/SEQUENCE/SEQUENCE_001.txt`). Each file appears whole or not at all.
        name: Name of the tracker in files and tables; by default its `name` or that of its class.
        resume: Take finished sequences from `out` if they have the right length and begin with the
            right box, and run the rest. Otherwise everything runs and files are replaced.
        workers: Number of processes, or a `RayCluster`. More than 1 needs a `tracker` that is
            picklable and makes trackers, such as a class or a module's function.
        protocol: `ope`, `tre` or `sre`.
        policy: Which frames count; by default the rules of the data set.
        made: What the tracker is made of, as JSON can hold it: kept beside the results, and
            compared before they are taken again. None: nothing is compared.
        overwrite: Run again what was made differently, instead of an error.

    Raises:
        StaleResultsError: If results in `out` were made differently and `overwrite` is false.
        FolderBusyError: If another run writes to `out/NAME`.
        ValueError: If `workers` is below 1, or above 1 with a tracker object.
        UnknownNameError: If there is no such protocol.
        DatasetError: If a frame cannot be read, or the annotations are on a server; then
            `run_dataset` runs and `write_submission` packs.
    """
    if dataset.hidden:
        raise DatasetError(
            f"{dataset.name}: only the first boxes are public and a server has the others; run "
            "with run_dataset, and pack the results with write_submission"
        )
    name = name or _name_of(tracker)
    policy = policy or POLICIES[dataset.policy]
    results = run_dataset(
        tracker,
        dataset,
        out=out,
        name=name,
        resume=resume,
        workers=workers,
        protocol=protocol,
        made=made,
        overwrite=overwrite,
    )
    scores = {name: tuple(_score(sequence, results, policy) for sequence in dataset)}
    lacking = [f"the data set lacks {missing}" for missing in dataset.missing]
    notes = (*lacking, *uncounted_notes(scores), *_nan_notes(name, results))
    return Report(dataset.name, scores, protocol, policy, notes)


def run_dataset(
    tracker: Tracker | TrackerFactory,
    dataset: Dataset,
    *,
    out: str | Path | None = None,
    name: str | None = None,
    resume: bool = True,
    workers: Workers = 1,
    protocol: str = "ope",
    made: Made | None = None,
    overwrite: bool = False,
) -> list[Run]:
    """Run a tracker over a data set without judging it; the arguments are those of `evaluate`.

    Returns:
        Every run of every sequence in order, as written in the files.
    """
    starts = PROTOCOLS[protocol]
    name = name or _name_of(tracker)
    folder = None if out is None else Path(out) / file_name(name)
    if folder is not None and protocol != "ope":
        folder /= protocol
    # Plan the runs: each start of each sequence, with the file that will hold its boxes.
    jobs = [
        _Job(
            sequence,
            _file(folder, sequence, start, dataset.nested),
            None if made is None else {**made, **sequence_made(sequence)},
            start,
            dataset.origin,
        )
        for sequence in dataset
        for start in starts(sequence)
    ]
    results = run_resumable(
        _run, tracker, jobs, _resumed, folder, workers, resume, overwrite, _frames
    )
    return [Run(job.sequence, job.start, result) for job, result in zip(jobs, results, strict=True)]


@dataclass(frozen=True, eq=False)
class Job:
    """One run to do, as plain data for other processes; `file` None: its result stays in memory."""

    sequence: Sequence
    file: Path | None
    made: Made | None


J = TypeVar("J", bound=Job)
R = TypeVar("R")


def run_resumable(
    work: Callable[[Any, J], R],
    tracker: Tracker | TrackerFactory,
    jobs: list[J],
    finished: Callable[[J], R | None],
    folder: Path | None,
    workers: Workers,
    resume: bool,
    overwrite: bool,
    cost: Callable[[J], float] | None = None,
) -> list[R]:
    """Return the results of jobs in order; those whose files are finished are read.

    Args:
        work: Does one job with a tracker, and writes its file; must be picklable for `workers`.
        tracker: A tracker, or what makes one.
        jobs: What to do.
        finished: Reads the result of a job whose file exists; None if it is to be made again.
        folder: Where the files are; one process at a time writes to it.
        workers: As for `evaluate`, like `resume` and `overwrite`.
        resume: Whether finished results are read at all.
        overwrite: Whether results that were made differently are made again, instead of an error.
        cost: Estimates the duration of a job, so that long ones begin first.
    """
    with nullcontext() if folder is None else owning(folder):
        # Read what is finished, unless it was made differently.
        files = [job.file for job in jobs]
        again = outdated(files, [job.made for job in jobs], resume, overwrite)
        done: dict[int, R] = {}
        for index, job in enumerate(jobs):
            if not resume or job.file is None or job.file in again or not job.file.exists():
                continue
            if (result := finished(job)) is not None:
                done[index] = result
        # Run the rest.
        todo = [index for index in range(len(jobs)) if index not in done]
        logger.info("%s: %d runs finished, %d to do", folder or "memory", len(done), len(todo))
        for position, result in run_jobs(work, tracker, [jobs[k] for k in todo], workers, cost):
            done[todo[position]] = result
    return [done[index] for index in range(len(jobs))]


def sequence_made(sequence: Sequence) -> dict[str, Any]:
    """Return what tells that the frames of a sequence were changed; a few of them stand for all."""
    files = [Path(file) for file in (sequence.files or ())]
    few = [files[k] for k in sorted({0, len(files) // 2, len(files) - 1})] if files else []
    there = [file for file in few if file.is_file()]
    return {"frames": len(sequence), "source": files_state(there)}


def file_name(name: str) -> str:
    """Return a tracker's name as that of a folder."""
    return re.sub(r"[^\w.+-]+", "-", name).strip("-.") or "tracker"


@dataclass(frozen=True, eq=False)
class _Job(Job):
    start: Start
    origin: int

    def beside(self, kind: str) -> Path:
        """Return the file of times or scores; GOT-10k wants the times without the run's number."""
        file = cast(Path, self.file)
        plain = kind == "time" and not self.start.label and file.stem == f"{self.sequence.name}_001"
        return file.with_name(f"{self.sequence.name if plain else file.stem}_{kind}.txt")

    def read(self) -> Result:
        """Return the result in the files."""
        return Result(
            read_results(cast(Path, self.file), origin=self.origin, absent=True),
            read_rows(self.beside("score"), (1,), ResultsError)[:, 0],
            read_rows(self.beside("time"), (1,), ResultsError)[:, 0],
        )


def _frames(job: _Job) -> float:
    return float(job.start.rows(job.sequence))


def _name_of(tracker: object) -> str:
    own = getattr(tracker, "name", None) or getattr(tracker, "__name__", None)
    return own if isinstance(own, str) else type(tracker).__name__


def _file(folder: Path | None, sequence: Sequence, start: Start, nested: bool) -> Path | None:
    if folder is None:
        return None
    if nested:
        return folder / sequence.name / f"{sequence.name}_{int(start.label or 0) + 1:03d}.txt"
    label = f"_{start.label}" if start.label else ""
    return folder / f"{sequence.name}{label}.txt"


def _resumed(job: _Job) -> Result | None:
    """Return the run's result if its files are all there and whole."""
    try:
        result = job.read()
    except ResultsError as reason:
        logger.warning("%s: is run again (%s)", job.file, reason)
        return None
    rows = job.start.rows(job.sequence)
    if {len(result.boxes), len(result.scores), len(result.times)} != {rows}:
        logger.warning("%s: has not %d rows and is run again", job.file, rows)
        return None
    first, box = job.start.begin(job.sequence)
    if not np.allclose(result.boxes[first], box, atol=1e-3):
        logger.warning("%s: began with another box and is run again", job.file)
        return None
    return result


def _run(tracker: Tracker, job: _Job) -> Result:
    """Run, and write the boxes last: their file marks the run as finished.

    What is written is what is evaluated: a resumed run has the same figures to the last digit.
    """
    try:
        result = run_tracker(tracker, job.sequence, start=job.start.frame, box=job.start.box)
    except Exception:
        logger.error("%s: the run failed; finished sequences are kept", job.sequence.name)
        raise
    if job.file is None:
        return result
    write_rows(job.beside("score"), result.scores, decimals=6)
    write_rows(job.beside("time"), result.times, decimals=9)
    with nullcontext() if job.made is None else recording(job.file, job.made):
        write_results(job.file, result.boxes, origin=job.origin)
    return job.read()


def _score(sequence: Sequence, results: list[Run], policy: Policy) -> SequenceScore:
    scores = []
    for run in results:
        if run.sequence is sequence:
            result = run.result
            ran = np.isfinite(result.boxes[:, 0]) | (result.times > 0)
            score = score_sequence(
                sequence.name,
                result.boxes,
                run.start.truth(sequence),
                policy=policy,
                size=sequence.size,
                attributes=sequence.attributes,
                times=result.times[ran],
            )
            scores.append(score)
    return average(scores)


def _nan_notes(name: str, results: list[Run]) -> list[str]:
    lost = 0
    for run in results:
        first = 0 if run.start.frame is not None else run.sequence.init_frame
        lost += int(np.isnan(run.result.boxes[first:, 0]).sum())
    return [f"{name}: {lost} boxes are not finite and count as misses"] if lost else []


def _box_and_score(estimate: Estimate) -> tuple[Array, float]:
    try:
        box, score = np.asarray(estimate.box, dtype=np.float64), float(estimate.score)
    except (AttributeError, TypeError, ValueError) as reason:
        raise TypeError(
            f"update returned {estimate!r}: expected an object with box and score ({reason})"
        ) from reason
    if box.shape != (4,):
        raise TypeError(f"update returned a box of shape {box.shape}: expected (4,)")
    return box, score


def _guard(boxes: Array, name: str) -> None:
    """Turn boxes with any value that is not finite into NaN rows, and say so once."""
    bad = np.asarray(~np.isfinite(boxes).all(axis=1))
    boxes[bad] = np.nan
    if bad.any():
        logger.warning(
            "%s: %d of %d boxes are not finite and count as misses", name, bad.sum(), len(bad)
        )
