"""The whole benchmark, from what was asked for to the report."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
from numpy.typing import ArrayLike

from siamtrack.benchmark.alternate import relative, take_turns
from siamtrack.benchmark.choose import choose
from siamtrack.benchmark.clip import FEWEST, USUAL, Clip, decoding, open_clip, write_generated
from siamtrack.benchmark.figures import Entry, Fresh, Latency, Report, Settings
from siamtrack.benchmark.fresh import UPDATES, measure
from siamtrack.benchmark.machine import this_machine, usable_cores
from siamtrack.benchmark.targets import many_targets
from siamtrack.tracking.tracker import SiamTracker

STARTS = 3
"""Processes that are started for each tracker, fewer where there are fewer rounds."""


def run_benchmark(
    source: str = "",
    *,
    box: ArrayLike | None = None,
    trackers: Sequence[str] = (),
    peers: Path | None = None,
    threads: int = 0,
    rounds: int = 5,
    frames: int | None = None,
    targets: Sequence[int] = (),
    done: Callable[[str], None] = lambda _: None,
) -> Report:
    """Measure trackers on this machine.

    Args:
        source: Video with `box`, or folder of frames with a file of boxes; empty: a generated clip.
        box: The target in the first frame, ltwh in pixels.
        trackers: See `siamtrack.benchmark.choose.choose`; the first is the reference.
        peers: Folder with the ONNX files of other trackers.
        threads: Threads of each tracker's engine and of OpenCV; 0: one for each core.
        rounds: Passes of each tracker.
        frames: Frames of a pass; as many as there are, but at most 100, if None.
        targets: Numbers of targets that the first of our models follows at once.
        done: Called with a few words after each step.

    Raises:
        ValueError: If a number is out of range, there are fewer frames than asked for, or the box
            does not fit.
        SiamtrackError: If a tracker or the source cannot be opened.
    """
    _check(threads, rounds, targets)
    machine = this_machine()
    threads = threads or usable_cores()
    with contextlib.ExitStack() as stack:
        clip = stack.enter_context(_clip(source, box, frames))
        stack.enter_context(_opencv_threads(threads))
        chosen = choose(trackers, peers, threads)
        ours = [each for each in chosen.trackers.values() if isinstance(each, SiamTracker)]
        if targets and not ours:
            raise ValueError("--targets: none of the trackers is a model of siamtrack; add one")
        decode = [Latency.of(decoding(clip)) for _ in range(rounds)]
        fresh: dict[str, list[Fresh]] = {name: [] for name in chosen.trackers}
        updates = min(UPDATES, 10 * len(clip.frames))
        for _ in range(min(rounds, STARTS)):
            for name, spec in chosen.specs.items():
                fresh[name].append(measure(spec, clip, threads, updates))
                done(f"{name} started")
        found = take_turns(chosen.trackers, clip, rounds, lambda: done("pass"))
        reference = next(iter(found.values()))
        many = (
            many_targets(ours[0].model, clip, targets, rounds, lambda: done("targets"))
            if targets
            else ()
        )
    return Report(
        settings=Settings(
            source, tuple(chosen.specs.values()), len(clip.frames), rounds, threads, tuple(targets)
        ),
        machine=machine,
        clip=clip.name,
        size=clip.size,
        decode=tuple(decode),
        trackers=tuple(
            Entry(name, tuple(each), relative(each, reference), tuple(fresh[name]))
            for name, each in found.items()
        ),
        many=many,
        skipped=chosen.skipped,
    )


def _check(threads: int, rounds: int, targets: Sequence[int]) -> None:
    cores = usable_cores()
    if not 0 <= threads <= cores:
        raise ValueError(
            f"threads {threads}: this process may use {cores} cores; give 1 to {cores}, or 0 for "
            "all of them"
        )
    if rounds < 1:
        raise ValueError(f"rounds {rounds}: expected 1 or more")
    if bad := [count for count in targets if count < 1]:
        raise ValueError(f"targets {bad[0]}: expected numbers from 1")


@contextlib.contextmanager
def _clip(source: str, box: ArrayLike | None, frames: int | None) -> Iterator[Clip]:
    if source:
        yield open_clip(source, box, frames)
        return
    if box is not None:
        raise ValueError("a box, but no video that it belongs to: give one, or leave out the box")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "clip.mp4"
        first = write_generated(file, max(frames or USUAL, FEWEST))
        yield replace(open_clip(str(file), first, frames), name="generated clip")


@contextlib.contextmanager
def _opencv_threads(count: int) -> Iterator[None]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(count)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
