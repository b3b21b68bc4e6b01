"""What a tracker is, and what it reports about one target in one frame."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from siamtrack.core.boxes import Array
from siamtrack.core.images import Image
from siamtrack.core.masks import Mask, Rotated


class TrackState(enum.Enum):
    """Whether the box can be relied on."""

    TRACKED = "tracked"
    UNCERTAIN = "uncertain"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Track:
    """One target in one frame.

    Attributes:
        box: left, top, width, height (4,) in frame pixels, 0-based, always finite.
        score: Trained estimate in [0, 1] that the target is in the search window.
        state: What the score means: tracked, uncertain or lost.
        id: Number of the target, from 0 in the order in which targets were added.
        mask: Its pixels; None unless masks were asked for, and while it is lost.
    """

    box: Array
    score: float
    state: TrackState
    id: int = 0
    mask: Mask | None = None

    @property
    def rotated(self) -> Rotated | None:
        """The rectangle of least area around the mask; None where there is no pixel or no mask."""
        return None if self.mask is None else self.mask.rotated()


@dataclass(frozen=True, eq=False)
class Seen:
    """Where a tracker without states sees its target: box ltwh (4,), 0-based; a score."""

    box: Array
    score: float


class Estimate(Protocol):
    """The least that a tracker says about one frame, as `Track` and `Seen` do."""

    @property
    def box(self) -> Any:
        """Left, top, width, height in pixels, 0-based."""

    @property
    def score(self) -> float:
        """How sure the tracker is; higher is surer."""


class Tracker(Protocol):
    """What can be evaluated and used in place of ours: all that it needs are these two methods."""

    def init(self, frame: Image, box: Any, /) -> Any:
        """Start on a box (left, top, width, height) of a uint8 RGB frame (H, W, 3)."""

    def update(self, frame: Image, /) -> Estimate:
        """Find the target in the next frame."""


TrackerFactory = Callable[[], Tracker]
Runnable = Tracker
"""The name of `Tracker` in `siamtrack.evaluation`."""
