"""The size of an image from the first bytes of its file, without decoding it."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO

from siamtrack.data.cache import archive_of, read_image
from siamtrack.errors import ImageError

_PNG = b"\x89PNG\r\n\x1a\n"
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})


def image_size(path: str | Path) -> tuple[int, int]:
    """Return width and height in pixels, as `read_image` would give them.

    PNG, JPEG and WebP give them in their header; other files, and JPEG and WebP with Exif data,
    which may turn the picture, are decoded.

    Raises:
        ImageError: If the file is missing or is no image.
    """
    name = os.fspath(path)
    if archive_of(name) is None:
        try:
            if not Path(name).is_file() and Path(name).exists():
                raise ImageError(name, "is no ordinary file")
            with Path(name).open("rb") as file:
                head = file.read(30)
                if head[:8] == _PNG and len(head) >= 24:
                    return struct.unpack(">II", head[16:24])
                if head[:4] == b"RIFF" and head[8:12] == b"WEBP" and (size := _webp_size(head)):
                    return size
                if head[:2] == b"\xff\xd8" and (size := _jpeg_size(file)):
                    return size
        except OSError as error:
            reason = "missing" if isinstance(error, FileNotFoundError) else str(error.strerror)
            raise ImageError(name, reason) from error
    rows, cols = read_image(name).shape[:2]
    return cols, rows


def _webp_size(head: bytes) -> tuple[int, int] | None:
    """Read the first 30 bytes of a WebP; None if they do not tell, or Exif data may come."""
    kind = head[12:16]
    if kind == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack("<HH", head[26:30])
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L" and head[20:21] == b"\x2f":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X" and len(head) == 30 and not head[20] & 0x08:
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    return None


def _jpeg_size(file: BinaryIO) -> tuple[int, int] | None:
    """Find the frame header of a JPEG; None if there is none, or Exif data comes first."""
    file.seek(2)
    while len(segment := file.read(4)) == 4 and segment[0] == 0xFF:
        kind, length = segment[1], int.from_bytes(segment[2:], "big")
        if kind in _FRAMES:
            rest = file.read(5)
            return (
                (int.from_bytes(rest[3:5], "big"), int.from_bytes(rest[1:3], "big"))
                if len(rest) == 5
                else None
            )
        if kind == 0xE1 or kind == 0xDA or length < 2:
            return None
        file.seek(length - 2, os.SEEK_CUR)
    return None
