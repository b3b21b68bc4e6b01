"""Boxes: conversion, validation, overlap. Pure NumPy; nothing here changes its input.

A box is `ltwh`: left, top, width, height; floats in pixels, continuous and 0-based. Pixel (0, 0)
covers [0, 1) x [0, 1), so that the center of a box is (left + width / 2, top + height / 2) and its
area width * height. Other orders go by their names, `ltrb` and `cxcywh`. All functions take one box
(4,) or many (..., 4) and return float64.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from siamtrack.core.config import shown

Array = NDArray[np.float64]

LEAST = 1e-3
"""Width and height in pixels that a box must have to be looked for: less is a rounding error."""


def _boxes(boxes: ArrayLike) -> Array:
    array = np.asarray(boxes, dtype=np.float64)
    if array.ndim == 0 or array.shape[-1] != 4:
        raise ValueError(f"expected boxes of shape (..., 4), got {array.shape}")
    return array


def ltwh_to_ltrb(boxes: ArrayLike) -> Array:
    """Return left, top, right, bottom.

    Example:
        >>> ltwh_to_ltrb([10, 20, 4, 6]).tolist()
        [10.0, 20.0, 14.0, 26.0]
    """
    b = _boxes(boxes)
    return np.concatenate([b[..., :2], b[..., :2] + b[..., 2:]], axis=-1)


def ltrb_to_ltwh(boxes: ArrayLike) -> Array:
    """Return left, top, width, height."""
    b = _boxes(boxes)
    return np.concatenate([b[..., :2], b[..., 2:] - b[..., :2]], axis=-1)


def ltwh_to_cxcywh(boxes: ArrayLike) -> Array:
    """Return center x, center y, width, height.

    Example:
        >>> ltwh_to_cxcywh([10, 20, 4, 6]).tolist()
        [12.0, 23.0, 4.0, 6.0]
    """
    b = _boxes(boxes)
    return np.concatenate([b[..., :2] + b[..., 2:] / 2, b[..., 2:]], axis=-1)


def cxcywh_to_ltwh(boxes: ArrayLike) -> Array:
    """Return left, top, width, height."""
    b = _boxes(boxes)
    return np.concatenate([b[..., :2] - b[..., 2:] / 2, b[..., 2:]], axis=-1)


def centers(boxes: ArrayLike) -> Array:
    """Return the centers (..., 2) as x, y in pixels."""
    b = _boxes(boxes)
    return b[..., :2] + b[..., 2:] / 2


def iou(a: ArrayLike, b: ArrayLike) -> Array:
    """Intersection over union of boxes (..., 4), element by element with broadcasting.

    Returns:
        Values in [0, 1]; 0 where both boxes have no area; NaN where a coordinate is NaN.

    Example:
        >>> float(iou([0, 0, 2, 2], [1, 0, 2, 2]))
        0.3333333333333333
    """
    p, q = _boxes(a), _boxes(b)
    overlap = area = other = np.float64(1.0)
    for side in (0, 1):  # x, then y
        low, start = p[..., side], q[..., side]
        high, end = low + p[..., side + 2], start + q[..., side + 2]
        overlap = overlap * np.maximum(np.minimum(high, end) - np.maximum(low, start), 0.0)
        area, other = area * np.maximum(high - low, 0.0), other * np.maximum(end - start, 0.0)
    union = area + other - overlap
    ratio = np.divide(overlap, union, out=np.zeros_like(union), where=union != 0)
    return np.asarray(ratio, dtype=np.float64)


def center_error(a: ArrayLike, b: ArrayLike) -> Array:
    """Euclidean distance of the centers of boxes (..., 4), in pixels.

    Example:
        >>> float(center_error([0, 0, 2, 2], [3, 4, 2, 2]))
        5.0
    """
    difference = centers(a) - centers(b)
    return np.hypot(difference[..., 0], difference[..., 1])


def clip(boxes: ArrayLike, width: float, height: float) -> Array:
    """Return boxes cut to the frame [0, width] x [0, height]; a box outside gets no area."""
    ltrb = ltwh_to_ltrb(boxes)
    limit = np.array([width, height, width, height], dtype=np.float64)
    return ltrb_to_ltwh(np.clip(ltrb, 0.0, limit))


def check_box(box: Sequence[float] | ArrayLike, width: int, height: int) -> Array:
    """Return `box` as a float64 array (4,) if it can start a target in a frame of this size.

    It may reach beyond the frame of width x height pixels, but not be larger.

    Raises:
        ValueError: If the box does not have four finite numbers, has no area, is wider or higher
            than the frame, or does not overlap it.

    Example:
        >>> check_box((5, 5, 10, 0), 64, 48)
        Traceback (most recent call last):
        ValueError: box 5 5 10 0: width and height must be above 0; give left top width height ...
    """
    try:
        array = np.asarray(box, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):  # an integer of hundreds of digits
        array = np.zeros(0)
    if array.shape != (4,) or np.iscomplexobj(box):
        raise ValueError(
            f"box {shown(box)}: expected four numbers, left top width height in pixels"
        )
    text = " ".join(f"{value:g}" for value in array)
    if not np.isfinite(array).all():
        raise ValueError(f"box {text}: all four numbers must be finite; give left top width height")
    left, top, w, h = array
    if w < LEAST or h < LEAST:
        raise ValueError(
            f"box {text}: width and height must be above 0"
            f"{'' if w <= 0 or h <= 0 else f' (at least {LEAST} pixels)'}; "
            "give left top width height in pixels"
        )
    if left >= width or top >= height or left + w <= 0 or top + h <= 0:
        raise ValueError(
            f"box {text} lies outside the frame of {width}x{height} pixels; "
            "give a box that overlaps it"
        )
    if w > width or h > height:
        raise ValueError(
            f"box {text} is larger than the frame of {width}x{height} pixels; "
            "give left top width height of the target alone"
        )
    return array


def polygons_to_ltwh(polygons: Array) -> Array:
    """Return the axis-aligned boxes (N, 4) around polygons (N, 2 * corners) of x, y pairs.

    Example:
        >>> polygons_to_ltwh(np.array([[1.0, 0, 3, 2, 1, 4, 0, 2]])).tolist()
        [[0.0, 0.0, 3.0, 4.0]]
    """
    corners = polygons.reshape(len(polygons), -1, 2)
    return ltrb_to_ltwh(np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1))
