"""From response maps to a box: window, penalty, peak. Pure functions of NumPy arrays."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from siamtrack.core.boxes import Array
from siamtrack.tracking.crops import context_side

Map = NDArray[np.float32]
F = TypeVar("F", bound=np.floating[Any])


@lru_cache(maxsize=16)
def cosine_window(rows: int, columns: int) -> Map:
    """Hann window (rows, columns), 1 in the middle, falling to almost 0 beyond the edge; read-only.

    Example:
        >>> cosine_window(3, 3)[1].round(2).tolist()
        [0.5, 1.0, 0.5]
    """
    y, x = np.hanning(rows + 2)[1:-1], np.hanning(columns + 2)[1:-1]
    return _fixed(np.outer(y, x).astype(np.float32))


@lru_cache(maxsize=16)
def cell_centres(count: int, stride: int, patch: int) -> Array:
    """Patch coordinates (count,) of the cells along a side, the grid in the middle; read-only.

    Example:
        >>> cell_centres(3, 16, 65).tolist()
        [16.5, 32.5, 48.5]
    """
    cells = np.arange(count, dtype=np.float64)
    return _fixed((cells - (count - 1) / 2) * stride + patch / 2)


def _fixed(array: NDArray[F]) -> NDArray[F]:
    """Make an array read-only, which many callers share."""
    array.flags.writeable = False
    return array


def box_at(distances: Array, row: int, column: int, stride: int, patch: int) -> Array:
    """Return the box ltwh (4,) of one cell of side distances (4, H, W), all in patch pixels."""
    _, rows, columns = distances.shape
    left, top, right, bottom = distances[:, row, column].tolist()
    x = cell_centres(columns, stride, patch)[column]
    y = cell_centres(rows, stride, patch)[row]
    return np.array([x - left, y - top, left + right, top + bottom])


def change_penalty(
    widths: Array, heights: Array, width: float, height: float, strength: float
) -> Array:
    """Factor in (0, 1] that disfavours boxes whose size or aspect differs from the last.

    exp(-strength * (r * s - 1)) with the change of aspect r and of size s, both at least 1. Li et
    al., "SiamRPN", CVPR 2018, section 4.3.

    Args:
        widths: Of the candidates, in patch pixels, of any shape.
        heights: Of the candidates, of the same shape.
        width: Width of the last box in patch pixels.
        height: Height of the last box in patch pixels.
        strength: 0 switches the penalty off.
    """
    w, h = np.maximum(widths, 1e-3), np.maximum(heights, 1e-3)
    margin = 0.5 * (w + h)
    size = np.sqrt((w + margin) * (h + margin)) / context_side(width, height)
    aspect = (w / h) / (width / height)
    change = np.maximum(size, 1 / size) * np.maximum(aspect, 1 / aspect)
    return np.asarray(np.exp(-strength * (change - 1)), dtype=np.float64)


def best_cell(scores: Map | Array, window: Map, influence: float) -> tuple[int, int]:
    """Row and column of the peak of scores (H, W) mixed with the cosine window.

    (1 - influence) * scores + influence * window, as in SiamFC and SiamRPN. A score that is not
    finite never wins, unless there is no other.

    Example:
        >>> best_cell(np.array([[-9.0, np.nan, -5.0]]), cosine_window(1, 3), 0.1)
        (0, 2)
    """
    good = np.isfinite(scores)
    if good.all():
        mixed = (1 - influence) * scores + influence * window
    else:
        mixed = (1 - influence) * np.where(good, scores, 0.0) + influence * window
        mixed[~good] = -np.inf
    row, column = divmod(int(mixed.argmax()), mixed.shape[1])
    return row, column
