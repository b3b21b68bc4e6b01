"""How a target has moved so far: where it is expected next, and how far from there it may be."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from siamtrack.core.boxes import Array, centers
from siamtrack.core.settings import MotionSettings

FIRST_PACE = 0.3
"""Pace of a target of which nothing is known, in its own sizes a frame."""
FASTER, SLOWER = 0.3, 0.1
"""Weight of a new frame in the pace: a target that speeds up is believed at once."""
TURN = 0.4
"""Weight of a new frame in the velocity."""
MOST = 2.0
"""No spread and no pace is larger: the search window ends there."""
KNOWN_AFTER = 3
"""Frames after which the motion is known well enough to expect anything."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """Where the target should be in the next frame.

    Attributes:
        shift: From the center of its last box (2,), in frame pixels.
        spread: Standard deviation around that place, in sizes of the target (square root of the
            area of its box).
    """

    shift: Array
    spread: float

    def likelihood(self, size: float, cells: int, step: float) -> Array:
        """Return how likely each cell of a response is (cells, cells), 1 at the expected place.

        Args:
            size: Square root of the area of the last box, in frame pixels.
            cells: Cells along a side; the middle one lies on the center of the last box.
            step: Distance of two cells in frame pixels.

        Example:
            >>> Expectation(np.array([8.0, 0.0]), 0.5).likelihood(16, 3, 8.0)[1].round(3).tolist()
            [0.135, 0.607, 1.0]
        """
        places = (np.arange(cells) - (cells - 1) / 2) * step
        x, y = (np.exp(-0.5 * ((places - to) / (size * self.spread)) ** 2) for to in self.shift)
        return np.outer(y, x)


class Motion:
    """Velocity and pace of one target, learned while it is followed.

    Look-alikes stand beside the target; it does not jump to them, unless it jumps anyway. The pace
    is how far it was from where it was expected: small for a walker seen from a tripod, large where
    the camera shakes, so that a steady target is held firmly and a restless one loosely.
    """

    def __init__(self, settings: MotionSettings) -> None:
        self.settings = settings
        self._pace, self._velocity, self._frames = FIRST_PACE, np.zeros(2), 0

    def expected(self) -> Expectation | None:
        """Return where the target should be next; None where nobody can say."""
        settings = self.settings
        if settings.weight == 0 or self._frames < KNOWN_AFTER:
            return None
        spread = min(max(settings.spread, settings.reach * self._pace), MOST)
        return Expectation(settings.follow * self._velocity, spread)

    def moved(self, before: Array, now: Array) -> None:
        """Take in a step of a target that is followed, from one box ltwh (4,) to the next."""
        if self.settings.weight == 0:  # nobody asks; a frame would take 30 us longer
            return
        step = centers(now) - centers(before)
        apart = float(np.hypot(*(step - self.settings.follow * self._velocity)))
        pace = min(apart / math.sqrt(float(before[2] * before[3])), MOST)
        self._pace += (FASTER if pace > self._pace else SLOWER) * (pace - self._pace)
        self._velocity += TURN * (step - self._velocity)
        self._frames += 1

    def lost(self) -> None:
        """Expect a target that is not to be seen where it was seen last."""
        self._velocity = np.zeros(2)
        self._frames += 1
