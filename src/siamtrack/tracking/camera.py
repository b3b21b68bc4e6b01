"""How far a frame has shifted against the one before, because the camera was moved."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from siamtrack.core.boxes import Array
from siamtrack.core.images import Image

Gray = NDArray[np.float32]

LONG = 160
"""Longer side, in pixels, of the gray picture that is compared."""
LEAST = 0.1
"""Height of the peak of the correlation, in [0, 1], below which nothing is said of a shift."""


class Camera:
    """Compares each frame with the one before it by phase correlation of small gray pictures.

    Kuglin and Hines, "The phase correlation image alignment method", 1975. It finds one shift for
    the whole picture; turns about the line of sight and zooms count as far as they shift most of
    it. Shifts by more than half of the picture are not found.

    Example:
        >>> picture = np.random.default_rng(0).integers(0, 255, (96, 128, 3), dtype=np.uint8)
        >>> camera = Camera()
        >>> camera.shift(picture)
        >>> camera.shift(np.roll(picture, (3, -5), (0, 1))).round(1).tolist()
        [-5.0, 3.0]
    """

    def __init__(self) -> None:
        self._before: Gray | None = None
        self._window: Gray | None = None

    def shift(self, frame: Image) -> Array | None:
        """Return how far the scene has moved (2,), in pixels to the right and down.

        Args:
            frame: The next frame (H, W, 3).

        Returns:
            None for the first frame, one of another size, and one that has nothing in common with
            the one before. Where scenes change, two may still match by chance.
        """
        now, before = _small(frame), self._before
        self._before = now
        if before is None or before.shape != now.shape or min(now.shape) < 8:
            return None
        if self._window is None or self._window.shape != now.shape:
            size = (now.shape[1], now.shape[0])
            self._window = np.asarray(cv2.createHanningWindow(size, cv2.CV_32F), np.float32)
        place, peak = cv2.phaseCorrelate(before, now, self._window)
        found = np.array(place) * frame.shape[1] / now.shape[1]
        return found if peak >= LEAST and np.isfinite(found).all() else None


def _small(frame: Image) -> Gray:
    """Return the green of a frame with `LONG` pixels along its longer side; smaller ones whole."""
    longer = max(frame.shape[:2])
    # Half of the way by leaving pixels out, which is many times faster than their mean
    step = max(1, longer // (2 * LONG))
    green = np.ascontiguousarray(frame[::step, ::step, 1])
    height, width = green.shape
    scale = LONG / max(height, width)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        green = np.asarray(cv2.resize(green, size, interpolation=cv2.INTER_AREA), np.uint8)
    return green.astype(np.float32)
