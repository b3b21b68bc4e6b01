"""From boxes to entries; boxes that cannot be used become findings."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from siamtrack.core.boxes import Array
from siamtrack.data.annotations.findings import Findings
from siamtrack.data.manifest import Entry


def numbered(folder: str | Path, digits: int, first: int) -> Callable[[int], str]:
    """Return what names the image of a row: `first` is the number of row 0, padded to `digits`.

    Example:
        >>> numbered("a", 4, 1)(0)
        'a/0001.jpg'
    """
    root = str(folder)
    return lambda index: f"{root}/{index + first:0{digits}d}.jpg"


def track_entries(
    boxes: Array,
    image: Callable[[int], str] | Sequence[str],
    found: Findings,
    *,
    track: str,
    label: str,
    source: str,
    usable: NDArray[np.bool_] | None = None,
    size: tuple[float, float] | None = None,
    frames: Sequence[int] | None = None,
) -> Iterator[Entry]:
    """Yield the entries of one track.

    Args:
        boxes: (N, 4) ltwh, 0-based, one row a frame; rows that are not finite are absent frames.
        image: The image of a row: a function of its index, or a sequence (N,).
        found: Where boxes without area or outside the frame, and tracks without a box, are added.
        track: Name of the track, unique within the data set.
        label: Class name.
        source: Name of the data set.
        usable: (N,) which rows to use.
        size: Width and height of the frames, if known.
        frames: (N,) frame numbers of the rows; by default 0, 1, 2 ...
    """
    name = image if callable(image) else image.__getitem__
    present = np.isfinite(boxes).all(axis=1)
    if usable is not None:
        present &= usable
    with np.errstate(invalid="ignore"):
        area = (boxes[:, 2:] > 0).all(axis=1)
        inside = (boxes[:, :2] + boxes[:, 2:] > 0).all(axis=1)
        if size is not None:
            inside &= (boxes[:, :2] < np.asarray(size)).all(axis=1)
    for kind, wrong in (("no area", present & ~area), ("outside", present & area & ~inside)):
        for index in np.flatnonzero(wrong).tolist():
            found.add(kind, f"{name(index)} {boxes[index].tolist()}")
    good = np.flatnonzero(present & area & inside).tolist()
    if not good:
        found.add("empty", track)
    full = f"{source}/{track}"
    for index, box in zip(good, boxes[good].tolist(), strict=True):
        frame = index if frames is None else frames[index]
        yield Entry(name(index), (box[0], box[1], box[2], box[3]), full, frame, label, source)


def still_entry(
    box: Sequence[float],
    image: str,
    found: Findings,
    *,
    track: str,
    label: str,
    source: str,
    size: tuple[float, float] | None = None,
) -> Iterator[Entry]:
    """Yield the one entry of an object in a still image, or none if its box cannot be used.

    Args:
        box: left, top, width, height, 0-based.
        image: The image.
        found: Where a box without area or outside the image is added.
        track: Name of the object, unique within the data set.
        label: Class name.
        source: Name of the data set.
        size: Width and height of the image, if known.
    """
    left, top, width, height = map(float, box)
    kind = ""
    far = size is not None and (left >= size[0] or top >= size[1])
    if not (width > 0 and height > 0 and math.isfinite(left + top + width + height)):
        kind = "no area"
    elif left + width <= 0 or top + height <= 0 or far:
        kind = "outside"
    if kind:
        found.add(kind, f"{image} {[left, top, width, height]}")
    else:
        yield Entry(image, (left, top, width, height), f"{source}/{track}", 0, label, source)
