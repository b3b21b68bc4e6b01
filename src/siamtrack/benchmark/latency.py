"""Latency of updates: of several trackers in turn, by stage, and of many targets at once.

What else the machine does changes over seconds and minutes. Trackers that take turns (A, B, C, A,
B, C and so on) all bear it alike, and the ratio within a round says more than two figures of
different minutes. Stages are watched from outside: the hot path knows nothing of it.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from siamtrack.benchmark.figures import STAGES, Latency, Many, Round
from siamtrack.benchmark.footage import FEWEST, Footage
from siamtrack.core.boxes import Array
from siamtrack.core.images import Image
from siamtrack.core.tracks import Tracker
from siamtrack.packages.card import Model
from siamtrack.runtimes.base import Floats, Response, Runtime
from siamtrack.tracking.tracker import SiamTracker

WARM_UP = 5
"""Frames of a pass before the first round, of which nothing is kept."""


def take_turns(
    trackers: Mapping[str, Tracker],
    footage: Footage,
    rounds: int,
    done: Callable[[], None] = lambda: None,
) -> dict[str, list[Round]]:
    """Run every tracker over the footage once a round, in their order; `done` follows each pass."""
    for tracker in trackers.values():
        one_pass(tracker, footage, WARM_UP)
    found: dict[str, list[Round]] = {name: [] for name in trackers}
    for _ in range(rounds):
        for name, tracker in trackers.items():
            found[name].append(one_pass(tracker, footage))
            done()
    return found


def one_pass(tracker: Tracker, footage: Footage, count: int | None = None) -> Round:
    """Start on the first frame and follow the target through the others."""
    tracker, runtime = watched(tracker)
    watch = Watch()
    clock = time.perf_counter()
    tracker.init(footage.frames[0], footage.box.copy())
    start_ms = (time.perf_counter() - clock) * 1000
    frames = footage.frames[1:count]
    used = time.process_time()
    for frame in frames:
        start = time.perf_counter()
        tracker.update(frame)
        watch.note(start, time.perf_counter(), runtime)
    used = time.process_time() - used
    outside = watch.outside
    return Round(
        update=Latency.of(watch.whole),
        fps=round(len(frames) / sum(watch.whole), 2),
        processor_ms=round(used / len(frames) * 1000, 3),
        start_ms=round(start_ms, 3),
        stages={name: Latency.of(seconds) for name, seconds in watch.stages.items()},
        outside=None if outside is None else round(outside, 4),
    )


def relative(rounds: Sequence[Round], reference: Sequence[Round]) -> float:
    """Median over the rounds of p50 relative to that of the same round of another tracker."""
    pairs = zip(rounds, reference, strict=True)
    return round(statistics.median(a.update.p50 / b.update.p50 for a, b in pairs), 4)


def many_targets(
    model: Model,
    footage: Footage,
    counts: Sequence[int],
    rounds: int,
    done: Callable[[], None] = lambda: None,
) -> tuple[Many, ...]:
    """Follow each of the numbers of targets both ways, in turn, spread over the first frame.

    All share one loaded model. The more targets, the fewer frames a round: about as many updates of
    one target as the footage has frames, but no less than two frames. `done` is called after each
    round of a number.
    """
    found = []
    for count in counts:
        frames = footage.frames[: max(FEWEST, len(footage.frames) // count)]
        boxes = spread(footage.box, footage.size, count)
        together: list[float] = []
        apart: list[float] = []
        for _ in range(rounds):
            together.append(_together(model, frames, boxes))
            apart.append(_apart(model, frames, boxes))
            done()
        ratio = statistics.median(a / b for a, b in zip(together, apart, strict=True))
        found.append(Many(count, tuple(together), tuple(apart), round(ratio, 4)))
    return tuple(found)


def spread(box: Array, size: tuple[int, int], count: int) -> Array:
    """Return `count` boxes (count, 4) of the size of `box` on a grid over the frame.

    Example:
        >>> spread(np.array([5.0, 5.0, 10.0, 10.0]), (100, 50), 3).tolist()
        [[0.0, 0.0, 10.0, 10.0], [90.0, 0.0, 10.0, 10.0], [0.0, 40.0, 10.0, 10.0]]
    """
    side = math.ceil(math.sqrt(count))
    x, y = (np.linspace(0, size[axis] - box[2 + axis], side) for axis in (0, 1))
    return np.array([[left, top, *box[2:]] for top in y for left in x])[:count]


class TimedRuntime:
    """Hands everything on to a runtime, and notes when it was called and when it answered."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.called = self.answered = 0.0

    def embed(self, template: Image, size: Floats) -> Floats:
        """Hand on."""
        return self._runtime.embed(template, size)

    def respond(self, kernel: Floats, search: Image) -> Response:
        """Hand on; two readings of the clock are all that it adds."""
        self.called = time.perf_counter()
        response = self._runtime.respond(kernel, search)
        self.answered = time.perf_counter()
        return response


def watched(tracker: Tracker) -> tuple[Tracker, TimedRuntime | None]:
    """Return the tracker with a timed runtime in it; those of others as they are."""
    if not isinstance(tracker, SiamTracker):
        return tracker, None
    runtime = TimedRuntime(tracker.model.runtime)
    model = replace(tracker.model, runtime=runtime)
    return SiamTracker(model, redetect=tracker.redetect), runtime


@dataclass
class Watch:
    """Durations in seconds, one for each update: whole, and by stage where there are any."""

    whole: list[float] = field(default_factory=list)
    stages: dict[str, list[float]] = field(default_factory=dict)

    def note(self, start: float, end: float, runtime: TimedRuntime | None) -> None:
        """Take in an update that ran from `start` to `end`."""
        self.whole.append(end - start)
        if runtime is not None:
            marks = (start, runtime.called, runtime.answered, end)
            for name, before, after in zip(STAGES, marks, marks[1:], strict=False):
                self.stages.setdefault(name, []).append(after - before)

    @property
    def outside(self) -> float | None:
        """Median share of an update that is not the network's."""
        if not self.stages:
            return None
        pairs = zip(self.whole, self.stages["network"], strict=True)
        return statistics.median(1 - network / whole for whole, network in pairs)


def _together(model: Model, frames: Sequence[Image], boxes: Array) -> float:
    tracker = SiamTracker(model)
    for box in boxes:
        tracker.add(frames[0], box)
    return _per_frame(frames, tracker.update_all)


def _apart(model: Model, frames: Sequence[Image], boxes: Array) -> float:
    trackers = [SiamTracker(model) for _ in boxes]
    for tracker, box in zip(trackers, boxes, strict=True):
        tracker.init(frames[0], box)

    def update(frame: Image) -> None:
        for tracker in trackers:
            tracker.update(frame)

    return _per_frame(frames, update)


def _per_frame(frames: Sequence[Image], update: Callable[[Image], object]) -> float:
    """Median milliseconds a frame after the first."""
    seconds = []
    for frame in frames[1:]:
        start = time.perf_counter()
        update(frame)
        seconds.append(time.perf_counter() - start)
    return round(statistics.median(seconds) * 1000, 4)
