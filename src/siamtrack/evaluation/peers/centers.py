"""What center-based trackers have in common: square windows, maps of center, size and offset."""

from __future__ import annotations

import numpy as np

from siamtrack.core.boxes import Array
from siamtrack.core.images import Image
from siamtrack.evaluation.peers.base import Tensor, stretched

CELLS, TEMPLATE, SEARCH = 16, 128, 256
BLACK = (0.0, 0.0, 0.0)

Taken = tuple[int, int, int, int]


def square(
    frame: Image, box: Array, factor: float, size: int, *, nearest: bool = True
) -> tuple[Tensor, Taken]:
    """Cut the square about a box whose side is `factor` times sqrt(width * height), rounded up.

    Args:
        frame: RGB (H, W, 3).
        box: ltwh (4,).
        factor: Of the side.
        size: Side of the patch in pixels.
        nearest: Move its corner to the nearest pixel; towards zero otherwise.

    Returns:
        ImageNet-normalized tensor (1, 3, size, size) and the rectangle that was taken, ltwh.
    """
    left, top, width, height = box.tolist()
    side = max(float(np.ceil(np.sqrt(width * height) * factor)), 1.0)
    corner = left + (width - side) / 2, top + (height - side) / 2
    if nearest:
        corner = round(corner[0]), round(corner[1])
    return stretched(frame, (*corner, side, side), size, BLACK)


def box_of(size: Tensor, offset: Tensor, row: int, column: int, taken: Taken) -> Array:
    """Read the box of a cell, ltwh (4,) in frame pixels.

    Args:
        size: Width and height as shares of the window (1, 2, CELLS, CELLS).
        offset: Place of the center in its cell (1, 2, CELLS, CELLS).
        row: Row of the cell.
        column: Its column.
        taken: The window, ltwh.
    """
    left, top, side, _ = taken
    cell = np.array([column, row]) + offset[0, :, row, column]
    center = np.array([left, top]) + cell / CELLS * side
    extent = size[0, :, row, column].astype(np.float64) * side
    return np.concatenate([center - extent / 2, extent]).astype(np.float64)
