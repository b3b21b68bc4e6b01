"""Boxes around the objects of mask images, for DAVIS and YouTube-VOS."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from siamtrack.core.files import bytes_of
from siamtrack.core.images import decode
from siamtrack.data.annotations.entries import track_entries
from siamtrack.data.annotations.findings import Findings
from siamtrack.data.manifest import Entry
from siamtrack.errors import ImageError

Boxes = dict[int, tuple[float, float, float, float]]
VOID = 255
"""Index of pixels that belong to no object, beside 0."""


def read_mask(path: Path) -> NDArray[np.uint8]:
    """Return the object numbers (H, W) of a mask, a PNG with a palette or in gray.

    A gray mask of one object has 0 and 255; that object is number 1.

    Raises:
        ImageError: If the file is missing or is no such image.
    """
    try:
        data = bytes_of(path)
    except OSError as error:
        reason = "missing" if isinstance(error, FileNotFoundError) else str(error.strerror)
        raise ImageError(str(path), reason) from error
    # decoders turn palette numbers into colours: say gray in the header, and the numbers stay
    is_palette = data[:8] == b"\x89PNG\r\n\x1a\n" and data[25:26] == b"\x03"
    depth = data[24] if is_palette else 8
    if is_palette:
        header = data[12:25] + b"\x00" + data[26:29]
        data = data[:12] + header + struct.pack(">I", zlib.crc32(header)) + _plain(data[33:])
    mask = decode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if mask is None or mask.dtype != np.uint8:
        raise ImageError(str(path), "no readable mask")
    if mask.ndim == 3:
        mask = mask[..., :3].max(axis=2)
    if depth < 8:
        mask = mask // (255 // (2**depth - 1))
    elif not is_palette and set(np.unique(mask).tolist()) <= {0, 255}:
        mask = np.minimum(mask, 1)
    return np.asarray(mask, dtype=np.uint8)


def _plain(chunks: bytes) -> bytes:
    """Return the chunks of a PNG without palette and transparency, which gray does not have."""
    place = 0
    kept = []
    while place + 8 <= len(chunks) and (kind := chunks[place + 4 : place + 8]) != b"IDAT":
        end = place + 12 + int.from_bytes(chunks[place : place + 4], "big")
        if kind not in (b"PLTE", b"tRNS", b"bKGD", b"hIST", b"sBIT"):
            kept.append(chunks[place:end])
        place = end
    return b"".join(kept) + chunks[place:]


def mask_boxes(mask: NDArray[np.uint8]) -> Boxes:
    """Return the box ltwh around each object of a mask (H, W), by number.

    Example:
        >>> mask = np.zeros((6, 8), np.uint8)
        >>> mask[2:4, 3:7] = 5
        >>> mask_boxes(mask)
        {5: (3.0, 2.0, 4.0, 2.0)}
    """
    boxes: Boxes = {}
    for number in np.flatnonzero(np.bincount(mask.ravel(), minlength=256)).tolist():
        if number not in (0, VOID):
            left, top, width, height = cv2.boundingRect((mask == number).astype(np.uint8))
            boxes[number] = (float(left), float(top), float(width), float(height))
    return boxes


def mask_entries(
    masks: Sequence[Path],
    images: str,
    found: Findings,
    *,
    video: str,
    source: str,
    labels: Mapping[int, str],
    workers: ThreadPoolExecutor,
) -> Iterator[Entry]:
    """Yield the objects of one video.

    Args:
        masks: Mask files in the order of the frames; a stem that is a number is that of its frame.
        images: Folder of the images, JPEGs whose stems are those of the masks.
        found: Where unreadable masks are added.
        video: Name of the video.
        source: Name of the data set.
        labels: Class names by object number.
        workers: Threads that decode masks.
    """

    def boxes_in(path: Path) -> Boxes | ImageError:
        try:
            return mask_boxes(read_mask(path))
        except ImageError as error:
            return error

    tracks: dict[int, list[tuple[str, int, tuple[float, float, float, float]]]] = {}
    for index, (path, boxes) in enumerate(zip(masks, workers.map(boxes_in, masks), strict=True)):
        if isinstance(boxes, ImageError):
            found.add("unreadable", str(boxes))
            continue
        frame = int(path.stem) if path.stem.isdecimal() else index
        for number, box in boxes.items():
            tracks.setdefault(number, []).append((f"{images}/{path.stem}.jpg", frame, box))
    if not tracks:
        found.add("empty", video)
    for number, items in sorted(tracks.items()):
        yield from track_entries(
            np.array([box for _, _, box in items]), [name for name, _, _ in items], found,
            track=f"{video}/{number}", label=labels.get(number, ""), source=source,
            frames=[frame for _, frame, _ in items],
        )  # fmt: skip
