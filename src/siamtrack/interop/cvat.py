"""A tracking function for CVAT's agents and its command-line client.

https://docs.cvat.ai, auto-annotation functions; extra `cvat`. CVAT's own command runs it:

    cvat-cli function create-native "siamtrack" --function-module siamtrack.interop.cvat
    cvat-cli function run-agent 7 --function-module siamtrack.interop.cvat -p model=str:lite

`siamtrack serve cvat` does both. Coordinates are 0-based and continuous in CVAT as in ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from siamtrack.core.boxes import Array
from siamtrack.core.images import Image, as_rgb
from siamtrack.core.tracks import TrackState
from siamtrack.errors import MissingExtraError
from siamtrack.packages.card import DEFAULT, Model, Precision, load_model
from siamtrack.runtimes import AUTO
from siamtrack.tracking.tracker import SiamTracker

SHAPES = ("rectangle", "polygon", "ellipse", "mask")
"""Types of CVAT's shapes that can be followed."""


class ShapeLike(Protocol):
    """What is read of a shape of CVAT: `cvat_sdk.auto_annotation.TrackableShape`."""

    @property
    def type(self) -> str:
        """One of `SHAPES`."""
        ...

    @property
    def points(self) -> list[float]:
        """Coordinates in pixels; of a mask, lengths of runs and then the box around it."""
        ...


@dataclass
class Following:
    """One shape that is followed: the tracker's state, and the outline as it was drawn.

    Attributes:
        tracker: Follows the box around the shape.
        type: One of `SHAPES`.
        box: The box around the outline as it was drawn, ltwh (4,).
        points: Its points (N, 2); none of a mask.
        bitmap: Of a mask, the pixels (H, W) of its box.
    """

    tracker: SiamTracker
    type: str
    box: Array
    points: Array = field(default_factory=lambda: np.empty((0, 2)))
    bitmap: NDArray[np.bool_] | None = None


class CvatFunction:
    """Follows shapes through the frames of a CVAT task.

    The model sees boxes. A polygon, an ellipse and a mask are followed by the box around them, and
    come back as they were drawn, moved and resized with that box.

    Every shape has a state of its own, which CVAT's agent keeps between two calls; any number of
    them share one network.

    Args:
        model: From `siamtrack.packages.card.load_model`.
        redetect: Search more of the frame while a shape is lost.
        keep_lost: Return a lost shape where it was last seen. The default says that it is not
            there, which ends the track in CVAT.

    Raises:
        MissingExtraError: If cvat-sdk is not installed.
    """

    def __init__(self, model: Model, *, redetect: bool = False, keep_lost: bool = False) -> None:
        self._sdk = _sdk()
        self.model, self.redetect, self.keep_lost = model, redetect, keep_lost

    @property
    def spec(self) -> Any:
        """What this function can do: a `cvat_sdk.auto_annotation.TrackingFunctionSpec`."""
        return self._sdk.TrackingFunctionSpec(supported_shape_types=SHAPES)

    def preprocess_image(self, context: object, image: Any) -> Image:
        """Return a picture of Pillow as uint8 RGB (H, W, 3)."""
        return as_rgb(image)

    def init_tracking_state(self, context: object, pp_image: Image, shape: ShapeLike) -> Following:
        """Start to follow a shape of a frame.

        Raises:
            BadFunctionError: CVAT's own, whose message it shows to the annotator: if there is
                nothing in the shape that can be followed.
        """
        tracker = SiamTracker(self.model, redetect=self.redetect)
        try:
            following = _outline(tracker, shape, pp_image.shape[:2])
            tracker.init(pp_image, following.box)
        except ValueError as error:
            raise self._sdk.BadFunctionError(str(error)) from error
        return following

    def track(self, context: object, pp_image: Image, state: Following) -> Any:
        """Return the shape in the next frame, or None where it is not to be seen."""
        track = state.tracker.update(pp_image)
        if track.state is TrackState.LOST and not self.keep_lost:
            return None
        points = _placed(state, track.box, pp_image.shape[:2])
        return points and self._sdk.TrackableShape(type=state.type, points=points)


