"""Masks as PNG files, one a frame, as DAVIS has them."""

from __future__ import annotations

import struct
import zipfile
import zlib

import numpy as np
from numpy.typing import NDArray

from siamtrack.sinks.base import SINKS, Sink, is_there, mask_of
from siamtrack.sinks.draw import TrackLike
from siamtrack.video import Frame

ENTRY = 100
"""Bytes of a file's entry in the index of the zip, at its end."""
MOST = 254
"""Targets at most: 0 is no target, and 255 is undecided."""


@SINKS.register("davis")
class DavisSink(Sink):
    """A zip with `NAME/00000.png`, one for each frame: 0, or the number of the target in order.

    NAME is the title; files are named by the number of their frame. The PNGs have the palette of
    PASCAL VOC, whose index is the number: 1 for the target that came first. Where masks overlap,
    the smaller one is on top.
    """

    needs_masks = True

    def _start(self, frame: Frame) -> None:
        place = self._place(self.path)
        self._zip = zipfile.ZipFile(place, "w" if self._overwrite else "x", zipfile.ZIP_STORED)
        self._numbers: dict[int, int] = {}

    def _write(self, frame: Frame, tracks: list[TrackLike]) -> None:
        picture = np.zeros(frame.image.shape[:2], np.uint8)
        seen = []
        for track in tracks:
            number = self._numbers.setdefault(int(track.id), len(self._numbers) + 1)
            mask = mask_of(track) if is_there(track) else None
            if mask is not None:
                seen.append((mask, number))
        if len(self._numbers) > MOST:
            raise ValueError(f"{self.path}: DAVIS has numbers for {MOST} targets, and no more")
        for mask, number in sorted(seen, key=lambda each: -each[0].area):
            height, width = mask.pixels.shape
            part = picture[mask.top : mask.top + height, mask.left : mask.left + width]
            part[mask.pixels] = number
        self._zip.writestr(f"{self.title}/{frame.index:05d}.png", indexed_png(picture))

    def _needed(self, frame: Frame) -> int:
        return ENTRY * (1 + len(self._zip.filelist)) if self._started else ENTRY

    def _finish(self) -> None:
        self._zip.close()


def palette() -> NDArray[np.uint8]:
    """Return PASCAL VOC's palette (256, 3): bit k of an index is spread over red, green and blue.

    Example:
        >>> palette()[:3].tolist()
        [[0, 0, 0], [128, 0, 0], [0, 128, 0]]
    """
    index, colors = np.arange(256), np.zeros((256, 3), np.uint8)
    for bit in range(8):
        on = (index >> bit) & 1
        colors[:, bit % 3] |= (on << (7 - bit // 3)).astype(np.uint8)
    return colors


def indexed_png(numbers: NDArray[np.uint8]) -> bytes:
    """Return a PNG of numbers (H, W) with that palette."""
    height, width = numbers.shape
    rows = np.pad(numbers, ((0, 0), (1, 0)))  # each row begins with its filter, 0 for none
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", palette().tobytes()),
        (b"IDAT", zlib.compress(rows.tobytes(), 6)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
