"""What to track: which frames of which targets, from which keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from siamtrack.studio.scene import ABSENT, KEY, NOTHING, Box, Key, Table, Target

Step = Literal[1, -1]


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
    """

    target: int
    key: Key
    step: Step
    first: int
    stop: int
    prior: Box

    @property
    def frames(self) -> range:
        """The frames in the order of tracking."""
        return range(self.first, self.stop, self.step)


def segments(
    target: Target, known: Table, step: Step, frame: int, bounds: tuple[int, int] | None = None
) -> list[Segment]:
    """Return what is missing of a target, from a frame on in one direction.

    Tracking starts at the key that governs `frame` and goes on over all further keys. Frames that
    are known are left as they are. Only where the person stands on the key itself, those that
    depend on an older key are done again, since the newer one is a correction.

    Args:
        target: The target.
        known: What is known of it.
        step: 1 forwards, -1 backwards.
        frame: Where the person stands.
        bounds: First and last frame to touch; None: all.
    """
    total = len(known.owner)
    low, high = bounds or (0, total - 1)
    low, high = max(0, low), min(total - 1, high)
    keys = sorted(target.keys.values(), key=lambda key: key.frame * step)
    keys = [key for key in keys if key.frame < total]
    before = [key for key in keys if (key.frame - frame) * step <= 0]
    start = len(before) - 1 if before else 0
    found: list[Segment] = []
    for place in range(start, len(keys)):
        key = keys[place]
        if key.box is None:
            continue
        end = keys[place + 1].frame if place + 1 < len(keys) else (total if step > 0 else -1)
        corrects = key.frame == frame
        wanted = _wanted(known, key, range(key.frame + step, end, step), corrects)
        wanted = [each for each in wanted if low <= each <= high]
        for first, stop in _stretches(wanted, step):
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
    result: dict[Step, tuple[int, int]] = {}
    ahead, behind = gone[gone > frame], gone[gone < frame]
    if len(ahead):
        result[1] = (int(ahead.min()), int(ahead.max()))
    if len(behind):
        result[-1] = (int(behind.min()), int(behind.max()))
    return result


def by_frame(parts: list[Segment], step: Step) -> list[tuple[int, Mapping[int, Segment]]]:
    """Turn segments of one direction into frames in order, each with target -> segment."""
    frames: dict[int, dict[int, Segment]] = {}
    for part in parts:
        for index in part.frames:
            frames.setdefault(index, {}).setdefault(part.target, part)
    return sorted(frames.items(), key=lambda item: item[0] * step)


def _wanted(known: Table, key: Key, window: range, corrects: bool) -> list[int]:
    frames = np.arange(window.start, window.stop, window.step)
    owner = known.owner[frames]
    wanted = (owner == NOTHING) | (owner == ABSENT)
    if corrects:
        wanted |= (owner >= 0) & (known.stamp[frames] < key.stamp)
    wanted &= owner != KEY
    return [int(frame) for frame in frames[wanted]]


def _stretches(frames: list[int], step: int) -> list[tuple[int, int]]:
    """Return first and stop of each unbroken stretch.

    Example:
        >>> _stretches([4, 5, 6, 9], 1), _stretches([9, 6, 5], -1)
        ([(4, 7), (9, 10)], [(9, 8), (6, 4)])
    """
    found: list[tuple[int, int]] = []
    for frame in frames:
        if found and found[-1][1] == frame:
            found[-1] = (found[-1][0], frame + step)
        else:
            found.append((frame, frame + step))
    return found
