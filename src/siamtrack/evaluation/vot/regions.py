"""Overlap of boxes and polygons, bounded by the frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from siamtrack.boxes import Array, iou
from siamtrack.evaluation.metrics import bounded


def overlaps(first: ArrayLike, second: ArrayLike, size: tuple[int, int] | None = None) -> Array:
    """Return the overlap of regions, row by row.

    Areas are continuous, of the parts inside the frame. The VOT toolkit counts pixels instead;
    `docs/evaluation.md` says how far apart that is.

    Args:
        first: (N, 4) ltwh or (N, 2 * corners) convex polygons, 0-based pixels.
        second: The same.
        size: Width and height of the frame; None for no bound.

    Returns:
        (N,) in [0, 1]; 0 where a region is not finite or has no area in the frame.

    Example:
        >>> overlaps([[0, 0, 4, 4]], [[2, 0, 4, 0, 4, 4, 2, 4]]).tolist()
        [0.5]
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if a.shape[1] == 4 and b.shape[1] == 4:
        values = iou(bounded(a, size), bounded(b, size))
        return np.where(np.isfinite(values), values, 0.0)
    return np.array([_overlap(p, q, size) for p, q in zip(a, b, strict=True)], np.float64)


def corners(region: Array) -> Array:
    """Return the corners (K, 2) of a box (4,) or polygon (2 K,) in positive orientation."""
    if len(region) == 4:
        left, top, width, height = region
        right, bottom = left + width, top + height
        region = np.array([left, top, right, top, right, bottom, left, bottom])
    points = region.reshape(-1, 2)
    return points if area(points) >= 0 else points[::-1]


def area(points: Array) -> float:
    """Return the signed area of a polygon (K, 2); positive if clockwise on the screen."""
    if len(points) < 3:
        return 0.0
    after = np.roll(points, -1, axis=0)
    return float((points[:, 0] * after[:, 1] - after[:, 0] * points[:, 1]).sum() / 2)


def clip(subject: Array, window: Array) -> Array:
    """Return the part of a polygon (K, 2) inside a convex one (Sutherland and Hodgman)."""
    for start, end in zip(window, np.roll(window, -1, axis=0), strict=True):
        if len(subject) < 3:
            break
        edge = end - start
        side = edge[0] * (subject[:, 1] - start[1]) - edge[1] * (subject[:, 0] - start[0])
        kept = []
        for index, (point, here) in enumerate(zip(subject, side, strict=True)):
            before, there = subject[index - 1], side[index - 1]
            if (here >= 0) != (there >= 0):
                kept.append(before + (point - before) * (there / (there - here)))
            if here >= 0:
                kept.append(point)
        subject = np.array(kept).reshape(-1, 2)
    return subject


def _overlap(first: Array, second: Array, size: tuple[int, int] | None) -> float:
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        return 0.0
    a, b = corners(first), corners(second)
    if size is not None:
        frame = corners(np.array([0.0, 0.0, *size]))
        a, b = clip(a, frame), clip(b, frame)
    if len(a) < 3 or len(b) < 3:
        return 0.0
    both = abs(area(clip(a, b)))
    union = abs(area(a)) + abs(area(b)) - both
    return float(min(both / union, 1.0)) if union > 0 else 0.0
