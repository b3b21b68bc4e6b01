"""FEAR-XS from its two ONNX graphs: `fear-xs:FOLDER` with `template.onnx` and `search.onnx`.

Paper: Borsuk et al., FEAR: Fast, Efficient, Accurate and Robust Visual Tracker,
https://arxiv.org/abs/2112.07957
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
    find_model,
    stretched,
)
from siamtrack.tracking.crops import mean_color

CELLS, STRIDE, TEMPLATE, SEARCH = 16, 16.0, 128, 256
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
