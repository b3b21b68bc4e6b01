"""LightFC from its two ONNX graphs: `lightfc:FOLDER` with `template.onnx` and `search.onnx`.

Paper: Li et al., "Lightweight Full-Convolutional Siamese Tracker", 2023,
https://arxiv.org/abs/2310.05392
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from siamtrack.core.boxes import Array
from siamtrack.core.images import Image
from siamtrack.evaluation.peers.base import PEERS, Network, Seen, find_model
from siamtrack.evaluation.peers.centers import CELLS, SEARCH, TEMPLATE, box_of, square

SMALLEST = 2.0


@PEERS.register("lightfc")
class LightFC:
    """Windows of 2 and 4 times sqrt(width * height), Hann window, no smoothing.

    Args:
        source: Folder with the graphs.
        threads: Threads of ONNX Runtime.
    """

    name = "lightfc"

    def __init__(self, source: str, *, threads: int = 0) -> None:
        self._template = Network(find_model(source, "template.onnx"), threads)
        self._search = Network(find_model(source, "search.onnx"), threads)
        window = np.hanning(CELLS + 2)[1:-1]
        self._window = np.outer(window, window)

    def init(self, frame: Image, box: ArrayLike) -> None:
        """Start on a box."""
        self._box: Array = np.array(box, np.float64)
        patch, _ = square(frame, self._box, 2.0, TEMPLATE)
        (self._kernel,) = self._template({"template": patch})

    def update(self, frame: Image) -> Seen:
        """Find the target."""
        patch, taken = square(frame, self._box, 4.0, SEARCH)
        score, size, offset = self._search({"search": patch, "template_features": self._kernel})
        row, column = divmod(int((score[0, 0] * self._window).argmax()), CELLS)
        left, top, width, height = box_of(size, offset, row, column, taken).tolist()
        rows, columns = frame.shape[:2]
        x = np.clip([left, left + width], [0, SMALLEST], [columns - SMALLEST, columns])
        y = np.clip([top, top + height], [0, SMALLEST], [rows - SMALLEST, rows])
        sides = np.maximum([x[1] - x[0], y[1] - y[0]], SMALLEST)
        self._box = np.array([x[0], y[0], *sides])
        return Seen(self._box.copy(), float(score.max()))
