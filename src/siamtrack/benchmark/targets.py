"""Many targets: one tracker that takes them in one batch, against as many trackers."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np

from siamtrack.benchmark.clip import FEWEST, Clip
from siamtrack.benchmark.figures import Many
from siamtrack.core.boxes import Array
from siamtrack.core.images import Image
from siamtrack.packages.card import Model
from siamtrack.tracking.tracker import SiamTracker


def many_targets(
    model: Model,
    clip: Clip,
    counts: Sequence[int],
    rounds: int,
    done: Callable[[], None] = lambda: None,
) -> tuple[Many, ...]:
    """Follow so many targets both ways, in turn.

    All share one loaded model. The more targets, the fewer frames a round: about as many updates of
    one target as the clip has frames, but no less than two frames.

    Args:
        model: Network and settings.
        clip: The frames; targets are spread over the first.
        counts: Numbers of targets.
        rounds: How often.
        done: Called after each round of a number.
    """
    found = []
    for count in counts:
        frames = clip.frames[: max(FEWEST, len(clip.frames) // count)]
        boxes = spread(clip.box, clip.size, count)
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
