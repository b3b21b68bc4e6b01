"""CVAT XML 1.1: for video, with key frames from which CVAT interpolates, and masks of images."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TextIO
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from numpy.typing import ArrayLike, NDArray

from siamtrack.core.boxes import Array, ltwh_to_ltrb
from siamtrack.sinks.base import SINKS, Sink, box_of, flat_polygons, is_there, mask_of
from siamtrack.sinks.draw import TrackLike
from siamtrack.video import Frame

LINE, IMAGE = 200, 400
"""Bytes of a line, and of an image or a mask without its runs, at most, but for names in them."""
NAME = (
    "<attributes><attribute><name>name</name><mutable>False</mutable><input_type>text</input_type>"
    "<default_value></default_value><values></values></attribute></attributes>"
)
"""The attribute of a label that holds the names of targets."""


class _XmlSink(Sink):
    """What the two forms have in common."""

    def _start(self, frame: Frame) -> None:
        self._file: TextIO = self._open_text(self.path)
        height, width = frame.image.shape[:2]
        self._size = (width, height)

    def _head(self, mode: str, frames: int, numbers: Iterable[int], more: str = "") -> str:
        """Return the head of the file: its task, with the classes of the targets as labels."""
        seen = list(numbers)
        named = {self.class_of(number) for number in seen if self.name_of(number)}
        labels = (
            f"<label><name>{escape(label)}</name>{NAME if label in named else ''}</label>"
            for label in sorted({*self.categories, *map(self.class_of, seen)})
        )
        return (
            '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n'
            f"<version>1.1</version>\n<meta><task><name>{escape(self.title)}</name>"
            f"<size>{frames}</size><mode>{mode}</mode><labels>{''.join(labels)}</labels>{more}"
            "</task></meta>\n"
        )

    def _inner(self, number: int) -> str:
        """Return what is in a shape: the name of its target, where it has one besides its class."""
        name = self.name_of(number)
        return f'<attribute name="name">{escape(name)}</attribute>' if name else ""

    def _named(self) -> int:
        """Return how many letters names and classes have."""
        return sum(map(len, self.labels.values())) + sum(map(len, self.classes.values()))


@SINKS.register("cvat")
class CvatSink(_XmlSink):
    """CVAT XML 1.1, one `track` per target; boxes are 0-based, a lost target is outside.

    The label of a track is the class of its target, and its name, where it has both, is the text
    attribute `name`. The file is written by `close`. A target that has masks is a track of
    polygons, the outlines of their largest parts, unless `keyframes` are to be chosen.

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
        super()._start(frame)
        self._boxes: dict[int, dict[int, list[float]]] = {}
        self._outlines: dict[int, dict[int, str]] = {}
        self._frames: list[int] = []
        self._held = 0  # bytes of outlines

    def _write(self, frame: Frame, tracks: list[TrackLike]) -> None:
        self._frames.append(frame.index)
        for track in tracks:
            if is_there(track):
                self._boxes.setdefault(int(track.id), {})[frame.index] = box_of(track)
                mask = mask_of(track) if self.keyframes is None else None
                if mask is not None:
                    points = flat_polygons(mask)[0]
                    pairs = zip(points[::2], points[1::2], strict=True)
                    text = ";".join(f"{x:.{DECIMALS}f},{y:.{DECIMALS}f}" for x, y in pairs)
                    self._outlines.setdefault(int(track.id), {})[frame.index] = text
                    self._held += len(text)

    def _needed(self, frame: Frame) -> int:
        if not self._started:
            return LINE
        lines = 1 + 2 * sum(map(len, self._boxes.values()))
        return LINE * lines + 12 * self._named() + 2 * self._held

    def _finish(self) -> None:
        width, height = self._size
        size = f"<width>{width}</width><height>{height}</height>"
        size = f"<original_size>{size}</original_size>"
        with self._file as file:
            file.write(self._head("interpolation", len(self._frames), self._boxes, size))
            for number, boxes in sorted(self._boxes.items()):
                file.write(f'<track id="{number}" label={quoteattr(self.class_of(number))}>\n')
                inner = self._inner(number)
                if number in self._outlines:
                    file.writelines(self._polygons(self._outlines[number], inner))
                else:
                    for stretch, follows in self._stretches(boxes):
                        file.writelines(self._lines(number, stretch, follows, inner))
                file.write("</track>\n")
            file.write("</annotations>\n")

    def _polygons(self, outlines: Mapping[int, str], inner: str) -> Iterator[str]:
        """Yield a line for each frame with an outline, and for the first one without it then."""
        last = ""
        for frame in self._frames:
            points, outside = outlines.get(frame, last), frame not in outlines
            if points:
                yield (
                    f'<polygon frame="{frame}" outside="{int(outside)}" occluded="0" keyframe="1" '
                    f'points="{points}">{inner}</polygon>\n'
                )
            last = "" if outside else points

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