def create(
    model: str = DEFAULT,
    runtime: str = AUTO,
    precision: Precision = "auto",
    threads: int = 0,
    redetect: bool = False,
    keep_lost: bool = False,
) -> CvatFunction:
    """Return the function, as `cvat-cli function ... --function-module` asks for it.

    Args:
        model: Name of a model, or a folder that `siamtrack export` wrote.
        runtime: Engine that runs the network.
        precision: As `siamtrack.load` takes it.
        threads: Threads of the engine; 0 lets it choose.
        redetect: As `CvatFunction` takes it.
        keep_lost: As `CvatFunction` takes it.

    Raises:
        MissingExtraError: If cvat-sdk is not installed.
        SiamtrackError: If the model cannot be loaded.
    """
    loaded = load_model(model, runtime=runtime, threads=threads, precision=precision)
    return CvatFunction(loaded, redetect=redetect, keep_lost=keep_lost)


def _sdk() -> ModuleType:
    try:
        import cvat_sdk.auto_annotation
    except ModuleNotFoundError as error:
        raise MissingExtraError("a tracking function for CVAT", "cvat-sdk", "cvat") from error
    return cvat_sdk.auto_annotation  # type: ignore[no-any-return]


def _outline(tracker: SiamTracker, shape: ShapeLike, size: tuple[int, int]) -> Following:
    """Return the box around a shape, and what is in the box."""
    height, width = size
    if shape.type == "mask":
        from cvat_sdk.masks import decode_mask

        pixels = decode_mask(shape.points, image_width=width, image_height=height)
        rows, columns = pixels.any(1).nonzero()[0], pixels.any(0).nonzero()[0]
        if not len(rows):
            raise ValueError("a mask without any pixel: there is nothing to follow; draw it again")
        top, left = int(rows[0]), int(columns[0])
        bottom, right = int(rows[-1]) + 1, int(columns[-1]) + 1
        box = np.array([left, top, right - left, bottom - top], np.float64)
        return Following(tracker, "mask", box, bitmap=pixels[top:bottom, left:right].copy())
    least = {"rectangle": 2, "ellipse": 2, "polygon": 3}
    if shape.type not in least:
        raise ValueError(f"a shape of type {shape.type!r}: expected one of {', '.join(SHAPES)}")
    if len(shape.points) % 2 or len(shape.points) < 2 * least[shape.type]:
        raise ValueError(
            f"{len(shape.points)} coordinates of a {shape.type}: expected at least "
            f"{2 * least[shape.type]}, x and y in turn"
        )
    points = np.array(shape.points, np.float64).reshape(-1, 2)
    corners = points
    if shape.type == "ellipse":  # its center, and the corner right and above of it
        corners = np.concatenate([points, 2 * points[:1] - points[1:2]])
    low, high = corners.min(0), corners.max(0)
    return Following(tracker, shape.type, np.concatenate([low, high - low]), points)


def _placed(state: Following, box: Array, size: tuple[int, int]) -> list[float] | None:
    """Return the points of the outline in its new box; None if nothing of it is in the frame."""
    height, width = size
    left, top = np.maximum(box[:2], 0).tolist()
    right, bottom = np.minimum(box[:2] + box[2:], (width, height)).tolist()
    if right <= left or bottom <= top:
        return None
    if state.bitmap is not None:
        return _mask(state.bitmap, box, size)
    if state.type == "rectangle":
        return [left, top, right, bottom]
    moved = box[:2] + (state.points - state.box[:2]) * (box[2:] / state.box[2:])
    if state.type == "polygon":
        moved = moved.clip(0, (width, height))
    return [float(value) for value in moved.ravel()]


def _mask(bitmap: NDArray[np.bool_], box: Array, size: tuple[int, int]) -> list[float] | None:
    from cvat_sdk.masks import encode_mask

    wide, high = (max(1, round(float(side))) for side in box[2:])
    resized = cv2.resize(bitmap.astype(np.uint8), (wide, high), interpolation=cv2.INTER_NEAREST)
    left, top = (round(float(value)) for value in box[:2])
    pixels = np.zeros(size, bool)
    height, width = size
    inside = pixels[max(top, 0) : top + high, max(left, 0) : left + wide]
    inside[:] = resized[max(-top, 0) :, max(-left, 0) :][: inside.shape[0], : inside.shape[1]] > 0
    if not pixels[:height, :width].any():
        return None
    return [float(value) for value in encode_mask(pixels)]
