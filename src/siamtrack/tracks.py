"""What a tracker says about one target in one frame."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from siamtrack.boxes import Array


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
    """

    box: Array
    score: float
    state: TrackState
    id: int = 0
