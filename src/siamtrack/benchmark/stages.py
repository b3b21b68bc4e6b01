"""Where an update spends its time, seen from outside: the hot path knows nothing of it."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field

from siamtrack.core.images import Image
from siamtrack.core.tracks import Tracker
from siamtrack.packages.card import Model
from siamtrack.runtimes.base import Floats, Response, Runtime
from siamtrack.tracking.tracker import SiamTracker

STAGES = ("crop", "network", "post")
"""From the frame to the patches; the search graph; from its response to the track, with the online
classifier."""


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
    return SiamTracker(Model(tracker.model.card, runtime), redetect=tracker.redetect), runtime


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
