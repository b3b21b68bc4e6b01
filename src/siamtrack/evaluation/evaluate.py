"""Run a tracker over a data set, resumable and in parallel, and report."""

from __future__ import annotations

import logging
import multiprocessing
import re
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from siamtrack.data.sequence import Dataset, Sequence
from siamtrack.data.text import read_rows
from siamtrack.errors import ResultsError
from siamtrack.evaluation.compare_results import uncounted_notes
from siamtrack.evaluation.metrics import Policy
from siamtrack.evaluation.protocols import PROTOCOLS, Start
from siamtrack.evaluation.report import Report
from siamtrack.evaluation.results import read_results, write_results, write_rows
from siamtrack.evaluation.run import Result, Runnable, TrackerFactory, run_tracker
from siamtrack.evaluation.scores import SequenceScore, average, score_sequence

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Job:
    """One run to do: plain data, so that it can go to another process."""

    sequence: Sequence
    start: Start
    file: Path | None
    origin: int


def evaluate(
    tracker: Runnable | TrackerFactory,
    dataset: Dataset,
    *,
    out: str | Path | None = None,
    name: str | None = None,
    resume: bool = True,
    workers: int = 1,
    protocol: str = "ope",
    policy: Policy | None = None,
) -> Report:
    """Run a tracker over a data set and return its report.

    Args:
        tracker: An object with `init(frame, box)` and `update(frame)`, whose result has `box` and
            `score`; or a function or class that makes one.
        dataset: Sequences with frames.
        out: Folder for raw results: `out/NAME/SEQUENCE.txt` with `SEQUENCE_time.txt` and
            `SEQUENCE_score.txt` beside it (below `out/NAME/tre` and `sre` for these protocols).
            Each file appears whole or not at all.
        name: Name of the tracker in files and tables; by default its `name` or that of its class.
        resume: Take finished sequences from `out` if they have the right length and begin with the
            right box, and run the rest. Otherwise everything runs and files are replaced.
        workers: Number of processes. More than 1 needs a `tracker` that is picklable and makes
            trackers, such as a class or a module's function.
        protocol: `ope`, `tre` or `sre`.
        policy: Which frames count.

    Raises:
        ValueError: If `workers` is below 1, or above 1 with a tracker object.
        UnknownNameError: If there is no such protocol.
        DatasetError: If a frame cannot be read.
    """
    starts = PROTOCOLS[protocol]
    ready = hasattr(tracker, "init") and hasattr(tracker, "update")
    is_factory = isinstance(tracker, type) or not ready
    if workers < 1 or (workers > 1 and not is_factory):
        raise ValueError(
            f"workers {workers}: expected at least 1, and above 1 a class or function that makes "
            "trackers, because a tracker object cannot be shared between processes"
        )
    name = name or _name_of(tracker)
    folder = None if out is None else Path(out) / _file_name(name)
    if folder is not None and protocol != "ope":
        folder /= protocol
    jobs = [
        _Job(sequence, start, _file(folder, sequence, start), dataset.origin)
        for sequence in dataset
        for start in starts(sequence)
    ]
    finished = {
        index: result for index, job in enumerate(jobs) if (result := _resumed(job, resume))
    }
    todo = [index for index in range(len(jobs)) if index not in finished]
    logger.info("%s: %d runs finished, %d to do", name, len(finished), len(todo))
    if workers == 1 and todo:
        instance = cast(TrackerFactory, tracker)() if is_factory else cast(Runnable, tracker)
        finished.update((index, _run(instance, jobs[index])) for index in todo)
    elif todo:
        finished.update(_in_processes(cast(TrackerFactory, tracker), jobs, todo, workers))
    policy = policy or Policy()
    results = [(job, finished[index]) for index, job in enumerate(jobs)]
    scores = {name: tuple(_score(sequence, results, policy) for sequence in dataset)}
    lacking = [f"the data set lacks {missing}" for missing in dataset.missing]
    notes = (*lacking, *uncounted_notes(scores), *_nan_notes(name, results))
    return Report(dataset.name, scores, protocol, policy, notes)


def _name_of(tracker: object) -> str:
    own = getattr(tracker, "name", None) or getattr(tracker, "__name__", None)
    return own if isinstance(own, str) else type(tracker).__name__


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.+-]+", "-", name).strip("-.") or "tracker"


def _file(folder: Path | None, sequence: Sequence, start: Start) -> Path | None:
    label = f"_{start.label}" if start.label else ""
    return None if folder is None else folder / f"{sequence.name}{label}.txt"


def _beside(file: Path, kind: str) -> Path:
    return file.with_name(f"{file.stem}_{kind}.txt")


def _resumed(job: _Job, resume: bool) -> Result | None:
    """Return the run's result if its files are all there and whole."""
    if job.file is None or not resume or not job.file.exists():
        return None
    try:
        result = _read(job.file, job.origin)
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


def _run(tracker: Runnable, job: _Job) -> Result:
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
    write_rows(_beside(job.file, "score"), result.scores, decimals=6)
    write_rows(_beside(job.file, "time"), result.times, decimals=9)
    write_results(job.file, result.boxes, origin=job.origin)
    return _read(job.file, job.origin)


def _read(file: Path, origin: int) -> Result:
    return Result(
        read_results(file, origin=origin, absent=True),
        read_rows(_beside(file, "score"), (1,), ResultsError)[:, 0],
        read_rows(_beside(file, "time"), (1,), ResultsError)[:, 0],
    )


def _run_in_process(factory: TrackerFactory, job: _Job) -> Result:
    cv2.setNumThreads(1)
    return _run(factory(), job)


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _in_processes(
    factory: TrackerFactory, jobs: list[_Job], todo: list[int], workers: int
) -> Iterator[tuple[int, Result]]:
    with _pool(min(workers, len(todo))) as pool:
        futures = {pool.submit(_run_in_process, factory, jobs[index]): index for index in todo}
        for future in as_completed(futures):
            yield futures[future], future.result()


def _score(sequence: Sequence, results: list[tuple[_Job, Result]], policy: Policy) -> SequenceScore:
    return average(
        [
            score_sequence(
                sequence.name,
                result.boxes,
                job.start.truth(sequence),
                policy=policy,
                attributes=sequence.attributes,
                times=result.times[np.isfinite(result.boxes[:, 0]) | (result.times > 0)],
            )
            for job, result in results
            if job.sequence is sequence
        ]
    )


def _nan_notes(name: str, results: list[tuple[_Job, Result]]) -> list[str]:
    lost = 0
    for job, result in results:
        first = 0 if job.start.frame is not None else job.sequence.init_frame
        lost += int(np.isnan(result.boxes[first:, 0]).sum())
    return [f"{name}: {lost} boxes are not finite and count as misses"] if lost else []
