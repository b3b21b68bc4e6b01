"""Boxes that tremble less, for a known delay."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from siamtrack.core.tracks import Track, TrackState
from siamtrack.video import Frame

Result = tuple[Frame, list[Track]]
MOST = 100
"""Frames on either side at most: so many pictures are held in memory, twice."""


def smoothed(results: Iterable[Result], frames: int) -> Iterator[Result]:
    """Average each box with those of the frames before and after it.

    A result comes `frames` frames after it was tracked, which is the whole delay: the weights fall
    evenly and alike on both sides, so that a box that moves steadily stays where it is. Towards a
    loss, and towards the first and last frame of a target, fewer frames on both sides count. Lost
    boxes are left alone, and count for no other.

    Args:
        results: Frames with the tracks in them, as `siamtrack.tracking.follow.follow` yields them.
        frames: How many on either side count, from 0 (nothing changes) to 100.

    Raises:
        ValueError: If `frames` is out of range.

    Example:
        >>> boxes = [[x, 0, 8, 8] for x in (0, 4, 2, 6)]
        >>> tracks = [Track(np.array(box, float), 1.0, TrackState.TRACKED) for box in boxes]
        >>> results = [(Frame(n, None, None), [track]) for n, track in enumerate(tracks)]
        >>> [track.box[0].tolist() for _, (track,) in smoothed(results, 1)]
        [0.0, 2.5, 3.5, 6.0]
    """
    if not 0 <= frames <= MOST:
        raise ValueError(f"smooth {frames}: expected a number of frames from 0 to {MOST}")
    return _smoothed(iter(results), frames)


def _smoothed(results: Iterator[Result], frames: int) -> Iterator[Result]:
    held: deque[Result] = deque()
    middle = 0  # the place in `held` of the result that comes next
    for result in results:
        held.append(result)
        if len(held) - middle > frames:
            yield _averaged(held, middle, frames)
            if middle == frames:
                held.popleft()
            else:
                middle += 1
    # At the end there are fewer frames after each
    while middle < len(held):
        yield _averaged(held, middle, frames)
        middle += 1


def _averaged(held: deque[Result], middle: int, frames: int) -> Result:
    frame, tracks = held[middle]
    return frame, [_one(held, middle, frames, track) for track in tracks]


def _one(held: deque[Result], middle: int, frames: int, track: Track) -> Track:
    if track.state is TrackState.LOST:
        return track
    total, weights = track.box * (frames + 1.0), frames + 1.0
    for away in range(1, frames + 1):
        pair = [_seen(held, middle + side * away, track.id) for side in (-1, 1)]
        if pair[0] is None or pair[1] is None:
            break
        weight = frames + 1.0 - away
        total, weights = total + weight * (pair[0].box + pair[1].box), weights + 2 * weight
    return replace(track, box=np.asarray(total / weights))


def _seen(held: deque[Result], place: int, number: int) -> Track | None:
    """Return the track of a target in one of the frames held; None where it is not to be seen."""
    if not 0 <= place < len(held):
        return None
    for track in held[place][1]:
        if track.id == number:
            return None if track.state is TrackState.LOST else track
    return None
