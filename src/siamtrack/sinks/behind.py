"""A sink that does not hold up who writes to it."""

from __future__ import annotations

import time
from collections.abc import Iterable

from siamtrack.core.overlap import Behind
from siamtrack.sinks.base import Sink
from siamtrack.sinks.draw import TrackLike
from siamtrack.video import Frame

DEPTH = 4
"""Frames that wait for a slow sink at most; each is held in memory."""


class BehindSink:
    """Hands frames to a sink; one that is `slow` writes in a thread of its own.

    The first frame is always written at once, so that a file that cannot be made is refused before
    more is tracked. What goes wrong later is raised by the next `write`, or by `close`. `close`
    writes all frames that wait, so that every file has every frame.

    Args:
        sink: From `siamtrack.sinks.open_sink`; it is closed with this.

    Attributes:
        busy: Seconds that writing and finishing took, in whichever thread. Complete after `close`.
    """

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self._direct = 0.0
        self._behind: Behind[tuple[Frame, list[TrackLike]]] | None = None
        self._begun = False

    @property
    def busy(self) -> float:
        """Seconds that writing took so far."""
        return self._direct + (0.0 if self._behind is None else self._behind.busy)

    def write(self, frame: Frame, tracks: Iterable[TrackLike]) -> None:
        """Write the tracks of a frame now or soon; neither may be changed afterwards.

        Raises:
            Exception: As `Sink.write`, for this frame or one before it.
        """
        if self._begun and getattr(self.sink, "slow", False):
            if self._behind is None:
                self._behind = Behind(lambda item: self.sink.write(*item), DEPTH)
            self._behind.put((frame, list(tracks)))
            return
        clock = time.perf_counter()
        self.sink.write(frame, tracks)
        self._begun = True
        self._direct += time.perf_counter() - clock

    def close(self) -> None:
        """Write what waits and finish the file; further calls do nothing.

        Raises:
            Exception: As `Sink.write` and `Sink.close`; the file is finished all the same.
        """
        try:
            if self._behind is not None:
                self._behind.close()
        finally:
            clock = time.perf_counter()
            self.sink.close()
            self._direct += time.perf_counter() - clock

    def __enter__(self) -> BehindSink:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
