"""Several trackers in turn on the same frames: A, B, C, A, B, C and so on.

What else the machine does changes over seconds and minutes; taking turns, it falls on all alike,
and the ratio within a round says more than two figures of different minutes.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence

from siamtrack.benchmark.clip import Clip
from siamtrack.benchmark.figures import Latency, Round
from siamtrack.benchmark.stages import Watch, watched
from siamtrack.core.tracks import Tracker

WARM_UP = 5
"""Frames of a pass before the first round, of which nothing is kept."""


def take_turns(
    trackers: Mapping[str, Tracker],
    clip: Clip,
    rounds: int,
    done: Callable[[], None] = lambda: None,
) -> dict[str, list[Round]]:
    """Run every tracker over the clip once a round.

    Args:
        trackers: By name, in the order of their turns.
        clip: The frames.
        rounds: How often.
        done: Called after each pass.

    Returns:
        For each tracker its rounds.
    """
    for tracker in trackers.values():
        one_pass(tracker, clip, WARM_UP)
    found: dict[str, list[Round]] = {name: [] for name in trackers}
    for _ in range(rounds):
        for name, tracker in trackers.items():
            found[name].append(one_pass(tracker, clip))
            done()
    return found


def one_pass(tracker: Tracker, clip: Clip, count: int | None = None) -> Round:
    """Start on the first frame and follow the target through the others."""
    tracker, runtime = watched(tracker)
    watch = Watch()
    clock = time.perf_counter()
    tracker.init(clip.frames[0], clip.box.copy())
    start_ms = (time.perf_counter() - clock) * 1000
    frames = clip.frames[1:count]
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
