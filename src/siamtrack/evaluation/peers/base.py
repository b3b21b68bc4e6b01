"""What the trackers of others have in common: their registry, ONNX sessions, square patches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from siamtrack.core.images import IMAGENET_MEAN, IMAGENET_STD, Image
from siamtrack.core.registry import Registry
from siamtrack.core.tracks import Seen as Seen
from siamtrack.core.tracks import Tracker
from siamtrack.errors import WeightsError

Tensor = NDArray[np.float32]

MEAN, STD = np.array(IMAGENET_MEAN, np.float32), np.array(IMAGENET_STD, np.float32)

PEERS: Registry[Callable[..., Tracker]] = Registry("tracker", "siamtrack.trackers")
"""Kind of a tracker to what makes one: `maker(source, threads=0)`.

The source, a path or a name, is what stands behind the colon of its name; 0 threads let it choose.
"""


class Network:
    """One ONNX graph, from a file or its bytes; 0 threads let ONNX Runtime choose.

    Raises:
        WeightsError: If ONNX Runtime cannot load it.
    """

    def __init__(self, model: Path | bytes, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        given = model if isinstance(model, bytes) else str(model)
        try:
            self._session: Any = onnxruntime.InferenceSession(
                given, options, providers=["CPUExecutionProvider"]
            )
        except Exception as reason:  # ONNX Runtime has a class for every status
            name = "the graph" if isinstance(model, bytes) else model
            raise WeightsError(f"{name}: ONNX Runtime cannot load it ({reason})") from reason

    def __call__(self, feeds: Mapping[str, Tensor]) -> list[Tensor]:
        """Return all outputs in the order of the graph."""
        return list(self._session.run(None, dict(feeds)))


def find_model(source: str, *patterns: str) -> Path:
    """Return the file itself, or the one in a folder that fits one of the patterns.

    Raises:
        WeightsError: If there is no such file, or more than one.
    """
    path = Path(source)
    if path.is_file():
        return path
    if not path.is_dir():
        raise WeightsError(f"{path}: no such folder; give the one that holds {patterns[0]}")
    found = sorted(file for pattern in patterns for file in path.glob(pattern))
    if len(found) != 1:
        names = ", ".join(file.name for file in found) or "none"
        raise WeightsError(f"{path}: expected one file {' or '.join(patterns)}, found {names}")
    return found[0]


def stretched(
    frame: Image, box: tuple[float, float, float, float], size: int, pad: ArrayLike
) -> tuple[Tensor, tuple[int, int, int, int]]:
    """Cut a rectangle of whole pixels, which may leave the frame, and stretch it to a square.

    `box` is cut down to whole numbers; outside the frame is the color `pad`.

    Returns:
        ImageNet-normalized tensor (1, 3, size, size) and the rectangle that was taken.
    """
    left, top = int(box[0]), int(box[1])
    width, height = max(int(box[2]), 1), max(int(box[3]), 1)
    rows, columns = frame.shape[:2]
    x1, y1 = min(max(left, 0), columns), min(max(top, 0), rows)
    x2, y2 = max(min(left + width, columns), x1), max(min(top + height, rows), y1)
    patch = np.empty((height, width, 3), np.uint8)
    patch[:] = np.rint(pad).astype(np.uint8)
    patch[y1 - top : y2 - top, x1 - left : x2 - left] = frame[y1:y2, x1:x2]
    square = cv2.resize(patch, (size, size)).astype(np.float32)
    tensor = ((square - MEAN) / STD).transpose(2, 0, 1)[None]
    return np.ascontiguousarray(tensor, np.float32), (left, top, width, height)
