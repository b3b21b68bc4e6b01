"""Overlap of boxes, polygons and masks in whole pixels of the frame, as the VOT toolkit has it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from siamtrack.core.boxes import Array, iou
from siamtrack.core.masks import Bits, Mask
from siamtrack.evaluation.metrics import bounded

Whole = NDArray[np.int64]
Region = Array | Mask
"""A box ltwh (4,), the corners of a polygon (2 * corners,), or a mask."""


def overlaps(first: ArrayLike, second: ArrayLike, size: tuple[int, int] | None = None) -> Array:
    """Return the overlap of regions, (N, 4) ltwh or (N, 2 * corners) in 0-based pixels, row by row.

    Coordinates are rounded to whole pixels first: of a box left, top, width and height, of a
    polygon its corners. On a target of 40 pixels that is worth a hundredth against continuous
    boxes. `size` of the frame bounds them.

    Returns:
        (N,) in [0, 1]; 0 where a region is not finite or has no pixel in the frame.

    Example:
        >>> overlaps([[0, 0.3, 4, 4.4]], [[2, 0, 4, 4]]).tolist()
        [0.3333333333333333]
    """
    a, b = (np.asarray(regions, np.float64) for regions in (first, second))
    known = np.asarray(np.isfinite(a).all(axis=1) & np.isfinite(b).all(axis=1))
    values = np.zeros(len(a))
    if known.any():
        values[known] = _of_whole(_rounded(a[known]), _rounded(b[known]), size)
    return values


def region_overlaps(
    first: Iterable[Region], second: Iterable[Region], size: tuple[int, int] | None = None
) -> Array:
    """Return the overlap (N,) of regions of which some are masks, as `overlaps` does.

    Pixels of masks count as they are; boxes and polygons are rounded to whole pixels first.

    Example:
        >>> bits = np.zeros((6, 8), bool)
        >>> bits[2:4, 1:7] = True
        >>> region_overlaps([Mask.of(bits)], [np.array([1.0, 2, 3, 4])]).tolist()
        [0.3333333333333333]
    """
    return np.array([_overlap(a, b, size) for a, b in zip(first, second, strict=True)])


def _overlap(first: Region, second: Region, size: tuple[int, int] | None) -> float:
    a, b = (_whole(region) for region in (first, second))
    if a is None or b is None:
        return 0.0
    if not (isinstance(a, Mask) or isinstance(b, Mask)):
        return float(_of_whole(a[None], b[None], size)[0])
    ends = [_ends(a), _ends(b)]
    low, high = np.minimum(ends[0][:2], ends[1][:2]), np.maximum(ends[0][2:], ends[1][2:])
    if (low >= high).any():  # the toolkit's first rule, below
        return 1.0
    if size is not None:
        low, high = np.maximum(low, 0), np.minimum(high, np.array(size) - 1)
    if (low >= high).any():
        return 0.0
    p, q = (_shown(region, low, high) for region in (a, b))
    return np.count_nonzero(p & q) / max(int(np.count_nonzero(p | q)), 1)


def _whole(region: Region) -> Region | None:
    """Return a region in whole pixels; None if it has no pixel or is not finite."""
    if isinstance(region, Mask):
        return region if region.area else None
    return _rounded(region) if np.isfinite(region).all() else None


def _ends(region: Region) -> Whole:
    """Return the first column and row, and the last ones, that a region may touch."""
    if isinstance(region, Mask):
        height, width = region.pixels.shape
        ends = [region.left, region.top, region.left + width - 1, region.top + height - 1]
        return np.array(ends, np.int64)
    return np.asarray(_extents(region[None])[0], np.int64)


def _shown(region: Region, low: Whole, high: Whole) -> Bits:
    """Return the pixels of a region in the window from `low` to `high`, both included."""
    if not isinstance(region, Mask):
        return _mask(region.astype(np.int64), low, high)
    width, height = (high - low + 1).tolist()
    offset = (region.left - int(low[0]), region.top - int(low[1]))
    return Mask.of(region.pixels, offset, (height, width)).full()


def _rounded(numbers: Array) -> Array:
    """Return the nearest whole numbers, of halves the even one, in the toolkit's precision."""
    return np.rint(numbers.astype(np.float32)).astype(np.float64)


