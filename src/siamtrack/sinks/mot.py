"""Text as in the MOTChallenge."""

from __future__ import annotations

from siamtrack.sinks.base import SINKS, TextSink, decimals, is_there, one_based
from siamtrack.sinks.draw import TrackLike
from siamtrack.video import Frame


@SINKS.register("mot")
class MotSink(TextSink):
    """MOTChallenge text, frames and pixels from 1; lost targets are left out.

    frame, id, left, top, width, height, score, and -1 three times; ids are the tracks' own.
    """

    def _write(self, frame: Frame, tracks: list[TrackLike]) -> None:
        self._lines(
            f"{frame.index + 1},{track.id},{decimals(one_based(track))},{track.score:.4f},-1,-1,-1"
            for track in tracks
            if is_there(track)
        )
