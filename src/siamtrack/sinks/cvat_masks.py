"""CVAT XML 1.1 for images, with masks pixel for pixel: the form in which CVAT itself keeps them."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO
from xml.sax.saxutils import escape, quoteattr

from siamtrack.sinks.base import SINKS, Sink, is_there, mask_of
from siamtrack.sinks.cvat import NAME
from siamtrack.sinks.draw import TrackLike
from siamtrack.video import Frame

LINE = 400
"""Bytes of an image and of a mask without its runs, at most, but for the names in it."""


@SINKS.register("cvat-masks")
class CvatMasksSink(Sink):
    """CVAT XML 1.1, an `image` per frame and a `mask` per target; lost targets are left out.

    Runs go row by row through the window of a mask, the first of them outside it: exact, with all
    parts and holes. CVAT has no tracks of masks, and keeps one frame alone of such a `track`; so
    the masks of one target share a `group_id`, its id plus one. The images are called
    `frame_000000.PNG`, as CVAT calls the frames of videos. The file is written by `close`.
    """

    needs_masks = True

    def __init__(self, path: Path, *, overwrite: bool, fps: float | None) -> None:
        super().__init__(path, overwrite=overwrite, fps=fps)
        self._frames: list[tuple[int, list[tuple[int, str]]]] = []
        self._held = 0  # bytes of masks

    def _start(self, frame: Frame) -> None:
        self._file: TextIO = self._open_text(self.path)
        height, width = frame.image.shape[:2]
        self._size = (width, height)

    def _write(self, frame: Frame, tracks: list[TrackLike]) -> None:
        masks = []
        for track in tracks:
            mask = mask_of(track) if is_there(track) else None
            if mask is not None:
                height, width = mask.pixels.shape
                runs = ", ".join(map(str, mask.row_counts()))
                place = f'left="{mask.left}" top="{mask.top}" width="{width}" height="{height}"'
                masks.append((int(track.id), f'rle="{runs}" {place}'))
                self._held += len(runs)
        self._frames.append((frame.index, masks))

    def _needed(self, frame: Frame) -> int:
        count = sum(len(masks) for _, masks in self._frames)
        named = sum(map(len, self.labels.values())) + sum(map(len, self.classes.values()))
        return self._held + LINE * (2 + len(self._frames) + count) + 12 * named * (1 + count)

    def _finish(self) -> None:
        width, height = self._size
        seen = {number for _, masks in self._frames for number, _ in masks}
        named = {self.class_of(number) for number in seen if self.name_of(number)}
        with self._file as file:
            file.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n')
            file.write("<version>1.1</version>\n<meta><task>")
            file.write(f"<name>{escape(self.title)}</name><size>{len(self._frames)}</size>")
            file.write("<mode>annotation</mode><labels>")
            for label in sorted({*self.categories, *map(self.class_of, seen)}):
                attributes = NAME if label in named else ""
                file.write(f"<label><name>{escape(label)}</name>{attributes}</label>")
            file.write("</labels></task></meta>\n")
            for frame, masks in self._frames:
                name = f"frame_{frame:06d}.PNG"
                size = f'width="{width}" height="{height}"'
                file.write(f'<image id="{frame}" name="{name}" {size}>\n')
                file.writelines(self._line(number, runs) for number, runs in masks)
                file.write("</image>\n")
            file.write("</annotations>\n")

    def _line(self, number: int, runs: str) -> str:
        name = self.name_of(number)
        inner = f'<attribute name="name">{escape(name)}</attribute>' if name else ""
        return (
            f'<mask label={quoteattr(self.class_of(number))} source="auto" occluded="0" {runs} '
            f'z_order="0" group_id="{number + 1}">{inner}</mask>\n'
        )
