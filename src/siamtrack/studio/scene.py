"""What was drawn and what was tracked, and which of it holds.

People set keys: a box, or "absent", at a frame. A run is what one pass of the tracker found, frame
after frame away from one key. Nothing that was tracked is ever deleted: a run counts as far as its
key is still the very key it started from and no other key stands in the way. So a correction hides
just what depended on the old state, and undoing it shows that again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from siamtrack.core.boxes import Array

Box = tuple[float, float, float, float]
Row = tuple[float, float, float, float, float, int]
"""left, top, width, height, score, index in `STATES`."""
STATES = ("tracked", "uncertain", "lost")


@dataclass(frozen=True, slots=True)
class Key:
    """What a person said about a target in one frame.

    Attributes:
        frame: Number of the frame.
        box: left, top, width, height; None: absent from here on.
        stamp: Number that no other key has or ever had.
    """

    frame: int
    box: Box | None
    stamp: int


@dataclass(slots=True)
class Target:
    """A thing that is followed.

    Attributes:
        id: Its number.
        name: What people call it.
        colour: As #rrggbb.
        keys: Frame to key.
        gone: Whether it was removed; undo brings it back.
    """

    id: int
    name: str
    colour: str
    keys: dict[int, Key] = field(default_factory=dict)
    gone: bool = False

    def key_before(self, frame: int) -> Key | None:
        """Return the last key at or before a frame."""
        at = max((each for each in self.keys if each <= frame), default=None)
        return None if at is None else self.keys[at]

    def next_key(self, frame: int, step: int) -> int | None:
        """Return the frame of the nearest key beyond `frame` in the direction `step`."""
        beyond = [each for each in self.keys if (each - frame) * step > 0]
        return min(beyond, key=lambda each: abs(each - frame), default=None)


class Run:
    """One pass of the tracker over one target.

    Args:
        number: Later runs have higher numbers and cover earlier ones.
        target: Id of the target.
        model: Name of the model.
        origin: Frame of the key it depends on.
        stamp: Stamp of that key.
        first: Frame of the first row.
        step: 1 forwards, -1 backwards.
    """

    def __init__(
        self,
        number: int,
        target: int,
        model: str,
        origin: int,
        stamp: int,
        first: int,
        step: Literal[1, -1],
    ) -> None:
        self.number, self.target, self.model = number, target, model
        self.origin, self.stamp, self.first, self.step = origin, stamp, first, step
        self._rows = np.empty((16, 6))
        self.length = 0

    @property
    def rows(self) -> Array:
        """The rows (N, 6) so far, see `Row`."""
        return self._rows[: self.length]

    def append(self, rows: Sequence[Sequence[float]]) -> None:
        """Add the rows of the next frames."""
        need = self.length + len(rows)
        if need > len(self._rows):
            more = np.empty((max(need, 2 * len(self._rows)), 6))
            more[: self.length] = self.rows
            self._rows = more
        if rows:
            self._rows[self.length : need] = rows
        self.length = need

    def holds(self, target: Target) -> bool:
        """Whether the key that this run started from is still there, unchanged."""
        key = target.keys.get(self.origin)
        return key is not None and key.stamp == self.stamp and key.box is not None

    def visible(self, target: Target) -> int:
        """Return how many of its rows, from the first on, count."""
        if not self.holds(target):
            return 0
        wall = target.next_key(self.origin, self.step)
        if wall is None:
            return self.length
        return max(0, min(self.length, (wall - self.first) * self.step))


@dataclass(frozen=True, slots=True)
class Table:
    """What is known of one target in all frames, by one model.

    Attributes:
        rows: (N, 6), see `Row`; NaN where nothing is known.
        owner: (N,) number of the run that a row is from; KEY, ABSENT or NOTHING.
        stamp: (N,) stamp of the key that a row depends on; 0 where nothing is known.
    """

    rows: Array
    owner: NDArray[np.int64]
    stamp: NDArray[np.int64]


NOTHING, KEY, ABSENT = -1, -2, -3


def table(target: Target, runs: Iterable[Run], total: int) -> Table:
    """Return what is known of a target in frames 0 to total - 1.

    Args:
        target: The target.
        runs: The runs of one model, in the order of their numbers; others of the target's are
            not passed.
        total: Number of frames.
    """
    rows = np.full((total, 6), np.nan)
    owner = np.full(total, NOTHING, dtype=np.int64)
    stamp = np.zeros(total, dtype=np.int64)
    keys = sorted((key for key in target.keys.values() if key.frame < total), key=_frame)
    for key, end in zip(keys, [*(after.frame for after in keys[1:]), total], strict=False):
        if key.box is None:
            owner[key.frame : end] = ABSENT
    for run in runs:
        count = run.visible(target)
        frames = run.first + run.step * np.arange(count)
        inside = (frames >= 0) & (frames < total)
        where = frames[inside]
        rows[where] = run.rows[:count][inside]
        owner[where], stamp[where] = run.number, run.stamp
    for key in keys:
        owner[key.frame] = ABSENT if key.box is None else KEY
        stamp[key.frame] = key.stamp
        rows[key.frame] = np.nan if key.box is None else (*key.box, 1.0, 0)
    return Table(rows, owner, stamp)


def _frame(key: Key) -> int:
    return key.frame