@SINKS.register("cvat-masks")
class CvatMasksSink(_XmlSink):
    """CVAT XML 1.1, an `image` per frame and a `mask` per target; lost targets are left out.

    This is how CVAT itself keeps masks.
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
        lines = 2 + len(self._frames) + count
        return self._held + IMAGE * lines + 12 * self._named() * (1 + count)

    def _finish(self) -> None:
        width, height = self._size
        seen = {number for _, masks in self._frames for number, _ in masks}
        with self._file as file:
            file.write(self._head("annotation", len(self._frames), seen))
            for frame, masks in self._frames:
                name = f"frame_{frame:06d}.PNG"
                size = f'width="{width}" height="{height}"'
                file.write(f'<image id="{frame}" name="{name}" {size}>\n')
                file.writelines(self._line(number, runs) for number, runs in masks)
                file.write("</image>\n")
            file.write("</annotations>\n")

    def _line(self, number: int, runs: str) -> str:
        return (
            f'<mask label={quoteattr(self.class_of(number))} source="auto" occluded="0" {runs} '
            f'z_order="0" group_id="{number + 1}">{self._inner(number)}</mask>\n'
        )


DECIMALS = 2
"""Digits after the point of written key boxes."""


def key_frames(
    frames: ArrayLike, boxes: ArrayLike, error: float, keep: ArrayLike | None = None
) -> NDArray[np.bool_]:
    """Choose the frames of an unbroken stretch that suffice to draw its boxes by straight lines.

    Between two key frames, each side of a box is interpolated linearly over the frame number, from
    key boxes rounded to `DECIMALS`. A key frame is followed by the farthest one that keeps every
    side in between within `error`: a cone of slopes, narrowed frame by frame, as in O'Rourke, "An
    on-line algorithm for fitting straight lines between data ranges", 1981,
    https://doi.org/10.1145/358746.358758

    Args:
        frames: Numbers of the frames (N,), ascending.
        boxes: Boxes (N, 4) ltwh, finite.
        error: Pixels that a side may be off in between.
        keep: Which frames are key frames in any case (N,), such as those that a person drew.

    Returns:
        Which are key frames (N,); the first and the last are.

    Raises:
        ValueError: If `error` is no number of pixels from 0.

    Example:
        >>> boxes = [[0, 0, 8, 8], [2, 0, 8, 8], [4, 0, 8, 8], [4, 0, 8, 8], [4, 0, 8, 8]]
        >>> key_frames(range(5), boxes, 0.5).tolist()
        [True, False, True, False, True]
    """
    check_error(error)
    numbers = np.asarray(frames, np.float64)
    exact = ltwh_to_ltrb(np.asarray(boxes, np.float64).reshape(-1, 4))
    keys = np.round(exact, DECIMALS)
    chosen = np.zeros(len(numbers), bool) if keep is None else np.array(keep, bool)
    chosen[:1] = chosen[-1:] = True
    # From each key frame go as far as lines reach, at most to the next that has to stay
    fixed = np.flatnonzero(chosen)
    for start, stop in zip(fixed[:-1].tolist(), fixed[1:].tolist(), strict=True):
        while start < stop:
            start = _reach(numbers, exact, keys, start, stop, error)
            chosen[start] = True
    return chosen


def check_error(error: float) -> None:
    """Raise ValueError unless `error` is a number of pixels."""
    if not (math.isfinite(error) and error >= 0):
        raise ValueError(f"keyframes {error}: expected pixels, a number from 0 such as 1.0")


def interpolated(frames: ArrayLike, boxes: ArrayLike, keys: NDArray[np.bool_]) -> Array:
    """Return the boxes (N, 4) ltrb that annotation tools draw between key frames.

    Args:
        frames: Numbers of the frames (N,), ascending.
        boxes: Boxes (N, 4) ltwh.
        keys: Which are key frames (N,); the first and the last are.
    """
    numbers = np.asarray(frames, np.float64)
    corners = np.round(ltwh_to_ltrb(np.asarray(boxes, np.float64).reshape(-1, 4)), DECIMALS)
    sides = [np.interp(numbers, numbers[keys], corners[keys, side]) for side in range(4)]
    return np.stack(sides, axis=1)


def _reach(frames: Array, exact: Array, keys: Array, start: int, stop: int, error: float) -> int:
    """Return the farthest key frame up to `stop` that a line from `start` may lead to."""
    low, high = np.full(4, -np.inf), np.full(4, np.inf)
    best = start + 1
    for index in range(start + 1, stop + 1):
        span = frames[index] - frames[start]
        slope = (keys[index] - keys[start]) / span
        if (low <= slope).all() and (slope <= high).all():
            best = index
        # What the lines to later frames must keep here
        low = np.maximum(low, (exact[index] - error - keys[start]) / span)
        high = np.minimum(high, (exact[index] + error - keys[start]) / span)
        if (low > high).any():
            break
    return best
