"""Boxes around the masks in VOT's annotations since 2020.

A line is `m`, then left, top, width and height of the mask's rectangle, then the lengths of its
runs row by row, beginning with one outside the target. An empty mask is an absent target.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from siamtrack.core.boxes import Array
from siamtrack.core.files import read_text
from siamtrack.errors import DatasetError

MOST_PIXELS = 1 << 26
"""A mask that says it is larger is no annotation: it would fill the memory."""


def mask_boxes(file: Path) -> Array:
    """Read masks as boxes (N, 4) ltwh, NaN for empty ones.

    Raises:
        DatasetError: If a line is no mask; the message names it.
    """
    lines = read_text(file).split()
    boxes = np.full((len(lines), 4), np.nan)
    for number, line in enumerate(lines, start=1):
        try:
            boxes[number - 1] = mask_box(line)
        except ValueError as reason:
            raise DatasetError(f"{file}, line {number}: not a mask ({reason})") from reason
    return boxes


def mask_box(text: str) -> Array:
    """Return the box (4,) around one encoded mask.

    Raises:
        ValueError: If the text is no mask or its runs do not fit its rectangle.

    Example:
        >>> mask_box("m10,20,4,2,1,2,2,1,2").tolist()
        [11.0, 20.0, 2.0, 2.0]
    """
    if not text.startswith("m"):
        raise ValueError(f"{text[:30]!r} does not begin with m")
    try:
        left, top, width, height, *runs = (int(float(word)) for word in text[1:].split(","))
    except OverflowError as reason:
        raise ValueError("its numbers are not finite") from reason
    return runs_box(left, top, width, height, runs)


def runs_box(left: int, top: int, width: int, height: int, runs: list[int]) -> Array:
    """Return the box (4,) around the mask that runs describe, NaN for an empty one.

    Raises:
        ValueError: If the rectangle is too large, or the runs are longer than it.
    """
    if min(width, height, *runs) < 0 or width * height > MOST_PIXELS:
        raise ValueError(f"a rectangle of {width} x {height} with runs from {min(runs, default=0)}")
    if sum(runs) > width * height:
        raise ValueError(f"its runs have {sum(runs)} pixels, its rectangle {width} x {height}")
    flat = np.repeat(np.arange(len(runs)) % 2, runs)
    mask = np.zeros(width * height, bool)
    mask[: len(flat)] = flat > 0
    rows, columns = np.nonzero(mask.reshape(height, width))
    if not len(rows):
        return np.full(4, np.nan)
    x, y = columns.min(), rows.min()
    box = [left + x, top + y, columns.max() - x + 1, rows.max() - y + 1]
    return np.array(box, np.float64)
