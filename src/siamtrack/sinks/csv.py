"""Comma-separated values."""

from __future__ import annotations

from collections.abc import Iterable

from siamtrack.sinks.base import SINKS, TextSink, box_of, decimals
from siamtrack.sinks.draw import TrackLike
from siamtrack.video import Frame


@SINKS.register("csv")
class CsvSink(TextSink):
    """Comma-separated values with a header, one line per track; boxes are 0-based."""

    header = "frame,time,id,left,top,width,height,score,state"

    def _write(self, frame: Frame, tracks: list[TrackLike]) -> None:
        self._lines(csv_lines(frame, tracks))


def csv_lines(frame: Frame, tracks: Iterable[TrackLike]) -> list[str]:
    """Return a line for each track of a frame."""
    time = "" if frame.time is None else f"{frame.time:.6f}"
    return [
        f"{frame.index},{time},{track.id},{decimals(box_of(track))},"
        f"{track.score:.4f},{track.state.value}"
        for track in tracks
    ]
