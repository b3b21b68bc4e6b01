"""CVAT XML 1.1 for video."""

from __future__ import annotations

from itertools import pairwise
from xml.sax.saxutils import escape, quoteattr

from siamtrack.sinks.base import SINKS, Sink, box_of, is_there
from siamtrack.sinks.draw import TrackLike
from siamtrack.video import Frame

LINE = 200
"""Bytes of a line at most."""


@SINKS.register("cvat")
class CvatSink(Sink):
    """CVAT XML 1.1, one `track` per target; boxes are 0-based, a lost target is outside.

    Every box is a key frame, so that CVAT shows what was tracked and interpolates nothing. The
    file is written by `close`.
    """

    def _start(self, frame: Frame) -> None:
        self._file = self._open_text(self.path)
        height, width = frame.image.shape[:2]
        self._size = (width, height)
        self._boxes: dict[int, dict[int, tuple[float, float, float, float]]] = {}
        self._frames: list[int] = []

    def _write(self, frame: Frame, tracks: list[TrackLike]) -> None:
        self._frames.append(frame.index)
        for track in tracks:
            if is_there(track):
                left, top, width, height = box_of(track)
                box = (left, top, left + width, top + height)
                self._boxes.setdefault(int(track.id), {})[frame.index] = box

    def _needed(self, frame: Frame) -> int:
        if not self._started:
            return LINE
        return LINE * (1 + 2 * sum(map(len, self._boxes.values())))

    def _finish(self) -> None:
        width, height = self._size
        labels = sorted({self.label(number) for number in self._boxes})
        with self._file as file:
            file.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n')
            file.write("<version>1.1</version>\n<meta><task>")
            file.write(f"<name>{escape(self.title)}</name><size>{len(self._frames)}</size>")
            file.write("<mode>interpolation</mode><labels>")
            file.writelines(f"<label><name>{escape(label)}</name></label>" for label in labels)
            file.write("</labels><original_size>")
            file.write(f"<width>{width}</width><height>{height}</height>")
            file.write("</original_size></task></meta>\n")
            after = dict(pairwise(self._frames))
            for number, boxes in sorted(self._boxes.items()):
                file.write(f'<track id="{number}" label={quoteattr(self.label(number))}>\n')
                for index, box in sorted(boxes.items()):
                    file.write(_line(index, box, outside=False))
                    follows = after.get(index)
                    if follows is not None and follows not in boxes:
                        file.write(_line(follows, box, outside=True))
                file.write("</track>\n")
            file.write("</annotations>\n")


def _line(frame: int, box: tuple[float, float, float, float], *, outside: bool) -> str:
    left, top, right, bottom = box
    return (
        f'<box frame="{frame}" outside="{int(outside)}" occluded="0" keyframe="1" '
        f'xtl="{left:.2f}" ytl="{top:.2f}" xbr="{right:.2f}" ybr="{bottom:.2f}"></box>\n'
    )
