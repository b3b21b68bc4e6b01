"""Our tracker in the shape of OpenCV's, for programs that already use `cv2.Tracker...`."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike

from siamtrack.core.images import as_rgb
from siamtrack.core.tracks import TrackState
from siamtrack.tracking.tracker import SiamTracker


class OpenCVTracker:
    """`init(frame, (x, y, w, h))` and `ok, box = update(frame)` on BGR frames.

    Unlike OpenCV's own trackers, which report success indefinitely, `ok` is False when the target
    is lost: the trained presence score is below the model's `lost_below`. The tracker given follows
    this target alone.

    Example:
        >>> import numpy as np, siamtrack
        >>> tracker = OpenCVTracker(siamtrack.load())
        >>> picture = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
        >>> tracker.init(picture, (60, 40, 30, 30))
        >>> ok, (x, y, w, h) = tracker.update(picture)
    """

    def __init__(self, tracker: SiamTracker) -> None:
        self._tracker = tracker
        self._score = 0.0

    def init(self, image: ArrayLike, boundingBox: ArrayLike) -> None:  # noqa: N803
        """Start on a box (x, y, w, h) of a BGR frame (H, W, 3) uint8."""
        self._score = self._tracker.init(_rgb(image), boundingBox).score

    def update(self, image: ArrayLike) -> tuple[bool, tuple[float, float, float, float]]:
        """Return whether the target is there, and its box x, y, w, h."""
        track = self._tracker.update(_rgb(image))
        self._score = track.score
        x, y, w, h = (float(value) for value in track.box)
        return track.state is not TrackState.LOST, (x, y, w, h)

    def getTrackingScore(self) -> float:  # noqa: N802
        """Return the score of the last update, in [0, 1]."""
        return self._score


def _rgb(image: ArrayLike) -> ArrayLike:
    array = np.asarray(image)
    picture = as_rgb(array)
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB) if array.shape[2:] > (2,) else picture
