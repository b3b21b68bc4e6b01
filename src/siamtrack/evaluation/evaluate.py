"""Run a tracker over a data set, resumable and in parallel, and report."""

from __future__ import annotations

import logging
import re
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from siamtrack.core.files import read_rows
from siamtrack.core.owning import owning
from siamtrack.core.parallel import Workers, run_jobs
from siamtrack.core.provenance import Made, files_made, noting, to_make_again
from siamtrack.core.tracks import Tracker, TrackerFactory
from siamtrack.data.sequence import Dataset, Sequence
from siamtrack.errors import DatasetError, ResultsError
from siamtrack.evaluation.compare_results import uncounted_notes
from siamtrack.evaluation.metrics import POLICIES, Policy
from siamtrack.evaluation.protocols import PROTOCOLS, Start
from siamtrack.evaluation.report import Report
from siamtrack.evaluation.results import read_results, write_results, write_rows
from siamtrack.evaluation.run import Result, run_tracker
from siamtrack.evaluation.scores import SequenceScore, average, score_sequence

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Job:
    """One run to do: plain data, so that it can go to another process."""

    sequence: Sequence
    start: Start
    file: Path | None
    origin: int
    made: Made | None


@dataclass(frozen=True, eq=False)
class Run:
    """What a tracker did from one start of one sequence."""

    sequence: Sequence
    start: Start
    result: Result


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
        overwrite: Run again what was made otherwise, in place of an error.

    Raises:
        StaleResultsError: If results in `out` were made otherwise and `overwrite` is false.
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
        tracker, dataset, out=out, name=name, resume=resume, workers=workers, protocol=protocol,
        made=made, overwrite=overwrite,
    )  # fmt: skip
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
    jobs = [
        _Job(
            sequence, start, _file(folder, sequence, start, dataset.nested), dataset.origin,
            None if made is None else {**made, **sequence_made(sequence)},
        )
        for sequence in dataset
        for start in starts(sequence)
    ]  # fmt: skip
    with nullcontext() if folder is None else owning(folder):
        again = to_make_again([job.file for job in jobs], [job.made for job in jobs],
                               resume, overwrite)  # fmt: skip
        finished = {
            index: result
            for index, job in enumerate(jobs)
            if job.file not in again and (result := _resumed(job, resume))
        }
        todo = [index for index in range(len(jobs)) if index not in finished]
        logger.info("%s: %d runs finished, %d to do", name, len(finished), len(todo))
        for position, result in run_jobs(
            _run, tracker, [jobs[index] for index in todo], workers, _frames
        ):
            finished[todo[position]] = result
    return [Run(job.sequence, job.start, finished[index]) for index, job in enumerate(jobs)]


def sequence_made(sequence: Sequence) -> dict[str, Any]:
    """Return what tells that the frames of a sequence were changed; a few of them stand for all."""
    files = [Path(file) for file in (sequence.files or ())]
    few = [files[k] for k in sorted({0, len(files) // 2, len(files) - 1})] if files else []
    there = [file for file in few if file.is_file()]
    return {"frames": len(sequence), "source": files_made(there)}


def _frames(job: _Job) -> float:
    return float(job.start.rows(job.sequence))


def _name_of(tracker: object) -> str:
    own = getattr(tracker, "name", None) or getattr(tracker, "__name__", None)
    return own if isinstance(own, str) else type(tracker).__name__


def file_name(name: str) -> str:
    """Return a tracker's name as that of a folder."""
    return re.sub(r"[^\w.+-]+", "-", name).strip("-.") or "tracker"


def _file(folder: Path | None, sequence: Sequence, start: Start, nested: bool) -> Path | None:
    if folder is None:
        return None
    if nested:
        return folder / sequence.name / f"{sequence.name}_{int(start.label or 0) + 1:03d}.txt"
    label = f"_{start.label}" if start.label else ""
    return folder / f"{sequence.name}{label}.txt"


def _beside(job: _Job, kind: str) -> Path:
    """Return the file of times or scores; GOT-10k wants the times without the run's number."""
    file = cast(Path, job.file)
    plain = kind == "time" and not job.start.label and file.stem == f"{job.sequence.name}_001"
    return file.with_name(f"{job.sequence.name if plain else file.stem}_{kind}.txt")


def _resumed(job: _Job, resume: bool) -> Result | None:
    """Return the run's result if its files are all there and whole."""
    if job.file is None or not resume or not job.file.exists():
        return None
    try:
        result = _read(job)
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
    write_rows(_beside(job, "score"), result.scores, decimals=6)
    write_rows(_beside(job, "time"), result.times, decimals=9)
    with nullcontext() if job.made is None else noting(job.file, job.made):
        write_results(job.file, result.boxes, origin=job.origin)
    return _read(job)


def _read(job: _Job) -> Result:
    return Result(
        read_results(cast(Path, job.file), origin=job.origin, absent=True),
        read_rows(_beside(job, "score"), (1,), ResultsError)[:, 0],
        read_rows(_beside(job, "time"), (1,), ResultsError)[:, 0],
    )


def _score(sequence: Sequence, results: list[Run], policy: Policy) -> SequenceScore:
    return average(
        [
            score_sequence(
                sequence.name,
                run.result.boxes,
                run.start.truth(sequence),
                policy=policy,
                size=sequence.size,
                attributes=sequence.attributes,
                times=run.result.times[
                    np.isfinite(run.result.boxes[:, 0]) | (run.result.times > 0)
                ],
            )
            for run in results
            if run.sequence is sequence
        ]
    )


def _nan_notes(name: str, results: list[Run]) -> list[str]:
    lost = 0
    for run in results:
        first = 0 if run.start.frame is not None else run.sequence.init_frame
        lost += int(np.isnan(run.result.boxes[first:, 0]).sum())
    return [f"{name}: {lost} boxes are not finite and count as misses"] if lost else []
