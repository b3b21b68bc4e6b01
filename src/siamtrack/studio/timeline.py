"""What was drawn and what was tracked along a clip: which of it holds, and what is missing.

People set keys: a box, or "absent", at a frame. A run is what one pass of the tracker found, frame
after frame away from one key. Nothing that was tracked is ever deleted: a run counts as far as its
key is still the very key it started from and no other key stands in the way. So a correction hides
only what depended on the old state, and undoing it shows that again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from siamtrack.core.boxes import Array

Box = tuple[float, float, float, float]
Row = tuple[float, float, float, float, float, int]
"""left, top, width, height, score, index in `STATES`."""
STATES = ("tracked", "uncertain", "lost")
Step = Literal[1, -1]
NOTHING, KEY, ABSENT = -1, -2, -3


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
class DrawnTarget:
    """A thing that a person drew a box around, to be followed.

    Attributes:
        id: Its number.
        name: What people call it.
        color: As #rrggbb.
        keys: Frame to key.
        gone: Whether it was removed; undo brings it back.
        label: The class that it belongs to; empty: none.
    """

    id: int
    name: str
    color: str
    keys: dict[int, Key] = field(default_factory=dict)
    gone: bool = False
    label: str = ""

    def ordered(self) -> list[Key]:
        """Return its keys in the order of their frames."""
        return [self.keys[frame] for frame in sorted(self.keys)]

    def next_key(self, frame: int, step: int) -> int | None:
        """Return the frame of the nearest key beyond `frame` in the direction `step`."""
        beyond = [each for each in self.keys if (each - frame) * step > 0]
        return min(beyond, key=lambda each: abs(each - frame), default=None)


@dataclass(eq=False)
class Run:
    """One pass of the tracker over one target.

    Attributes:
        number: Later runs have higher numbers and cover earlier ones.
        target: Id of the target.
        model: Name of the model.
        origin: Frame of the key it depends on.
        stamp: Stamp of that key.
        first: Frame of the first row.
        step: 1 forwards, -1 backwards.
        length: Number of rows so far.
    """

    number: int
    target: int
    model: str
    origin: int
    stamp: int
    first: int
    step: Step
    length: int = field(default=0, init=False)
    _rows: Array = field(default_factory=lambda: np.empty((16, 6)), init=False, repr=False)

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

    def holds(self, target: DrawnTarget) -> bool:
        """Whether the key that this run started from is still there, unchanged."""
        key = target.keys.get(self.origin)
        return key is not None and key.stamp == self.stamp and key.box is not None

    def visible(self, target: DrawnTarget) -> int:
        """Return how many of its rows, from the first on, count."""
        if not self.holds(target):
            return 0
        wall = target.next_key(self.origin, self.step)
        if wall is None:
            return self.length
        return max(0, min(self.length, (wall - self.first) * self.step))


@dataclass(frozen=True, slots=True)
class Table:
    """The state of one target in all frames, by one model.

    Attributes:
        rows: (N, 6), see `Row`; NaN where nothing is known.
        owner: (N,) number of the run that a row is from; KEY, ABSENT or NOTHING.
        stamp: (N,) stamp of the key that a row depends on; 0 where nothing is known.
    """

    rows: Array
    owner: NDArray[np.int64]
    stamp: NDArray[np.int64]


def table(target: DrawnTarget, runs: Iterable[Run], total: int) -> Table:
    """Return the state of a target in frames 0 to total - 1.

    Args:
        target: The target.
        runs: The runs of one model, in the order of their numbers; others of the target's are
            not passed.
        total: Number of frames.
    """
    rows = np.full((total, 6), np.nan)
    owner = np.full(total, NOTHING, dtype=np.int64)
    stamp = np.zeros(total, dtype=np.int64)
    keys = [key for key in target.ordered() if key.frame < total]

    # Absence lasts up to the next key
    for key, end in zip(keys, [*(after.frame for after in keys[1:]), total], strict=False):
        if key.box is None:
            owner[key.frame : end] = ABSENT

    # Runs cover that, and later runs the earlier ones
    for run in runs:
        count = run.visible(target)
        frames = run.first + run.step * np.arange(count)
        inside = (frames >= 0) & (frames < total)
        where = frames[inside]
        rows[where] = run.rows[:count][inside]
        owner[where], stamp[where] = run.number, run.stamp

    # What a person said covers everything
    for key in keys:
        owner[key.frame] = ABSENT if key.box is None else KEY
        stamp[key.frame] = key.stamp
        rows[key.frame] = np.nan if key.box is None else (*key.box, 1.0, 0)
    return Table(rows, owner, stamp)


@dataclass(frozen=True, slots=True)
class Segment:
    """Frames to track for one target: first, first + step, ... before `stop`.

    Attributes:
        target: Id of the target.
        key: The key that shows what it looks like.
        step: 1 forwards, -1 backwards.
        first: First frame to find it in.
        stop: Frame before which to stop.
        prior: Its box one frame before `first`.
        seed: Frame and box to learn its looks from, in place of the key's; None: the key's.
    """

    target: int
    key: Key
    step: Step
    first: int
    stop: int
    prior: Box
    seed: tuple[int, Box] | None = None

    @property
    def frames(self) -> range:
        """The frames in the order of tracking."""
        return range(self.first, self.stop, self.step)


def segments(
    target: DrawnTarget,
    known: Table,
    step: Step,
    frame: int,
    bounds: tuple[int, int] | None = None,
) -> list[Segment]:
    """Return what is missing of a target, from a frame on in one direction.

    Tracking starts at the key that governs `frame` and continues over all further keys. Frames that
    are known are left as they are. Only where the person stands on the key itself, those that
    depend on an older key are done again, since the newer one is a correction.

    Args:
        target: The target.
        known: Its state in each frame.
        step: 1 forwards, -1 backwards.
        frame: Where the person stands.
        bounds: First and last frame to touch; None: all.
    """
    total = len(known.owner)
    low, high = bounds or (0, total - 1)
    keys = [key for key in target.ordered() if key.frame < total][::step]
    passed = sum((key.frame - frame) * step <= 0 for key in keys)
    ends = [*(key.frame for key in keys[1:]), total if step > 0 else -1]
    found: list[Segment] = []
    for key, end in list(zip(keys, ends, strict=False))[max(0, passed - 1) :]:
        if key.box is None:
            continue
        frames = np.arange(key.frame + step, end, step)
        owner = known.owner[frames]
        wanted = (owner == NOTHING) | (owner == ABSENT)
        if key.frame == frame:
            wanted |= (owner >= 0) & (known.stamp[frames] < key.stamp)
        wanted &= (low <= frames) & (frames <= high)
        for part in unbroken(frames[wanted], step):
            first, stop = int(part[0]), int(part[-1]) + step
            prior = known.rows[first - step, :4]
            if not np.isfinite(prior).all():  # nothing is known just before: go there from the key
                first, prior = key.frame + step, np.array(key.box)
            left, top, width, height = (float(value) for value in prior)
            found.append(Segment(target.id, key, step, first, stop, (left, top, width, height)))
    return found


def stale(before: Table, after: Table, frame: int) -> dict[Step, tuple[int, int]]:
    """Return what an edit at `frame` took away: direction to first and last frame to do again."""
    total = min(len(before.owner), len(after.owner))
    had = before.owner[:total] >= 0
    has = (after.owner[:total] != NOTHING) & (after.owner[:total] != ABSENT)
    gone = np.flatnonzero(had & ~has)
    sides: dict[Step, NDArray[np.int64]] = {1: gone[gone > frame], -1: gone[gone < frame]}
    return {step: (int(side[0]), int(side[-1])) for step, side in sides.items() if len(side)}


def by_frame(parts: list[Segment], step: Step) -> list[tuple[int, Mapping[int, Segment]]]:
    """Turn segments of one direction into frames in order, each with target -> segment."""
    frames: dict[int, dict[int, Segment]] = {}
    for part in parts:
        for index in part.frames:
            frames.setdefault(index, {}).setdefault(part.target, part)
    return sorted(frames.items(), key=lambda item: item[0] * step)


def unbroken(frames: NDArray[np.int64], step: int = 1) -> list[NDArray[np.int64]]:
    """Return the stretches of frames that follow one another.

    Example:
        >>> [part.tolist() for part in unbroken(np.array([9, 6, 5]), -1)]
        [[9], [6, 5]]
    """
    return np.split(frames, np.flatnonzero(np.diff(frames) != step) + 1) if len(frames) else []
