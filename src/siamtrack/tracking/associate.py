"""Which box of a detector is which target."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from siamtrack.core.boxes import Array, iou
from siamtrack.core.tracks import Track


def associate(
    tracks: Iterable[Track], boxes: ArrayLike, *, least: float = 0.3
) -> tuple[dict[int, Array], Array]:
    """Give each target the box of a detector that overlaps it most, each box once.

    Args:
        tracks: The targets, in the frame of the boxes or the one before.
        boxes: Boxes (N, 4) of the detector: left, top, width, height.
        least: Overlap (IoU) below which a box is of none of the targets, in (0, 1].

    Returns:
        Id of a target to its box, as `SiamTracker.update_all` takes them, and the boxes (M, 4) that
        are of no target: those that something new may be in.

    Raises:
        ValueError: If the boxes have another shape or are not finite, or `least` does not fit.

    Example:
        >>> from siamtrack.core.tracks import TrackState
        >>> track = Track(np.array([10.0, 10.0, 20.0, 20.0]), 1.0, TrackState.TRACKED, id=3)
        >>> priors, new = associate([track], [[12, 10, 20, 20], [90, 90, 20, 20]])
        >>> priors[3].tolist(), new.tolist()
        ([12.0, 10.0, 20.0, 20.0], [[90.0, 90.0, 20.0, 20.0]])
    """
    given = np.asarray(boxes, np.float64)
    if given.size == 0:
        given = given.reshape(-1, 4)
    if given.ndim != 2 or given.shape[1] != 4:
        raise ValueError(f"boxes of shape {given.shape}: expected (N, 4)")
    if not np.isfinite(given).all():
        raise ValueError("boxes with numbers that are not finite: drop them")
    if not 0 < least <= 1:
        raise ValueError(f"least {least}: expected an overlap above 0, at most 1")
    targets = list(tracks)
    overlaps = np.zeros((len(targets), len(given)))
    for row, track in enumerate(targets):
        overlaps[row] = iou(track.box, given)
    priors: dict[int, Array] = {}
    new = np.ones(len(given), bool)
    while overlaps.size and overlaps.max() >= least:
        row, column = divmod(int(overlaps.argmax()), len(given))
        priors[targets[row].id] = given[column].copy()
        new[column] = False
        overlaps[row], overlaps[:, column] = 0, 0
    return priors, given[new].copy()
