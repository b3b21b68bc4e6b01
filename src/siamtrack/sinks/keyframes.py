"""Thinning tracks to key frames, between which annotation tools interpolate."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from siamtrack.core.boxes import Array, ltwh_to_ltrb

DECIMALS = 2
"""Digits after the point of written key boxes."""


def key_frames(
    frames: ArrayLike, boxes: ArrayLike, error: float, keep: ArrayLike | None = None
) -> NDArray[np.bool_]:
    """Choose the frames of an unbroken stretch that suffice to draw its boxes by straight lines.

    Between two key frames, each side of a box is interpolated linearly over the frame number, from
    key boxes rounded to `DECIMALS`. A key frame is followed by the farthest one that keeps every
    side in between within `error`: a cone of slopes, narrowed frame by frame, as in O'Rourke, "An
    on-line algorithm for fitting straight lines between data ranges", 1981,
    https://doi.org/10.1145/358746.358758

    Args:
        frames: Numbers of the frames (N,), ascending.
        boxes: Boxes (N, 4) ltwh, finite.
        error: Pixels that a side may be off in between.
        keep: Which frames are key frames in any case (N,), such as those that a person drew.

    Returns:
        Which are key frames (N,); the first and the last are.

    Raises:
        ValueError: If `error` is no number of pixels from 0.

    Example:
        >>> boxes = [[0, 0, 8, 8], [2, 0, 8, 8], [4, 0, 8, 8], [4, 0, 8, 8], [4, 0, 8, 8]]
        >>> key_frames(range(5), boxes, 0.5).tolist()
        [True, False, True, False, True]
    """
    check_error(error)
    numbers = np.asarray(frames, np.float64)
    exact = ltwh_to_ltrb(np.asarray(boxes, np.float64).reshape(-1, 4))
    keys = np.round(exact, DECIMALS)
    chosen = np.zeros(len(numbers), bool) if keep is None else np.array(keep, bool)
    chosen[:1] = chosen[-1:] = True
    # From each key frame go as far as lines reach, at most to the next that has to stay
    fixed = np.flatnonzero(chosen)
    for start, stop in zip(fixed[:-1].tolist(), fixed[1:].tolist(), strict=True):
        while start < stop:
            start = _reach(numbers, exact, keys, start, stop, error)
            chosen[start] = True
    return chosen


def check_error(error: float) -> None:
    """Raise ValueError unless `error` is a number of pixels."""
    if not (math.isfinite(error) and error >= 0):
        raise ValueError(f"keyframes {error}: expected pixels, a number from 0 such as 1.0")


def interpolated(frames: ArrayLike, boxes: ArrayLike, keys: NDArray[np.bool_]) -> Array:
    """Return the boxes (N, 4) ltrb that annotation tools draw between key frames.

    Args:
        frames: Numbers of the frames (N,), ascending.
        boxes: Boxes (N, 4) ltwh.
        keys: Which are key frames (N,); the first and the last are.
    """
    numbers = np.asarray(frames, np.float64)
    corners = np.round(ltwh_to_ltrb(np.asarray(boxes, np.float64).reshape(-1, 4)), DECIMALS)
    sides = [np.interp(numbers, numbers[keys], corners[keys, side]) for side in range(4)]
    return np.stack(sides, axis=1)


def _reach(frames: Array, exact: Array, keys: Array, start: int, stop: int, error: float) -> int:
    """Return the farthest key frame up to `stop` that a line from `start` may lead to."""
    low, high = np.full(4, -np.inf), np.full(4, np.inf)
    best = start + 1
    for index in range(start + 1, stop + 1):
        span = frames[index] - frames[start]
        slope = (keys[index] - keys[start]) / span
        if (low <= slope).all() and (slope <= high).all():
            best = index
        # What the lines to later frames must keep here
        low = np.maximum(low, (exact[index] - error - keys[start]) / span)
        high = np.minimum(high, (exact[index] + error - keys[start]) / span)
        if (low > high).any():
            break
    return best
