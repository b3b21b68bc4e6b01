"""JSON lines."""

from __future__ import annotations

import json

from siamtrack.sinks.base import SINKS, TextSink, box_of, number
from siamtrack.sinks.draw import TrackLike
from siamtrack.video import Frame


@SINKS.register("jsonl")
class JsonLinesSink(TextSink):
    """One JSON object per track and line; boxes are 0-based left, top, width, height."""

    def _write(self, frame: Frame, tracks: list[TrackLike]) -> None:
        rows = [
            {
                "frame": int(frame.index),
                "time": None if frame.time is None else round(float(frame.time), 6),
                "id": int(track.id),
                "box": [number(value) for value in box_of(track)],
                "score": number(track.score),
                "state": track.state.value,
            }
            for track in tracks
        ]
        self._lines(json.dumps(row, allow_nan=False) for row in rows)
