"""Boxes measured anew: what a refiner sees of a target, and how it corrects a box."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from siamtrack.core.boxes import Array
from siamtrack.core.images import Image
from siamtrack.core.tracks import Track
from siamtrack.runtimes.base import Floats
from siamtrack.runtimes.graph import Feed, RefinerGraphs
from siamtrack.tracking.crops import cut
from siamtrack.tracking.outline import outline_window

if TYPE_CHECKING:
    from siamtrack.tracking.target import Target

SIDE = 96
"""Side of a patch, in pixels."""


class Refiner:
    """Finds the sides of what a person drew, near where a tracker found it.

    It holds no state of a target: what it remembers of one is kept by its caller.
    """

    def __init__(self, graphs: RefinerGraphs) -> None:
        self._graphs = graphs

    def remember(
        self, frame: Image, boxes: Sequence[ArrayLike], borders: Sequence[ArrayLike]
    ) -> Floats:
        """Return the cells (N, C, ...) of targets in boxes (N, 4) ltwh of a frame.

        `borders` are the colors of what lies beyond the frame.
        """
        patches, sizes, _ = _patches(frame, boxes, borders)
        return self._graphs.reference.run({"patch": patches, "size": sizes})["memory"]

    def sides(
        self,
        frame: Image,
        boxes: Sequence[ArrayLike],
        memories: Sequence[Floats],
        borders: Sequence[ArrayLike],
    ) -> Array:
        """Return the boxes (N, 4) ltwh of what is remembered, near those given (N, 4).

        Each memory (1, C, ...) holds the cells of one frame, or of several, one behind the other.
        """
        patches, sizes, windows = _patches(frame, boxes, borders)
        feed: Feed = {"patch": patches, "size": sizes, "memory": np.concatenate(memories)}
        found = self._graphs.refine.run(feed)["sides"]
        # From shares of the windows to frame pixels
        sides = windows[:, [0, 1, 0, 1]] + found * windows[:, [2, 3, 2, 3]]
        return np.concatenate([sides[:, :2], sides[:, 2:] - sides[:, :2]], axis=1)


def _patches(
    frame: Image, boxes: Sequence[ArrayLike], borders: Sequence[ArrayLike]
) -> tuple[Image, Floats, Array]:
    """Cut the windows around boxes: patches, sizes of the boxes in them, windows (N, 4) ltwh."""
    patches = np.empty((len(boxes), SIDE, SIDE, 3), np.uint8)
    sizes, places = np.empty((len(boxes), 2), np.float32), np.empty((len(boxes), 4))
    for row, (box, border) in enumerate(zip(boxes, borders, strict=True)):
        window, sizes[row] = outline_window(box)
        cut(frame, window, border, out=patches[row])
        width, height = window.width, window.height
        places[row] = window.cx - width / 2, window.cy - height / 2, width, height
    return patches, sizes, places


def measured(frame: Image, targets: Sequence[Target], tracks: Sequence[Track]) -> list[Track]:
    """Measure the boxes of the targets that ask for it anew, all at once, and return the tracks."""
    found = list(tracks)
    asking, memories = [], []
    for place, target in enumerate(targets):
        if target.wants_measure and target.memory is not None:
            asking.append(place)
            memories.append(target.memory)
    if not asking:
        return found
    wanted = [targets[place] for place in asking]
    graphs = wanted[0].model.refiner
    if graphs is None:
        return found
    boxes, borders = [target.box for target in wanted], [target.border for target in wanted]
    refiner = Refiner(graphs)
    sides = refiner.sides(frame, boxes, memories, borders)
    for place, box in zip(asking, sides, strict=True):
        found[place] = targets[place].corrected(found[place], box)
    # Some of what was surely seen is remembered.
    sure = [place for place in asking if targets[place].wants_memory]
    if sure:
        boxes, borders = [found[at].box for at in sure], [targets[at].border for at in sure]
        for place, cells in zip(sure, refiner.remember(frame, boxes, borders), strict=True):
            targets[place].remember(cells[None])
    return found


def renewed(memory: Floats, cells: Floats) -> Floats:
    """Return a memory (1, F C, ...) with the cells (1, C, ...) of a frame in place of the oldest.

    The first frame, which a person drew in, stays.
    """
    count = cells.shape[1]
    return np.concatenate([memory[:, :count], memory[:, 2 * count :], cells], axis=1)
