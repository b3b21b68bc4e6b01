"""Masks against true masks: region similarity J and contour accuracy F, as DAVIS defines them.

Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation",
CVPR 2016. J is the overlap of two masks; F compares their contours, which may be apart by 0.8 % of
the frame's diagonal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from siamtrack.core.boxes import Array

Bits = NDArray[np.bool_]
BOUND = 0.008
"""How far contours may be apart, as a share of the frame's diagonal."""


@dataclass(frozen=True)
class Similarity:
    """What DAVIS reports of the values of one object, frame by frame.

    Attributes:
        mean: Their mean.
        recall: The share of them over 0.5.
        decay: The mean of the first quarter less that of the last.
    """

    mean: float
    recall: float
    decay: float


def jaccard(found: ArrayLike, truth: ArrayLike) -> float:
    """Return J, intersection over union of two masks (H, W): 1 where both are empty.

    Raises:
        ValueError: If the masks have not the same two dimensions.

    Example:
        >>> jaccard([[1, 1, 0, 0]], [[0, 1, 1, 0]])
        0.3333333333333333
    """
    a, b = _pair(found, truth)
    either = int(np.count_nonzero(a | b))
    return int(np.count_nonzero(a & b)) / either if either else 1.0


def contour_accuracy(found: ArrayLike, truth: ArrayLike, bound: float = BOUND) -> float:
    """Return F, the harmonic mean of precision and recall of the contour pixels of two masks.

    A pixel of one contour is right where the other has one within `bound` diagonals of the frame,
    rounded up to whole pixels; 1 and more are pixels. Without any contour pixel, precision is 1 if
    only the found mask has none, recall is 1 if only the true one has none, and F is 1 if neither
    has any.

    Raises:
        ValueError: If the masks have not the same two dimensions.

    Example:
        >>> square = np.zeros((100, 100))
        >>> square[30:60, 30:60] = 1
        >>> contour_accuracy(np.roll(square, 2, axis=1), square)
        1.0
    """
    a, b = _pair(found, truth)
    reach = bound if bound >= 1 else math.ceil(bound * math.hypot(*a.shape))
    first, second = contour(a), contour(b)
    count, wanted = int(np.count_nonzero(first)), int(np.count_nonzero(second))
    if not count or not wanted:
        return 1.0 if count == wanted else 0.0
    precision = np.count_nonzero(first & _widened(second, reach)) / count
    recall = np.count_nonzero(second & _widened(first, reach)) / wanted
    both = precision + recall
    return float(2 * precision * recall / both) if both else 0.0


def contour(mask: ArrayLike) -> Bits:
    """Return the contour pixels (H, W) of a mask.

    They differ from the pixel at their right, below, or at the right below; beyond the frame
    everything is as at its border.

    Example:
        >>> contour([[0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]]).astype(int).tolist()
        [[1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]]
    """
    bits = np.asarray(mask) != 0
    padded = np.pad(bits, ((0, 1), (0, 1)), mode="edge")
    right, below, across = padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    return np.asarray((bits != right) | (bits != below) | (bits != across))


def similarity(values: ArrayLike) -> Similarity:
    """Return mean, recall and decay of J or F of one object, frame by frame; NaN does not count.

    DAVIS 2016 leaves out the first frame, which is given, and the last one; do so before.

    Raises:
        ValueError: If there are no values.
    """
    each = np.asarray(values, np.float64).reshape(-1)
    if not len(each) or np.isnan(each).all():
        raise ValueError("no values: expected J or F of one frame or more")
    # Four parts, whose ends both belong to them
    ends = np.floor(np.linspace(1, len(each), 5) + 0.5 + 1e-10).astype(int) - 1
    parts = [each[first : last + 1] for first, last in pairwise(ends.tolist())]
    decay = float(_mean(parts[0]) - _mean(parts[3]))
    known = each[~np.isnan(each)]
    return Similarity(float(known.mean()), float(np.mean(known > 0.5)), decay)


def mean_similarity(objects: Sequence[Similarity]) -> Similarity:
    """Return the mean over objects, each of which counts the same.

    Raises:
        ValueError: If there is none.
    """
    if not objects:
        raise ValueError("no objects: expected the similarity of one or more")
    rows = np.array([(each.mean, each.recall, each.decay) for each in objects])
    mean, recall, decay = rows.mean(axis=0).tolist()
    return Similarity(mean, recall, decay)


def _mean(values: Array) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def _pair(found: ArrayLike, truth: ArrayLike) -> tuple[Bits, Bits]:
    a, b = np.asarray(found) != 0, np.asarray(truth) != 0
    if a.ndim != 2 or a.shape != b.shape:
        raise ValueError(f"masks of shapes {a.shape} and {b.shape}: expected (H, W) of both")
    return a, b


def _widened(bits: Bits, reach: float) -> Bits:
    """Return the pixels that are no farther than `reach` from one that is set."""
    whole = int(reach)
    rows, columns = np.mgrid[-whole : whole + 1, -whole : whole + 1]
    disk = (rows**2 + columns**2 <= reach**2).astype(np.uint8)
    wide = cv2.dilate(bits.astype(np.uint8), disk, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(wide != 0)
