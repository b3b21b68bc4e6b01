"""Where a person should look: stretches of a track that are likely to be wrong, and why.

Besides what the tracker doubts itself (`lost`, `uncertain`) these are: a `jump` of place or size
from one frame to the next; a `flat` stretch after a loss, in which a box rests on something
although its target moved before; a `gap`, where a track does not meet the key frame beside it; and
`back`, where tracking backwards disagrees. For the last, somebody has to ask for the check, whose
boxes are kept apart under the name `check_name`. Forward-backward disagreement as a sign of failure
is from Kalal et al., "Forward-Backward Error", 2010, https://doi.org/10.1109/ICPR.2010.675
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from siamtrack.core.boxes import Array, centers, iou
from siamtrack.studio.timeline import (
    KEY,
    STATES,
    Box,
    DrawnTarget,
    Key,
    Segment,
    Table,
    unbroken,
)

PLACE, SIZE = 0.4, 1.25
"""A jump: sides that a box moves from one frame to the next, and the factor its side changes by."""
USUAL, BEFORE = 4.0, 10
"""It is also as many times what is usual in the frames before, of which there are so many."""
FLAT, REST, MOVED = 25, 0.12, 0.25
"""Frames of a flat stretch at least; sides that it moves at most; that the target moved before."""
JOIN = 5
"""Frames apart up to which two stretches of doubt are one."""
AGREE = 0.4
"""Overlap (IoU) of a box with the one tracked backwards from which the two agree."""
CONFIRMED = 0.9
"""Share of the frames of a flat stretch in which the two agree that makes it no doubt."""
MEET = 0.5
"""Overlap of a track with the key frame that follows it, from which they meet."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Frames in which a track is likely to be wrong.

    Attributes:
        first: The first frame.
        last: The last one.
        why: lost, uncertain, jump, flat, gap or back; see above.
    """

    first: int
    last: int
    why: str


def check_name(model: str) -> str:
    """Return the name under which the boxes of checks are kept; no model is called so."""
    return f"{model}\n(check)"


def doubts(known: Table, check: Table) -> list[Doubt]:
    """Return where to look, in the order of frames.

    Args:
        known: The state of a target in each frame.
        check: What the check backwards found.

    Example:
        >>> rows = np.array([[0, 0, 9, 9, 1, 0], [0, 0, 9, 9, 0.2, 2], [0, 0, 9, 9, 0.1, 2]])
        >>> table = Table(rows, np.array([KEY, 0, 0]), np.array([1, 1, 1]))
        >>> nothing = Table(rows * np.nan, np.full(3, -1), np.zeros(3, int))
        >>> doubts(table, nothing)
        [Doubt(first=1, last=2, why='lost')]
    """
    back, confirmed = _backwards(known, check)
    flat = [
        each for each in _flat(known) if confirmed[each.first : each.last + 1].mean() < CONFIRMED
    ]
    found = [*_unsure(known), *_jumps(known), *flat, *back]
    return sorted(found, key=lambda each: (each.first, each.last))


def _unsure(known: Table) -> Iterator[Doubt]:
    """Where the tracker itself is in doubt."""
    unsure = np.flatnonzero(known.rows[:, 5] > 0)  # NaN is not
    for part in np.split(unsure, np.flatnonzero(np.diff(unsure) > JOIN) + 1):
        if len(part):
            lost = (known.rows[part, 5] == STATES.index("lost")).any()
            yield Doubt(int(part[0]), int(part[-1]), "lost" if lost else "uncertain")


def _jumps(known: Table) -> Iterator[Doubt]:
    """Frames in which the box is elsewhere, or of another size, than in the frame before."""
    move, change = _steps(known.rows)
    sure = known.rows[:, 5] == 0
    both = np.concatenate([[False], sure[1:] & sure[:-1]])
    keys = known.owner == KEY
    meets = np.concatenate([[True], _overlap(known.rows[1:], known.rows[:-1]) >= MEET])
    other = np.concatenate([[False], known.stamp[1:] != known.stamp[:-1]])
    # Two tracks, or a track and a key frame: there is no jump, but one of the two may be wrong
    for index in np.flatnonzero(both & other & ~meets):
        beside = int(index) - 1 if keys[index] else int(index)
        yield Doubt(beside, beside, "gap")
    tracked = both & ~other
    apart = (move > PLACE) & (move > USUAL * _usual(move))
    grown = (change > np.log(SIZE)) & (change > USUAL * _usual(change))
    for part in unbroken(np.flatnonzero(tracked & (apart | grown))):
        yield Doubt(int(part[0]), int(part[-1]), "jump")


def _steps(rows: Array) -> tuple[Array, Array]:
    """Return how many sides each box moved since the frame before, and the logarithm of its growth.

    Both are (N,), 0 where the step is not known.
    """
    move, change = np.zeros(len(rows)), np.zeros(len(rows))
    if len(rows) > 1:
        side = np.sqrt(rows[:, 2] * rows[:, 3])
        far = np.hypot(*np.diff(centers(rows[:, :4]), axis=0).T)
        move[1:] = np.nan_to_num(far / np.fmax(np.fmin(side[1:], side[:-1]), 1.0))
        change[1:] = np.nan_to_num(np.abs(np.diff(np.log(np.fmax(side, 1.0)))))
    return move, change


def _usual(steps: Array) -> Array:
    """Return the median of the steps before each."""
    padded = np.concatenate([np.resize(steps[1 : BEFORE + 1], BEFORE), steps[:-1]])
    return np.asarray(np.median(sliding_window_view(padded, BEFORE), axis=-1))


def _flat(known: Table) -> Iterator[Doubt]:
    """Long stretches after a loss in which the box rests, of a target that moved before."""
    sure, unsure = known.rows[:, 5] == 0, known.rows[:, 5] > 0
    if not unsure.any() or len(sure) < FLAT:
        return
    spread = _spread(known.rows)
    for part in unbroken(np.flatnonzero(sure | unsure)):
        first = int(part[0])
        lost = np.flatnonzero(unsure[part])
        keys = first + np.flatnonzero(known.owner[part] == KEY)
        for loss in first + lost[:1]:
            # What follows the first loss hangs on it up to the next key frame
            moved = spread[first : max(first + 1, loss - FLAT + 1)]
            short = loss - first < FLAT and _reach(known.rows[first:loss]) > MOVED
            if not (short or np.nanmax(moved, initial=0) > MOVED):
                continue
            after = keys[keys > loss]
            end = int(after[0]) if len(after) else int(part[-1]) + 1
            calm = np.zeros(len(sure) + 1, np.int64)  # +1 where a calm window begins, -1 behind it
            begins = np.flatnonzero(spread[loss : max(loss, end - FLAT + 1)] < REST) + loss
            np.add.at(calm, begins, 1)
            np.add.at(calm, begins + FLAT, -1)
            rests = np.cumsum(calm[:-1]) > 0
            for stretch in unbroken(np.flatnonzero(rests & sure)):
                if len(stretch) >= FLAT:
                    yield Doubt(int(stretch[0]), int(stretch[-1]), "flat")


def _reach(rows: Array) -> float:
    """Return how many sides the middle of a box moves within some frames."""
    if len(rows) < 2:
        return 0.0
    x, y = centers(rows[:, :4]).T
    return float(np.hypot(np.ptp(x), np.ptp(y)) / np.sqrt(rows[:, 2] * rows[:, 3]).mean())


def _spread(rows: Array) -> Array:
    """Return `_reach` of FLAT frames from each frame on; NaN where one of them is not known."""
    x, y = centers(rows[:, :4]).T
    side = np.sqrt(rows[:, 2] * rows[:, 3])
    x, y, side = (sliding_window_view(values, FLAT) for values in (x, y, side))
    return np.asarray(np.hypot(np.ptp(x, axis=1), np.ptp(y, axis=1)) / side.mean(axis=1))


def _overlap(a: Array, b: Array) -> Array:
    """Return the IoU (N,) of rows, 0 where one is not known."""
    return np.nan_to_num(iou(a[:, :4], b[:, :4]))


def _backwards(known: Table, check: Table) -> tuple[list[Doubt], NDArray[np.bool_]]:
    """Return where the check found another place, and (N,) which frames it confirms."""
    compared = (known.owner >= 0) & (check.owner >= 0)
    apart = compared & (_overlap(known.rows, check.rows) < AGREE)
    confirmed = compared & ~apart
    told = apart & (known.rows[:, 5] != STATES.index("lost"))  # which is a doubt already
    # From a later key frame: each of the two tracks hangs on a box that a person drew
    later = compared & (check.stamp != known.stamp)
    wrong = [part[told[part]] for part in unbroken(np.flatnonzero(later))]
    # From the end of the track: it has to lead back to its key frame
    for part in unbroken(np.flatnonzero(compared & ~later)):
        if not apart[part[0]]:
            wrong.append(part[told[part]])
            continue
        # It does not: what follows the frame where the two part is not of the target
        parting = int(part[apart[part]][-1])
        confirmed[part] = False
        wrong.append(np.arange(parting, int(part[-1]) + 1))
    stretches = [stretch for frames in wrong for stretch in unbroken(frames)]
    return [Doubt(int(each[0]), int(each[-1]), "back") for each in stretches], confirmed


def check_segments(target: DrawnTarget, known: Table) -> list[Segment]:
    """Return what to track backwards to check a target: all of its key frames but the first.

    Tracking starts at a key frame and goes back to the one before. From the last key frame on there
    is none to start from: it starts with the box of the last frame in which the target was tracked.

    Args:
        target: The target.
        known: Its state in each frame.
    """
    total = len(known.owner)
    keys = [key for key in target.ordered() if key.frame < total]
    found: list[Segment] = []
    for before, after in zip(keys, [*keys[1:], None], strict=True):
        if before.box is None:
            continue
        end = after.frame if after else total
        tracked = np.flatnonzero(known.owner[before.frame + 1 : end] >= 0) + before.frame + 1
        if not len(tracked):
            continue
        part = _from_key(target.id, after, before.frame) if after and after.box else None
        if part is None:
            part = _from_end(target.id, before, known, tracked)
        found += [part] if part else []
    return found


def _from_key(target: int, key: Key, stop: int) -> Segment | None:
    assert key.box is not None
    return Segment(target, key, -1, key.frame - 1, stop, key.box) if key.frame > stop + 1 else None


def _from_end(target: int, key: Key, known: Table, tracked: NDArray[np.int64]) -> Segment | None:
    sure = tracked[known.rows[tracked, 5] == 0]
    if not len(sure) or (last := int(sure[-1])) <= key.frame + 1:
        return None
    left, top, width, height = (float(value) for value in known.rows[last, :4])
    box: Box = (left, top, width, height)
    return Segment(target, key, -1, last - 1, key.frame, box, (last, box))
