"""NanoTrack V2 and V3 from their ONNX graphs: `nanotrack-v2:FOLDER`, `nanotrack-v3:FOLDER`.

Networks and inference parameters: https://github.com/HonglinChu/SiamTrackers (NanoTrack). The
penalty and the smoothing are those of SiamRPN, https://doi.org/10.1109/CVPR.2018.00935
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike

from siamtrack.core.boxes import Array
from siamtrack.core.images import Image
from siamtrack.errors import MissingExtraError
from siamtrack.evaluation.peers.base import PEERS, Network, Seen, Tensor, find_model
from siamtrack.tracking.crops import context_side, mean_color

TEMPLATE, SEARCH, STRIDE, TEMPLATE_CELLS = 127, 255, 16.0, 8
SMALLEST = 10.0


@dataclass(frozen=True)
class _Version:
    window: float
    penalty: float
    rate: float
    cells: int


VERSIONS = {"v2": _Version(0.490, 0.150, 0.385, 16), "v3": _Version(0.455, 0.138, 0.348, 15)}


class NanoTrack:
    """BGR patches as they are, two class logits and four side distances per cell.

    `source` is a folder with a backbone and a head, `*backbone*.onnx` and `*head*.onnx`.

    Raises:
        WeightsError: If a graph is missing or damaged.
        MissingExtraError: If the package `onnx` is not installed: the published backbone has its
            input fixed at 255 px, and the template needs it at 127 px.
    """

    def __init__(self, source: str, *, version: str, threads: int = 0) -> None:
        self.name = f"nanotrack-{version}"
        self._version = VERSIONS[version]
        backbone = find_model(source, "*backbone*.onnx")
        self._template = Network(_for_template(backbone), threads)
        self._search = Network(backbone, threads)
        self._head = Network(find_model(source, "*head*.onnx"), threads)
        cells = self._version.cells
        window = np.hanning(cells)
        self._window = np.outer(window, window).ravel()
        at = (np.arange(cells) - cells // 2) * STRIDE
        self._grid = np.stack(np.meshgrid(at, at)).reshape(2, -1)

    def init(self, frame: Image, box: ArrayLike) -> None:
        """Start on a box."""
        left, top, width, height = np.array(box, np.float64)
        self._center: Array = np.array([left + width / 2, top + height / 2])
        self._size: Array = np.array([width, height])
        self._pad = mean_color(frame).tolist()
        patch = self._patch(frame, context_side(width, height), TEMPLATE)
        (self._kernel,) = self._template({"input": patch})

    def update(self, frame: Image) -> Seen:
        """Find the target."""
        side = context_side(*self._size)
        scale = TEMPLATE / side
        patch = self._patch(frame, side * SEARCH / TEMPLATE, SEARCH)
        (features,) = self._search({"input": patch})
        classes, distances = self._head({"input1": self._kernel, "input2": features})
        logits = classes.reshape(2, -1).astype(np.float64)
        score = 1 / (1 + np.exp(logits[0] - logits[1]))
        sides = distances.reshape(4, -1).astype(np.float64)
        low, high = self._grid - sides[:2], self._grid + sides[2:]
        sizes = np.maximum(high - low, 1e-3)
        penalty = self._penalty(sizes, self._size * scale)
        mix = self._version.window
        best = int((penalty * score * (1 - mix) + self._window * mix).argmax())
        rate = penalty[best] * score[best] * self._version.rate
        frame_size = np.array(frame.shape[1::-1], np.float64)
        center = self._center + (low[:, best] + high[:, best]) / 2 / scale
        size = self._size * (1 - rate) + sizes[:, best] / scale * rate
        self._center = np.clip(center, 0, frame_size)
        self._size = np.clip(size, SMALLEST, frame_size)
        box = np.concatenate([self._center - self._size / 2, self._size])
        return Seen(box, float(score[best]))

    def _penalty(self, sizes: Array, before: Array) -> Array:
        """Return exp(-k (change of size * change of shape - 1)) for sizes (2, N)."""
        area = _change(_padded(sizes) / _padded(before))
        shape = _change((before[0] / before[1]) / (sizes[0] / sizes[1]))
        return np.asarray(np.exp(-(area * shape - 1) * self._version.penalty), np.float64)

    def _patch(self, frame: Image, side: float, size: int) -> Tensor:
        scale = size / side
        shift = size / 2 - scale * self._center
        matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float32)
        patch = cv2.warpAffine(frame, matrix, (size, size), borderValue=self._pad)
        return np.ascontiguousarray(patch[..., ::-1].transpose(2, 0, 1)[None], np.float32)


def _change(ratio: Array) -> Array:
    return np.maximum(ratio, 1 / ratio)


def _padded(size: Array) -> Array:
    context = size.sum(axis=0) / 2
    return np.asarray(np.sqrt((size[0] + context) * (size[1] + context)), np.float64)


def _for_template(backbone: Path) -> bytes:
    """Return the backbone's graph with the template's input size."""
    try:
        import onnx
    except ImportError as reason:
        raise MissingExtraError("running NanoTrack", "onnx", "peers") from reason
    graph = onnx.load(str(backbone))
    for axis in (2, 3):
        graph.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = TEMPLATE
        for output in graph.graph.output:
            output.type.tensor_type.shape.dim[axis].dim_value = TEMPLATE_CELLS
    del graph.graph.value_info[:]
    return bytes(graph.SerializeToString())


PEERS.register("nanotrack-v2")(partial(NanoTrack, version="v2"))
PEERS.register("nanotrack-v3")(partial(NanoTrack, version="v3"))
