"""VitTrack of OpenCV's model zoo: `vittrack:FILE.onnx` or its folder.

The single-file network (template and search in, score, size and offset out) of
https://github.com/opencv/opencv_zoo/tree/main/models/object_tracking_vittrack
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from siamtrack.boxes import Array
from siamtrack.data.frames import Frame
from siamtrack.evaluation.peers.base import PEERS, Network, Seen, Tensor, find_model, stretched

CELLS, TEMPLATE, SEARCH = 16, 128, 256
TEMPLATE_FACTOR, SEARCH_FACTOR = 2.0, 4.0
KEEP_BELOW = 0.2
SMALLEST = 4.0
BLACK = (0.0, 0.0, 0.0)


@PEERS.register("vittrack")
class VitTrack:
    """Windows of 2 and 4 times sqrt(width * height); keeps its box where the score is below 0.2.

    Args:
        source: File or folder of the network.
        threads: Threads of ONNX Runtime.
    """

    name = "vittrack"

    def __init__(self, source: str, *, threads: int = 0) -> None:
        self._network = Network(find_model(source, "*.onnx"), threads)
        window = np.hanning(CELLS + 2)[1:-1]
        self._window = np.outer(window, window)

    def init(self, frame: Frame, box: ArrayLike) -> None:
        """Start on a box."""
        self._box: Array = np.array(box, np.float64)
        self._template, _ = self._patch(frame, TEMPLATE_FACTOR, TEMPLATE)

    def update(self, frame: Frame) -> Seen:
        """Find the target."""
        search, (left, top, side, _) = self._patch(frame, SEARCH_FACTOR, SEARCH)
        score, size, offset = self._network({"template": self._template, "search": search})
        weighted = score[0, 0] * self._window
        row, column = divmod(int(weighted.argmax()), CELLS)
        best = float(weighted[row, column])
        if best >= KEEP_BELOW:
            cell = np.array([column, row]) + offset[0, :, row, column]
            centre = np.array([left, top]) + cell / CELLS * side
            extent = np.maximum(size[0, :, row, column] * side, SMALLEST)
            self._box = np.concatenate([centre - extent / 2, extent]).astype(np.float64)
        return Seen(self._box.copy(), best)

    def _patch(
        self, frame: Frame, factor: float, size: int
    ) -> tuple[Tensor, tuple[int, int, int, int]]:
        left, top, width, height = (float(value) for value in self._box)
        side = float(np.ceil(np.sqrt(width * height) * factor))
        corner = left + (width - side) / 2, top + (height - side) / 2
        return stretched(frame, (*corner, side, side), size, BLACK)
