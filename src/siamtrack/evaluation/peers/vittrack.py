"""VitTrack of OpenCV's model zoo: `vittrack:FILE.onnx` or its folder.

The single-file network (template and search in, score, size and offset out) of
https://github.com/opencv/opencv_zoo/tree/main/models/object_tracking_vittrack
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from siamtrack.core.boxes import Array
from siamtrack.core.images import Image
from siamtrack.evaluation.peers.base import PEERS, Network, Seen, find_model
from siamtrack.evaluation.peers.centers import CELLS, SEARCH, TEMPLATE, box_of, square

TEMPLATE_FACTOR, SEARCH_FACTOR = 2.0, 4.0
KEEP_BELOW = 0.2
SMALLEST = 4.0


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

    def init(self, frame: Image, box: ArrayLike) -> None:
        """Start on a box."""
        self._box: Array = np.array(box, np.float64)
        self._template, _ = square(frame, self._box, TEMPLATE_FACTOR, TEMPLATE, nearest=False)

    def update(self, frame: Image) -> Seen:
        """Find the target."""
        search, taken = square(frame, self._box, SEARCH_FACTOR, SEARCH, nearest=False)
        score, size, offset = self._network({"template": self._template, "search": search})
        weighted = score[0, 0] * self._window
        row, column = divmod(int(weighted.argmax()), CELLS)
        best = float(weighted[row, column])
        if best >= KEEP_BELOW:
            found = box_of(size, offset, row, column, taken)
            extent = np.maximum(found[2:], SMALLEST)
            self._box = np.concatenate([found[:2] + (found[2:] - extent) / 2, extent])
        return Seen(self._box.copy(), best)
