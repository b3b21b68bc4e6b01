"""Overlap of boxes and polygons, bounded by the frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from siamtrack.boxes import Array, iou
from siamtrack.evaluation.metrics import bounded


def overlaps(first: ArrayLike, second: ArrayLike, size: tuple[int, int] | None = None) -> Array:
    """Return the overlap of regions, row by row.

    Of two boxes it is continuous. Where one is a polygon pixels are counted, as the VOT toolkit
    does; that is worth a hundredth in its figures. `docs/evaluation.md` says how near the toolkit's
    own values are.

    Args:
        first: (N, 4) ltwh or (N, 2 * corners) polygons, 0-based pixels.
        second: The same.
        size: Width and height of the frame; None for no bound.

    Returns:
        (N,) in [0, 1]; 0 where a region is not finite or has no area in the frame.

    Example:
        >>> overlaps([[0, 0, 4, 4]], [[2, 0, 4, 4]]).tolist()
        [0.3333333333333333]
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if a.shape[1] == 4 and b.shape[1] == 4:
        values = iou(bounded(a, size), bounded(b, size))
        return np.where(np.isfinite(values), values, 0.0)
    return np.array([_counted(p, q, size) for p, q in zip(a, b, strict=True)], np.float64)


def _counted(first: Array, second: Array, size: tuple[int, int] | None) -> float:
    """Return the overlap of two regions in pixels."""
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        return 0.0
    extents = np.stack([_extent(first), _extent(second)])
    low, high = extents[:, :2].min(axis=0), extents[:, 2:].max(axis=0)
    if size is not None:
        low, high = np.maximum(low, 0), np.minimum(high, np.array(size) - 1)
    if (high < low).any():
        return 0.0
    a, b = _mask(first, low, high), _mask(second, low, high)
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 0.0


def _extent(region: Array) -> NDArray[np.int64]:
    """Return the first and last column and row (4,) that a region may touch."""
    corners = _corners(region)
    return np.concatenate([corners.min(axis=0), corners.max(axis=0)])


def _corners(region: Array) -> NDArray[np.int64]:
    """Return whole corners (K, 2): of a box two, of which the second lies outside."""
    whole = np.rint(region).astype(np.int64)
    if len(region) == 4:
        return np.stack([whole[:2], whole[:2] + whole[2:]])
    return whole.reshape(-1, 2)


def _mask(region: Array, low: NDArray[np.int64], high: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the pixels of a region in the window from `low` to `high`, both included.

    A box has its rounded width and height. A polygon has, in each row that an edge crosses, the
    pixels from one edge to the other, both rounded down and included.
    """
    width, height = (high - low + 1).tolist()
    mask = np.zeros((height, width), np.uint8)
    corners = _corners(region) - low
    if len(region) == 4:
        left, top, right, bottom = np.maximum(corners, 0).ravel().tolist()
        mask[top:bottom, left:right] = 1
        return mask
    after = np.roll(corners, -1, axis=0)
    for y in range(max(int(corners[:, 1].min()), 0), min(int(corners[:, 1].max()), height)):
        crossing = (corners[:, 1] <= y) != (after[:, 1] <= y)
        start, end = corners[crossing], after[crossing]
        part = (y - start[:, 1]) / (end[:, 1] - start[:, 1])
        edges = np.sort(np.floor(start[:, 0] + part * (end[:, 0] - start[:, 0])).astype(np.int64))
        for left, right in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            mask[y, max(left, 0) : max(right + 1, 0)] = 1
    return mask
