"""YOLO labels."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

from siamtrack.core.boxes import Array
from siamtrack.core.images import jpeg
from siamtrack.core.masks import Mask
from siamtrack.sinks.base import SINKS, TOLERANCE, Sink, box_of, is_there, mask_of
from siamtrack.sinks.draw import TrackLike
from siamtrack.video import Frame

ENTRY = 100
"""Bytes of a file's entry in the index of the zip, at its end."""
QUALITY = 95
"""Of the JPEG images, as in the studio's export."""


@SINKS.register("yolo")
class YoloSink(Sink):
    """A zip with `labels/train/frame_000000.txt`, one for each frame, and `data.yaml`.

    A line is the class and the center, width and height as shares of the frame; the part of a box
    outside the frame is cut off. Each class of targets has a number. Frames in which nothing
    is there have an empty file.

    Attributes:
        images: Whether the zip holds `images/train/frame_000000.jpg`, too, to train on as it is. A
            frame in which a target is lost is then left out: without a label it would teach that
            the target is not there. Set it before the first frame. Without, put the images of
            these names into `images/train`.
    """

    slow = True

    def __init__(self, path: Path, *, overwrite: bool, fps: float | None) -> None:
        super().__init__(path, overwrite=overwrite, fps=fps)
        self.images = False

    def _start(self, frame: Frame) -> None:
        self._zip = zipfile.ZipFile(
            self._place(self.path), "w" if self._overwrite else "x", zipfile.ZIP_DEFLATED
        )

    def _write(self, frame: Frame, tracks: list[TrackLike]) -> None:
        height, width = frame.image.shape[:2]
        name = f"train/frame_{frame.index:06d}"
        if self.images:
            if not all(map(is_there, tracks)):
                return
            data = jpeg(frame.image, quality=QUALITY)
            self._zip.writestr(f"images/{name}.jpg", data, zipfile.ZIP_STORED)
        text = self._text(tracks, (width, height))
        self._zip.writestr(f"labels/{name}.txt", text)

    def _text(self, tracks: list[TrackLike], size: tuple[int, int]) -> str:
        """Return the label file of a frame of this width and height."""
        return label_lines(tracks, size, self.category)

    def _needed(self, frame: Frame) -> int:
        entries = 2 + len(self._zip.filelist) if self._started else 2
        # An image that does not fit would be cut off, and its entry damaged
        return ENTRY * entries + (frame.image.nbytes if self.images else 0)

    def _finish(self) -> None:
        with self._zip as file:
            classes = {name: number for number, name in enumerate(self.categories)}
            file.writestr("data.yaml", data_yaml(classes, "images/train"))


@SINKS.register("yolo-seg")
class YoloSegSink(YoloSink):
    """As `yolo`, for segmentation; targets without a mask are left out.

    A line is the class, and the outline of the largest part of the mask, x and y as shares of the
    frame.
    """

    needs_masks = True

    def _text(self, tracks: list[TrackLike], size: tuple[int, int]) -> str:
        return outline_lines(tracks, size, self.category)


@SINKS.register("yolo-obb")
class YoloObbSink(YoloSegSink):
    """As `yolo`, for oriented boxes; targets without a mask are left out.

    A line is the class, and x and y of the four corners of the least rectangle around the mask.
    """

    def _text(self, tracks: list[TrackLike], size: tuple[int, int]) -> str:
        return oriented_lines(tracks, size, self.category)


def outline_lines(
    tracks: Iterable[TrackLike], size: tuple[int, int], kind: Callable[[int], int]
) -> str:
    """Return the label file of a frame for segmentation; arguments as of `label_lines`."""
    return _corner_lines(tracks, size, kind, _outline)


def oriented_lines(
    tracks: Iterable[TrackLike], size: tuple[int, int], kind: Callable[[int], int]
) -> str:
    """Return the label file of a frame for oriented boxes; arguments as of `label_lines`."""
    return _corner_lines(tracks, size, kind, _corners)


def _corner_lines(
    tracks: Iterable[TrackLike],
    size: tuple[int, int],
    kind: Callable[[int], int],
    corners: Callable[[Mask], Array | None],
) -> str:
    lines = []
    for track in tracks:
        mask = mask_of(track) if is_there(track) else None
        points = None if mask is None else corners(mask)
        if points is not None:
            shares = np.clip(points / np.array(size), 0.0, 1.0).ravel().tolist()
            numbers = " ".join(f"{share:.6f}" for share in shares)
            lines.append(f"{kind(int(track.id))} {numbers}\n")
    return "".join(lines)


def _outline(mask: Mask) -> Array | None:
    return (mask.polygons(TOLERANCE) or mask.polygons())[0]


def _corners(mask: Mask) -> Array | None:
    rotated = mask.rotated()
    return None if rotated is None else rotated.corners


def label_lines(
    tracks: Iterable[TrackLike], size: tuple[int, int], kind: Callable[[int], int]
) -> str:
    """Return the label file of a frame; what is lost or outside the frame has no line.

    Args:
        tracks: What is in the frame.
        size: Width and height of the frame.
        kind: Number of a target to number of its class.
    """
    width, height = size
    lines = []
    for track in tracks:
        if not is_there(track):
            continue
        left, top, wide, high = box_of(track)
        right, bottom = min(left + wide, width), min(top + high, height)
        left, top = max(left, 0.0), max(top, 0.0)
        if right <= left or bottom <= top:
            continue
        x, y = (left + right) / 2 / width, (top + bottom) / 2 / height
        w, h = (right - left) / width, (bottom - top) / height
        lines.append(f"{kind(int(track.id))} {x:.6f} {y:.6f} {w:.6f} {h:.6f}\n")
    return "".join(lines)


def data_yaml(classes: Mapping[str, int], train: str, val: str | None = None) -> str:
    """Return the `data.yaml` of a data set: where its images are, and what the classes are called.

    Example:
        >>> print(data_yaml({"dog": 0}, "images/train", "images/val"), end="")
        path: .
        train: images/train
        val: images/val
        names:
          0: "dog"
    """
    names = "".join(f"  {number}: {json.dumps(name)}\n" for name, number in classes.items())
    second = "" if val is None else f"val: {val}\n"
    return f"path: .\ntrain: {train}\n{second}names:\n{names}"
