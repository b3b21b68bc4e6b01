"""CVAT XML 1.1 for video."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from siamtrack.core.boxes import Array, ltwh_to_ltrb
from siamtrack.sinks.base import SINKS, Sink, box_of, is_there
from siamtrack.sinks.draw import TrackLike
from siamtrack.sinks.keyframes import DECIMALS, interpolated, key_frames
from siamtrack.video import Frame

LINE = 200
"""Bytes of a line at most, but for the name in it."""
NAME = (
    "<attributes><attribute><name>name</name><mutable>False</mutable><input_type>text</input_type>"
    "<default_value></default_value><values></values></attribute></attributes>"
)
"""The attribute of a label that holds the names of targets."""


@SINKS.register("cvat")
class CvatSink(Sink):
    """CVAT XML 1.1, one `track` per target; boxes are 0-based, a lost target is outside.

    The label of a track is the class of its target, and its name, where it has both, is the text
    attribute `name`. The file is written by `close`.

    Attributes:
        keyframes: None: every box is a key frame, so that CVAT shows what was tracked and
            interpolates nothing. Otherwise pixels: only as many key frames as keep each side of
            the boxes in between within that, to be moved by hand. Set it before the first frame.
        keys: Id of a target to frames that are key frames in any case.
    """

    keyframes: float | None = None

    def __init__(self, path: Path, *, overwrite: bool, fps: float | None) -> None:
        super().__init__(path, overwrite=overwrite, fps=fps)
        self.keys: dict[int, set[int]] = {}

    def _start(self, frame: Frame) -> None:
        self._file = self._open_text(self.path)
        height, width = frame.image.shape[:2]
        self._size = (width, height)
        self._boxes: dict[int, dict[int, list[float]]] = {}
        self._frames: list[int] = []

    def _write(self, frame: Frame, tracks: list[TrackLike]) -> None:
        self._frames.append(frame.index)
        for track in tracks:
            if is_there(track):
                self._boxes.setdefault(int(track.id), {})[frame.index] = box_of(track)

    def _needed(self, frame: Frame) -> int:
        if not self._started:
            return LINE
        named = sum(map(len, self.labels.values())) + sum(map(len, self.classes.values()))
        return LINE * (1 + 2 * sum(map(len, self._boxes.values()))) + 12 * named

    def _finish(self) -> None:
        width, height = self._size
        with self._file as file:
            file.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n')
            file.write("<version>1.1</version>\n<meta><task>")
            file.write(f"<name>{escape(self.title)}</name><size>{len(self._frames)}</size>")
            file.write("<mode>interpolation</mode><labels>")
            file.writelines(self._labels())
            file.write("</labels><original_size>")
            file.write(f"<width>{width}</width><height>{height}</height>")
            file.write("</original_size></task></meta>\n")
            for number, boxes in sorted(self._boxes.items()):
                file.write(f'<track id="{number}" label={quoteattr(self.class_of(number))}>\n')
                name = self._name(number)
                inner = f'<attribute name="name">{escape(name)}</attribute>' if name else ""
                for stretch, follows in self._stretches(boxes):
                    file.writelines(self._lines(number, stretch, follows, inner))
                file.write("</track>\n")
            file.write("</annotations>\n")

    def _labels(self) -> Iterator[str]:
        named = {self.class_of(number) for number in self._boxes if self._name(number)}
        for label in sorted({*self.categories, *map(self.class_of, self._boxes)}):
            attributes = NAME if label in named else ""
            yield f"<label><name>{escape(label)}</name>{attributes}</label>"

    def _name(self, number: int) -> str:
        """Return the name of a target that has a class, too."""
        name = self.labels.get(number, "")
        return "" if name == self.class_of(number) else name

    def _stretches(
        self, boxes: Mapping[int, list[float]]
    ) -> Iterator[tuple[dict[int, list[float]], int | None]]:
        """Yield the boxes of frames that follow each other, and the frame that has none then."""
        stretch: dict[int, list[float]] = {}
        for frame in self._frames:
            if frame in boxes:
                stretch[frame] = boxes[frame]
            elif stretch:
                yield stretch, frame
                stretch = {}
        if stretch:
            yield stretch, None

    def _lines(
        self, number: int, stretch: dict[int, list[float]], follows: int | None, inner: str
    ) -> Iterator[str]:
        frames, boxes = list(stretch), np.array(list(stretch.values()))
        keys = np.ones(len(frames), bool)
        corners = ltwh_to_ltrb(boxes)
        if self.keyframes is not None:
            keep = np.isin(frames, list(self.keys.get(number, ())))
            keys = key_frames(frames, boxes, self.keyframes, keep)
            corners = interpolated(frames, boxes, keys)
        for frame, box, key in zip(frames, corners, keys, strict=True):
            yield _line(frame, box, inner, key=bool(key))
        if follows is not None:
            yield _line(follows, corners[-1], inner, outside=True)


def _line(frame: int, box: Array, inner: str, *, key: bool = True, outside: bool = False) -> str:
    left, top, right, bottom = (f"{side:.{DECIMALS}f}" for side in box.tolist())
    return (
        f'<box frame="{frame}" outside="{int(outside)}" occluded="0" keyframe="{int(key)}" '
        f'xtl="{left}" ytl="{top}" xbr="{right}" ybr="{bottom}">{inner}</box>\n'
    )
