"""Trackers that answer at each of 16 x 16 cells: LightFC, VitTrack and FEAR-XS.

`lightfc:FOLDER`, and `vittrack:FILE.onnx` or its folder, cut square windows and read maps of
center, size and offset. LightFC has two graphs,
`template.onnx` and `search.onnx`: Li et al., "Lightweight Full-Convolutional Siamese Tracker",
2023, https://arxiv.org/abs/2310.05392. VitTrack is the single-file network (template and search in,
score, size and offset out) of
https://github.com/opencv/opencv_zoo/tree/main/models/object_tracking_vittrack

`fear-xs:FOLDER`, with `template.onnx` and `search.onnx`, stretches boxes with a margin and reads
distances to the sides: Borsuk et al., "FEAR: Fast, Efficient, Accurate and Robust Visual Tracker",
2021, https://arxiv.org/abs/2112.07957
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from siamtrack.core.boxes import Array
from siamtrack.core.images import Image
from siamtrack.evaluation.peers.base import (
    PEERS,
    Network,
    Seen,
    Tensor,
    find_model,
    stretched,
)
from siamtrack.tracking.crops import mean_color

CELLS, TEMPLATE, SEARCH = 16, 128, 256
TEMPLATE_FACTOR, SEARCH_FACTOR = 2.0, 4.0
BLACK = (0.0, 0.0, 0.0)

_HANN = np.hanning(CELLS + 2)[1:-1]
WINDOW = np.outer(_HANN, _HANN)

Taken = tuple[int, int, int, int]


def square(
    frame: Image, box: Array, factor: float, size: int, *, nearest: bool = True
) -> tuple[Tensor, Taken]:
    """Cut the square about a box ltwh (4,), `factor` * sqrt(width * height) on a side, rounded up.

    Its corner moves to the nearest pixel, or towards zero unless `nearest`.

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
    """Read the box of a cell, ltwh (4,) in frame pixels, from a window `taken` at ltwh.

    `size` (1, 2, CELLS, CELLS) are shares of the window, `offset` places in the cell.
    """
    left, top, side, _ = taken
    cell = np.array([column, row]) + offset[0, :, row, column]
    center = np.array([left, top]) + cell / CELLS * side
    extent = size[0, :, row, column].astype(np.float64) * side
    return np.concatenate([center - extent / 2, extent]).astype(np.float64)


@PEERS.register("lightfc")
class LightFC:
    """Windows of 2 and 4 times sqrt(width * height), Hann window, no smoothing."""

    name, smallest = "lightfc", 2.0

    def __init__(self, source: str, *, threads: int = 0) -> None:
        self._template = Network(find_model(source, "template.onnx"), threads)
        self._search = Network(find_model(source, "search.onnx"), threads)

    def init(self, frame: Image, box: ArrayLike) -> None:
        """Start on a box."""
        self._box: Array = np.array(box, np.float64)
        patch, _ = square(frame, self._box, TEMPLATE_FACTOR, TEMPLATE)
        (self._kernel,) = self._template({"template": patch})

    def update(self, frame: Image) -> Seen:
        """Find the target."""
        patch, taken = square(frame, self._box, SEARCH_FACTOR, SEARCH)
        score, size, offset = self._search({"search": patch, "template_features": self._kernel})
        row, column = divmod(int((score[0, 0] * WINDOW).argmax()), CELLS)
        left, top, width, height = box_of(size, offset, row, column, taken).tolist()
        rows, columns = frame.shape[:2]
        x = np.clip([left, left + width], [0, self.smallest], [columns - self.smallest, columns])
        y = np.clip([top, top + height], [0, self.smallest], [rows - self.smallest, rows])
        sides = np.maximum([x[1] - x[0], y[1] - y[0]], self.smallest)
        self._box = np.array([x[0], y[0], *sides])
        return Seen(self._box.copy(), float(score.max()))


@PEERS.register("vittrack")
class VitTrack:
    """Windows of 2 and 4 times sqrt(width * height); keeps its box where the score is below 0.2."""

    name, smallest, keep_below = "vittrack", 4.0, 0.2

    def __init__(self, source: str, *, threads: int = 0) -> None:
        self._network = Network(find_model(source, "*.onnx"), threads)

    def init(self, frame: Image, box: ArrayLike) -> None:
        """Start on a box."""
        self._box: Array = np.array(box, np.float64)
        self._template, _ = square(frame, self._box, TEMPLATE_FACTOR, TEMPLATE, nearest=False)

    def update(self, frame: Image) -> Seen:
        """Find the target."""
        search, taken = square(frame, self._box, SEARCH_FACTOR, SEARCH, nearest=False)
        score, size, offset = self._network({"template": self._template, "search": search})
        weighted = score[0, 0] * WINDOW
        row, column = divmod(int(weighted.argmax()), CELLS)
        best = float(weighted[row, column])
        if best >= self.keep_below:
            found = box_of(size, offset, row, column, taken)
            extent = np.maximum(found[2:], self.smallest)
            self._box = np.concatenate([found[:2] + (found[2:] - extent) / 2, extent])
        return Seen(self._box.copy(), best)


STRIDE = 16.0
TEMPLATE_MARGIN, SEARCH_MARGIN = 0.2, 2.0
SMALLEST = 3.0


@PEERS.register("fear-xs")
class FearXS:
    """Template 1.4 times the box at 128 px, search 5 times at 256 px, highest logit wins.

    The search graph takes the template's features and gives distances to the four sides in pixels
    of the search patch, and logits, on 16 x 16 cells.
    """

    name = "fear-xs"

    def __init__(self, source: str, *, threads: int = 0) -> None:
        self._template = Network(find_model(source, "template.onnx"), threads)
        self._search = Network(find_model(source, "search.onnx"), threads)

    def init(self, frame: Image, box: ArrayLike) -> None:
        """Start on a box."""
        self._box: Array = np.array(box, np.float64)
        self._pad = mean_color(frame)
        patch, _ = stretched(frame, self._around(TEMPLATE_MARGIN), TEMPLATE, self._pad)
        (self._kernel,) = self._template({"image": patch})

    def update(self, frame: Image) -> Seen:
        """Find the target."""
        patch, taken = stretched(frame, self._around(SEARCH_MARGIN), SEARCH, self._pad)
        distances, logits = self._search({"image": patch, "template_features": self._kernel})
        row, column = divmod(int(logits[0, 0].argmax()), CELLS)
        at = SEARCH / 2 + STRIDE * (np.array([column, row]) - CELLS / 2)
        sides = distances[0, :, row, column].astype(np.float64)
        scale, corner = np.array(taken[2:]) / SEARCH, np.array(taken[:2])
        frame_size = np.array(frame.shape[1::-1], np.float64)
        low = np.clip(corner + (at - sides[:2]) * scale, 0, frame_size)
        high = np.clip(corner + (at + sides[2:]) * scale, 0, frame_size)
        size = np.maximum(high - low, SMALLEST)
        self._box = np.concatenate([np.minimum(low, frame_size - size), size])
        return Seen(self._box.copy(), float(1 / (1 + np.exp(-logits[0, 0, row, column]))))

    def _around(self, margin: float) -> tuple[float, float, float, float]:
        left, top, width, height = (float(value) for value in self._box)
        grown = 1 + 2 * margin
        return left - margin * width, top - margin * height, grown * width, grown * height
