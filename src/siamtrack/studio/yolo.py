"""A data set for YOLO with its pictures, as a zip that is made while it is sent."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator

import numpy as np

from siamtrack.core.images import Image
from siamtrack.sinks.yolo import data_yaml, label_lines
from siamtrack.studio.clip import encode
from siamtrack.studio.exports import Result, tracks_at
from siamtrack.studio.scene import NOTHING, STATES

STRETCHES = 10
"""The frames are cut into so many stretches; the fifth and the last are for validation."""
QUALITY = 95
PIECE = 1 << 18
"""Bytes that are sent at a time, at least."""


def split(result: Result) -> dict[int, str]:
    """Return the frames of the data set: number to `train` or `val`.

    Left out are frames of which nothing is known, and those in which a target is lost: a picture
    without the label of what is in it would teach that it is not there. Neighbouring frames look
    alike, so whole stretches are for validation, not single frames.

    Raises:
        ValueError: If no frame is left.
    """
    known, lost = np.zeros(result.total, bool), np.zeros(result.total, bool)
    for table in result.tables.values():
        known |= table.owner != NOTHING
        lost |= table.rows[:, 5] == STATES.index("lost")
    frames = np.flatnonzero(known & ~lost)
    if len(frames) == 0:
        raise ValueError("in each frame of which something is known a target is lost: correct some")
    stretch = np.arange(len(frames)) * STRETCHES // len(frames)
    val = (stretch % 5 == 4) & (len(frames) > 1)
    if len(frames) > 1:
        val[-1] = True  # there are fewer frames than stretches
    return {int(frame): "val" if held else "train" for frame, held in zip(frames, val, strict=True)}


def zip_pieces(
    result: Result,
    read: Callable[[int, bool], Image],
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[bytes]:
    """Yield the zip piece by piece: `data.yaml`, `images/train`, `labels/train` and so on.

    Args:
        result: What is known.
        read: Gives frames.
        tick: Called after each frame with the number of frames done and of all; what it raises
            ends the zip.

    Raises:
        ValueError: If there is no frame for it.
        VideoError: If a frame cannot be read.
    """
    parts = split(result)
    classes: dict[str, int] = {}
    kinds = {
        number: classes.setdefault(label, len(classes)) for number, label in result.labels.items()
    }
    out = _Pipe()
    with zipfile.ZipFile(out, "w") as file:
        val = "images/val" if "val" in parts.values() else "images/train"
        file.writestr("data.yaml", data_yaml(classes, "images/train", val))
        for done, (index, part) in enumerate(parts.items(), start=1):
            name = f"{part}/frame_{index:06d}"
            file.writestr(f"images/{name}.jpg", encode(read(index, False), quality=QUALITY))
            lines = label_lines(tracks_at(result.tables, index), result.size, kinds.__getitem__)
            file.writestr(f"labels/{name}.txt", lines)
            tick(done, len(parts))
            if out.waiting >= PIECE:
                yield out.take()
    yield out.take()


class _Pipe(io.RawIOBase):
    """A file that can only be written, and whose bytes are taken away."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self.waiting = 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._parts.append(bytes(data))
        self.waiting += len(data)
        return len(data)

    def take(self) -> bytes:
        found = b"".join(self._parts)
        self._parts.clear()
        self.waiting = 0
        return found
