"""The whole benchmark, from what was asked for to the report."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
from numpy.typing import ArrayLike

from siamtrack.benchmark.figures import Benchmark, Fresh, Latency, Many, Measured, Settings
from siamtrack.benchmark.footage import (
    FEWEST,
    USUAL,
    Footage,
    decoding,
    open_footage,
    write_generated,
)
from siamtrack.benchmark.fresh import UPDATES, measure
from siamtrack.benchmark.latency import many_targets, relative, take_turns
from siamtrack.benchmark.machine import this_machine
from siamtrack.core.config import shown
from siamtrack.core.tracks import Tracker
from siamtrack.errors import SiamtrackError
from siamtrack.evaluation import open_tracker
from siamtrack.packages.card import packaged_names
from siamtrack.runtimes.engines import cores as usable_cores
from siamtrack.tracking.tracker import SiamTracker

MOST = 1_000_000
"""Rounds, frames and targets that may be asked for."""
STARTS = 3
"""Processes that are started for each tracker, fewer where there are fewer rounds."""

OPENCV = ("opencv:kcf", "opencv:csrt", "opencv:mil")
PEERS = {
    "nanotrack-v2": "nanotrack_v2",
    "nanotrack-v3": "nanotrack_v3",
    "fear-xs": "fear_xs",
    "lightfc": "lightfc",
    "vittrack": "vittrack",
}
"""Tracker to the folder in which its ONNX files are looked for."""


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
) -> Benchmark:
    """Measure trackers on this machine.

    Args:
        source: Video with `box`, or folder of frames with a file of boxes; empty: a generated clip.
        box: The target in the first frame, ltwh in pixels.
        trackers: See `choose`; the first is the reference.
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
    _check(threads, rounds, frames, targets)
    machine = this_machine()
    threads = threads or usable_cores()
    with contextlib.ExitStack() as stack:
        # Open the frames and make the trackers.
        footage = stack.enter_context(_footage(source, box, frames))
        stack.enter_context(_opencv_threads(threads))
        chosen = choose(trackers, peers, threads)
        ours = [each for each in chosen.trackers.values() if isinstance(each, SiamTracker)]
        if targets and not ours:
            raise ValueError("--targets: none of the trackers is a model of siamtrack; add one")
        # Time the decoder, then each tracker in new processes.
        decode = [Latency.of(decoding(footage)) for _ in range(rounds)]
        fresh: dict[str, list[Fresh]] = {name: [] for name in chosen.trackers}
        updates = min(UPDATES, 10 * len(footage.frames))
        for _ in range(min(rounds, STARTS)):
            for name, spec in chosen.specs.items():
                fresh[name].append(measure(spec, footage, threads, updates))
                done(f"{name} started")
        # Let all trackers take turns here, and one model follow many targets.
        found = take_turns(chosen.trackers, footage, rounds, lambda: done("pass"))
        many: tuple[Many, ...] = ()
        if targets:
            many = many_targets(ours[0].model, footage, targets, rounds, lambda: done("targets"))
    specs, reference = tuple(chosen.specs.values()), next(iter(found.values()))
    settings = Settings(source, specs, len(footage.frames), rounds, threads, tuple(targets))
    return Benchmark(
        settings=settings,
        machine=machine,
        clip=footage.name,
        size=footage.size,
        decode=tuple(decode),
        trackers=tuple(
            Measured(name, tuple(each), relative(each, reference), tuple(fresh[name]))
            for name, each in found.items()
        ),
        many=many,
        skipped=chosen.skipped,
    )


@dataclass(frozen=True)
class Chosen:
    """Trackers by name, how each is called on the command line, and what is missing."""

    trackers: dict[str, Tracker]
    specs: dict[str, str]
    skipped: tuple[str, ...]


def choose(asked: Sequence[str], peers: Path | None, threads: int) -> Chosen:
    """Make the trackers asked for as `siamtrack eval --tracker` takes them.

    If there are none: the models in the package, those of OpenCV's trackers that are installed, and
    those of `peers`, a folder with the ONNX files of each in a folder of its own.

    Raises:
        UnknownNameError: If no tracker has a name that was asked for.
        SiamtrackError: If one that was asked for lacks a file or package.
        ValueError: If two have the same name.
    """
    trackers: dict[str, Tracker] = {}
    specs: dict[str, str] = {}
    skipped = []
    optional = [] if asked else list(OPENCV)
    if peers is not None:
        if not peers.is_dir():
            raise ValueError(f"{peers}: no such folder; it holds {', '.join(PEERS.values())}")
        optional += [f"{kind}:{peers / folder}" for kind, folder in PEERS.items()]
    for spec in [*(asked or packaged_names()), *optional]:
        name, make = open_tracker(spec, threads=threads)
        if name in trackers:
            raise ValueError(f"two trackers are called {name!r}: put NAME= in front of one")
        try:
            trackers[name], specs[name] = make(), spec
        except SiamtrackError as reason:
            if spec not in optional:
                raise
            skipped.append(f"{spec}: {reason}")
    return Chosen(trackers, specs, tuple(skipped))


def _check(threads: int, rounds: int, frames: int | None, targets: Sequence[int]) -> None:
    cores = usable_cores()
    if not 0 <= threads <= cores:
        raise ValueError(
            f"threads {threads}: this process may use {cores} cores; give 1 to {cores}, or 0 for "
            "all of them"
        )
    if not 1 <= rounds <= MOST:
        raise ValueError(f"rounds {shown(rounds)}: expected 1 or more, up to {MOST:,}")
    if frames is not None and frames > MOST:
        raise ValueError(f"frames {shown(frames)}: expected {MOST:,} or fewer")
    if bad := [count for count in targets if not 1 <= count <= MOST]:
        raise ValueError(f"targets {shown(bad[0])}: expected numbers from 1 to {MOST:,}")


@contextlib.contextmanager
def _footage(source: str, box: ArrayLike | None, frames: int | None) -> Iterator[Footage]:
    if source:
        yield open_footage(source, box, frames)
        return
    if box is not None:
        raise ValueError("a box, but no video that it belongs to: give one, or leave out the box")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "clip.mp4"
        first = write_generated(file, max(frames or USUAL, FEWEST))
        yield replace(open_footage(str(file), first, frames), name="generated clip")


@contextlib.contextmanager
def _opencv_threads(count: int) -> Iterator[None]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(count)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
