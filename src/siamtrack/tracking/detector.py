"""Detectors in ONNX files, in the two layouts that most are exported in: YOLOv8 and YOLOX."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from siamtrack.core.boxes import Array, iou
from siamtrack.core.images import Image
from siamtrack.errors import WeightsError

Detect = Callable[[Image], Any]
"""Takes a frame (H, W, 3) and returns boxes (N, 4) ltwh of what is in it, or None: did not look."""

SIDE = 640
"""Side of the picture where the graph takes any size."""
STRIDES = ((8, 16, 32), (8, 16, 32, 64))
"""Strides of the grids whose cells a row of the output stands for."""
GRAY = 114
"""What fills the picture beside the frame."""
SURE = 0.3
"""Score from which on something is a detection, unless somebody says otherwise."""
MOST = 1000
"""No more detections of a frame than these, the surest, are compared with each other."""
RAW = 8.0
"""Cells: centers of boxes that lie further than this from their cell, in the median, are pixels."""
NUMBERS = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


@dataclass(frozen=True, eq=False)
class Found:
    """What a detector sees in a frame: boxes (N, 4) ltwh, scores (N,) and classes (N,)."""

    boxes: Array
    scores: Array
    classes: NDArray[np.int64]


class OnnxDetector:
    """Runs a detector from an ONNX file; a call returns the boxes (N, 4) ltwh in a frame.

    The layout is recognized by the shape of the only output, for N cells of the grids of strides 8,
    16 and 32 (and 64) in the picture:

    - YOLOv8 and its successors: (1, 4 + C, N), center and size in pixels of the picture, and scores
      of C classes. The frame stands in the middle of the picture, RGB in [0, 1].
    - YOLOX: (1, N, 5 + C), center and logarithm of the size in cells (or, where the graph was
      exported with its decoder, in pixels), the score that there is an object, and those of C
      classes. The frame stands at the top left, BGR in [0, 255].

    https://docs.ultralytics.com and https://arxiv.org/abs/2107.08430. No weights come with
    siamtrack; mind the license of those that you use.

    Args:
        path: The ONNX file.
        least: Score from which on something is a detection, in [0, 1].
        overlap: Of two detections of a class whose IoU is above this, the surer one is kept.
        classes: Classes to keep, by number or, where the file has them, by name; all by default.
        threads: Threads of the network; 0 lets ONNX Runtime choose.

    Attributes:
        names: Number of a class to its name, as far as the file says.
        layout: "yolov8" or "yolox".

    Raises:
        WeightsError: If the file cannot be loaded, or has another layout.
        ValueError: If a class is unknown, or `least` or `overlap` is outside [0, 1].
    """

    def __init__(
        self,
        path: str | Path,
        *,
        least: float = SURE,
        overlap: float = 0.65,
        classes: Sequence[int | str] = (),
        threads: int = 0,
    ) -> None:
        for name, value in (("least", least), ("overlap", overlap)):
            if not 0 <= value <= 1:
                raise ValueError(f"{name} {value}: expected a number from 0 to 1")
        self.path, self.least, self.overlap = Path(path), least, overlap
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = threads, 3
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime raises its own classes, which share no base
            raise WeightsError(f"{path} cannot be loaded as a detector ({error})") from error
        given = self._session.get_modelmeta().custom_metadata_map
        self.names = _names(given.get("names", ""))
        if given.get("task", "detect") != "detect":
            raise WeightsError(
                f"{path} is a model for the task {given['task']!r}: expected one that detects boxes"
            )
        self.size, self._input, self._dtype = self._asks()
        # Read the layout off a first run, since graphs may leave the sizes of outputs open.
        blank = np.full((1, 3, *self.size[::-1]), GRAY, self._dtype)
        self.layout, self._strides, count = self._layout(self._run(blank))
        self._classes = self._numbers(classes, count)

    def __call__(self, frame: Image) -> Array:
        """Return the boxes (N, 4) ltwh of what is in a frame (H, W, 3), the surest first."""
        return self.detect(frame).boxes

    def detect(self, frame: Image) -> Found:
        """Return what is in a frame (H, W, 3) uint8 RGB, the surest first."""
        patch, scale, corner = self._letterbox(frame)
        output = self._run(patch)
        cells, sizes, scores = self._decoded(np.asarray(output[0], np.float64))
        # Choose: the best class of each cell, if it is sure enough and asked for.
        numbers = scores.argmax(1)
        best = scores[np.arange(len(scores)), numbers]
        good = (best >= self.least) & np.isfinite(cells).all(1) & np.isfinite(sizes).all(1)
        if self._classes:
            good &= np.isin(numbers, list(self._classes))
        rows = np.flatnonzero(good)
        rows = rows[np.argsort(-best[rows], kind="stable")][:MOST]
        # Map back: from the picture to the frame, and only what is inside.
        height, width = frame.shape[:2]
        first = ((cells[rows] - sizes[rows] / 2) - corner) / scale
        last = ((cells[rows] + sizes[rows] / 2) - corner) / scale
        first, last = first.clip(0, (width, height)), last.clip(0, (width, height))
        boxes = np.concatenate([first, last - first], 1)
        whole = (boxes[:, 2:] >= 1).all(1)
        rows, boxes = rows[whole], boxes[whole]
        kept = suppressed(boxes, numbers[rows], self.overlap)
        return Found(boxes[kept], best[rows][kept], numbers[rows][kept])

    def _letterbox(self, frame: Image) -> tuple[Array, float, Array]:
        """Return the picture (1, 3, H, W), its scale, and where the frame begins in it (2,)."""
        (height, width), (across, down) = frame.shape[:2], self.size
        scale = min(across / width, down / height)
        inner = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = cv2.resize(frame, inner, interpolation=cv2.INTER_LINEAR)
        picture = np.full((down, across, 3), GRAY, np.uint8)
        x = y = 0
        if self.layout == "yolov8":
            x, y = (across - inner[0]) // 2, (down - inner[1]) // 2
        picture[y : y + inner[1], x : x + inner[0]] = small
        planes = picture.transpose(2, 0, 1)
        planes = planes / 255 if self.layout == "yolov8" else planes[::-1]
        return np.ascontiguousarray(planes[None], self._dtype), scale, np.array([x, y], float)

    def _decoded(self, output: Array) -> tuple[Array, Array, Array]:
        """Return centers and sizes (N, 2) in pixels of the picture, and scores (N, C)."""
        if self.layout == "yolov8":
            return output[:2].T, output[2:4].T, output[4:].T
        centers, sizes = output[:, :2], output[:, 2:4]
        if np.median(np.abs(centers)) <= RAW:
            across, down = self.size
            grids, steps = [], []
            for stride in self._strides:
                x, y = np.meshgrid(np.arange(across // stride), np.arange(down // stride))
                grids.append(np.stack([x, y], -1).reshape(-1, 2))
                steps.append(np.full((grids[-1].shape[0], 1), stride))
            step = np.concatenate(steps)
            centers = (centers + np.concatenate(grids)) * step
            sizes = np.exp(np.minimum(sizes, 20)) * step
        return centers, sizes, output[:, 4:5] * output[:, 5:]

    def _run(self, picture: Array) -> Array:
        try:
            (found,) = self._session.run(self._outputs, {self._input: picture})
        except Exception as error:  # as above; a graph may fail only when it runs
            raise WeightsError(f"{self.path} cannot be run as a detector ({error})") from error
        return np.asarray(found)

    def _asks(self) -> tuple[tuple[int, int], str, Any]:
        """Return width and height of the picture, and name and type of the input."""
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        self._outputs = [output.name for output in outputs]
        shapes = ", ".join(f"{each.name} {list(each.shape)}" for each in inputs)
        if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type not in NUMBERS:
            raise WeightsError(
                f"{self.path} takes {shapes} of {inputs[0].type}: expected one float picture "
                "(1, 3, height, width)"
            )
        if len(outputs) != 1:
            raise WeightsError(
                f"{self.path} gives {len(outputs)} outputs ({', '.join(self._outputs)}): expected "
                "one, (1, 4 + classes, cells) as of YOLOv8 or (1, cells, 5 + classes) as of YOLOX; "
                "export it for detection, without a selection of boxes inside"
            )
        batch, channels, down, across = inputs[0].shape
        sides = [side if isinstance(side, int) else SIDE for side in (across, down)]
        if batch not in (1, None) and not isinstance(batch, str):
            raise WeightsError(f"{self.path} takes {batch} pictures at a time: export it for one")
        if (channels != 3 and isinstance(channels, int)) or any(side % 32 for side in sides):
            raise WeightsError(
                f"{self.path} takes {shapes}: expected three channels, and sides that 32 divides"
            )
        return (sides[0], sides[1]), inputs[0].name, NUMBERS[inputs[0].type]

    def _layout(self, output: Array) -> tuple[str, tuple[int, ...], int]:
        """Return the layout, the strides of its grids, and the number of classes."""
        across, down = self.size
        cells = {sum((across // s) * (down // s) for s in strides): strides for strides in STRIDES}
        if output.ndim == 3 and output.shape[0] == 1:
            rows, columns = output.shape[1:]
            if columns in cells and rows >= 5:
                return "yolov8", cells[columns], rows - 4
            if rows in cells and columns >= 6:
                return "yolox", cells[rows], columns - 5
        count = min(cells)
        raise WeightsError(
            f"{self.path} gives an output of shape {output.shape}: expected (1, 4 + classes, "
            f"{count}) as of YOLOv8 or (1, {count}, 5 + classes) as of YOLOX, for a picture of "
            f"{across}x{down}; another detector can write its boxes to a .jsonl file"
        )

    def _numbers(self, classes: Sequence[int | str], count: int) -> set[int]:
        """Return the numbers of the classes to keep."""
        by_name = {name: number for number, name in self.names.items()}
        found = set()
        for each in classes:
            number = by_name.get(str(each))
            if number is None and str(each).isdecimal() and int(each) < count:
                number = int(each)
            if number is None:
                known = ", ".join(by_name) or "by number alone, since the file has no names"
                raise ValueError(
                    f"class {str(each)!r}: {self.path} has {count} classes, {known[:300]}"
                )
            found.add(number)
        return found


class EveryNth:
    """Runs a detector in every n-th frame alone; between these it returns None.

    Example:
        >>> looks = EveryNth(lambda frame: [], 3)
        >>> [looks(None) for _ in range(4)]
        [[], None, None, []]
    """

    def __init__(self, detect: Detect, count: int) -> None:
        if count < 1:
            raise ValueError(f"every {count}: expected a number of frames from 1")
        self.detect, self.count, self._frames = detect, count, 0

    def __call__(self, frame: Image) -> Any:
        """Return what the detector sees (N, 4), or None."""
        self._frames += 1
        return self.detect(frame) if (self._frames - 1) % self.count == 0 else None


def suppressed(boxes: Array, classes: NDArray[np.int64], overlap: float) -> NDArray[np.int64]:
    """Return the rows that are left of boxes (N, 4), the surest first, without their doubles.

    Example:
        >>> boxes = np.array([[0, 0, 10, 10], [1, 0, 10, 10], [0, 0, 10, 10], [50, 0, 9, 9.0]])
        >>> suppressed(boxes, np.array([1, 1, 2, 1]), 0.5).tolist()
        [0, 2, 3]
    """
    kept: list[int] = []
    left = np.arange(len(boxes))
    while len(left):
        first, rest = int(left[0]), left[1:]
        kept.append(first)
        doubles = (iou(boxes[first], boxes[rest]) > overlap) & (classes[rest] == classes[first])
        left = rest[~doubles]
    return np.array(kept, np.int64)


def _names(text: str) -> dict[int, str]:
    """Return names of classes from the text in a file's metadata: a dict or a list in Python."""
    try:
        given = ast.literal_eval(text) if text else {}
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return {}
    if isinstance(given, (list, tuple)):
        given = dict(enumerate(given))
    if not isinstance(given, dict):
        return {}
    return {int(number): str(name) for number, name in given.items() if str(number).isdecimal()}
