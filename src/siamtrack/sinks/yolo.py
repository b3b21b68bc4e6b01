"""YOLO labels."""

from __future__ import annotations

import json
import zipfile

from siamtrack.draw import TrackLike
from siamtrack.sinks.base import SINKS, Sink, box_of, is_there
from siamtrack.video import Frame

ENTRY = 100
"""Bytes of a file's entry in the index of the zip, at its end."""


@SINKS.register("yolo")
class YoloSink(Sink):
    """A zip with `labels/train/frame_000000.txt`, one for each frame, and `data.yaml`.

    A line is the class and the centre, width and height as shares of the frame; the part of a box
    outside the frame is cut off. Each label that targets have is a class. Frames in which nothing
    is there have an empty file. Pictures are not included: put them into `images/train`.
    """

    def _start(self, frame: Frame) -> None:
        self._check(self.path)
        self._zip = zipfile.ZipFile(
            self.path, "w" if self._overwrite else "x", zipfile.ZIP_DEFLATED
        )
        self._classes: dict[str, int] = {}

    def _write(self, frame: Frame, tracks: list[TrackLike]) -> None:
        height, width = frame.image.shape[:2]
        lines = []
        for track in tracks:
            if not is_there(track):
                continue
            left, top, wide, high = box_of(track)
            right, bottom = min(left + wide, width), min(top + high, height)
            left, top = max(left, 0.0), max(top, 0.0)
            if right <= left or bottom <= top:
                continue
            label = self.label(int(track.id))
            kind = self._classes.setdefault(label, len(self._classes))
            x, y = (left + right) / 2 / width, (top + bottom) / 2 / height
            w, h = (right - left) / width, (bottom - top) / height
            lines.append(f"{kind} {x:.6f} {y:.6f} {w:.6f} {h:.6f}\n")
        self._zip.writestr(f"labels/train/frame_{frame.index:06d}.txt", "".join(lines))

    def _needed(self, frame: Frame) -> int:
        return ENTRY * (1 + len(self._zip.filelist)) if self._started else ENTRY

    def _finish(self) -> None:
        with self._zip as file:
            names = "".join(f"  {n}: {json.dumps(name)}\n" for name, n in self._classes.items())
            file.writestr("data.yaml", f"path: .\ntrain: images/train\nnames:\n{names}")