def _of_whole(a: Array, b: Array, size: tuple[int, int] | None) -> Array:
    """Return the overlap of regions (N, 4) or (N, 2 * corners) of whole numbers."""
    ends = [_extents(a), _extents(b)]
    low = np.minimum(ends[0][:, :2], ends[1][:, :2])
    high = np.maximum(ends[0][:, 2:], ends[1][:, 2:])
    same = (low >= high).any(axis=1)
    if size is not None:
        low, high = np.maximum(low, 0), np.minimum(high, np.array(size) - 1)
    seen = np.asarray((low < high).all(axis=1))
    if a.shape[1] == b.shape[1] == 4:
        values = iou(bounded(a, size), bounded(b, size))
    else:
        values = np.zeros(len(a))
        for row in np.flatnonzero(seen):
            window = low[row].astype(np.int64), high[row].astype(np.int64)
            p, q = (_mask(region[row].astype(np.int64), *window) for region in (a, b))
            values[row] = np.count_nonzero(p & q) / max(int(np.count_nonzero(p | q)), 1)
    # Two rules of the toolkit: regions that together are one pixel wide or high are the same, and
    # those of which the frame shows no more than that do not overlap.
    return np.where(same, 1.0, np.where(seen, values, 0.0))


def _extents(regions: Array) -> Array:
    """Return the first column and row, and the last ones (N, 4), that each region may touch."""
    if regions.shape[1] == 4:
        return np.concatenate([regions[:, :2], regions[:, :2] + regions[:, 2:] - 1], axis=1)
    corners = regions.reshape(len(regions), -1, 2)
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)


def _mask(region: Whole, low: Whole, high: Whole) -> Bits:
    """Return the pixels of a region in the window from `low` to `high`, both included."""
    width, height = (high - low + 1).tolist()
    if len(region) > 4:
        return _filled(region.reshape(-1, 2) - low, width, height)
    mask = np.zeros((height, width), bool)
    begin = region[:2] - low
    left, top = np.maximum(begin, 0).tolist()
    right, bottom = np.maximum(begin + region[2:], 0).tolist()
    mask[top:bottom, left:right] = True
    return mask


def _filled(corners: Whole, width: int, height: int) -> Bits:
    """Return the pixels (height, width) of a polygon with whole corners (K, 2).

    In each row the edges that reach it, their ends included, say where it enters and leaves; both
    columns are rounded towards 0 and belong to the polygon. A row through a corner meets two edges
    there, of which one is left out where others follow.
    """
    before, rows = np.roll(corners, 1, axis=0), np.arange(height)[:, None]
    (x, y), (from_x, from_y) = corners.T, before.T
    meets = (np.minimum(y, from_y) <= rows) & (rows <= np.maximum(y, from_y))
    with np.errstate(divide="ignore", invalid="ignore"):
        at = x + (rows - y) / (from_y - y) * (from_x - x)
    at = np.trunc(np.where(y == from_y, x, at))  # of a level edge its end stands for it
    count, edges = meets.sum(axis=1), np.sort(np.where(meets, at, np.inf), axis=1)
    columns = np.arange(width)
    simple = (count == 2)[:, None]
    mask = np.asarray(simple & (edges[:, :1] <= columns) & (columns <= edges[:, 1:2]))
    for row in np.flatnonzero(count > 2):
        places, last = edges[row, : count[row]].tolist(), int(count[row]) - 1
        place = 0
        while place < last:
            start, end = places[place], places[place + 1]
            if start == end and place + 1 < last:
                place += 1
                continue
            mask[row] |= (start <= columns) & (columns <= end)
            place += 2
    return mask
