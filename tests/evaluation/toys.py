"""Small synthetic sequences and trackers; in a module so that other processes can import them."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from siamtrack.data.sequence import Dataset, Sequence


class Squares:
    """Frames with a bright rectangle at each box and nothing where the box is NaN."""

    files = ()

    def __init__(self, boxes):
        self.boxes = np.asarray(boxes, dtype=float)

    def missing(self):
        return ()

    def __len__(self):
        return len(self.boxes)

    def __getitem__(self, index):
        frame = np.zeros((60, 80, 3), np.uint8)
        if np.isfinite(self.boxes[index]).all():
            left, top, width, height = self.boxes[index].astype(int)
            frame[top : top + height, left : left + width] = 255
        return frame

    def __iter__(self):
        return (self[index] for index in range(len(self)))


def walk(seed: int, frames: int = 30):
    """Return integer boxes (frames, 4) of a target that wanders inside the frame."""
    rng = np.random.default_rng(seed)
    place = np.clip(np.add(rng.integers(-2, 3, (frames, 2)).cumsum(axis=0), [30, 20]), 0, 40)
    size = np.clip(14 + rng.integers(-1, 2, (frames, 2)).cumsum(axis=0), 8, 18)
    return np.concatenate([place, size], axis=1).astype(float)


def toys(count: int = 4, frames: int = 30, **options) -> Dataset:
    sequences = []
    for index in range(count):
        boxes = walk(index, frames)
        attributes = ("OCC", "SV") if index % 2 else ("OCC",)
        sequences.append(Sequence(f"Toy{index}", Squares(boxes), boxes, attributes=attributes))
    return Dataset("toys", sequences, **options)


@dataclass
class Found:
    box: object
    score: float = 0.5


class Still:
    """Says that the target does not move."""

    name = "still"

    def init(self, frame, box):
        self.box = box

    def update(self, frame):
        return Found(self.box)


class Blob:
    """Finds the bright rectangle, give or take a third of a pixel; keeps the box without one."""

    def init(self, frame, box):
        self.box = np.array(box)

    def update(self, frame):
        rows, columns = (
            frame[..., 0].any(axis=1).nonzero()[0],
            frame[..., 0].any(axis=0).nonzero()[0],
        )
        if len(rows):
            size = np.ptp(columns) + 1, np.ptp(rows) + 1
            self.box = np.array([columns[0] + 1 / 3, rows[0] - 1 / 3, *size])
        return Found(self.box, score=min(1.0, len(rows) / 10))


class Loses(Blob):
    """Gives no finite box from the tenth update on."""

    def init(self, frame, box):
        super().init(frame, box)
        self.count = 0

    def update(self, frame):
        self.count += 1
        found = super().update(frame)
        return Found([np.nan, 0, 1, np.inf]) if self.count >= 10 else found


class Recorded(Blob):
    """Writes a line for every start into the file named by the variable SIAMTRACK_TEST_LOG."""

    def init(self, frame, box):
        with Path(os.environ["SIAMTRACK_TEST_LOG"]).open("a", encoding="utf-8") as log:
            log.write(f"{os.getpid()}\n")
        super().init(frame, box)


class Dies(Blob):
    """Ends the whole process, as kill -9 does, in the middle of the third sequence."""

    starts = 0

    def init(self, frame, box):
        super().init(frame, box)
        type(self).starts += 1
        self.count = 0

    def update(self, frame):
        self.count += 1
        if self.starts == 3 and self.count == 10:
            os._exit(9)
        return super().update(frame)


class Stuck(Recorded):
    """Does one sequence in each process, and works on the second until it is killed."""

    starts = 0

    def init(self, frame, box):
        super().init(frame, box)
        type(self).starts += 1

    def update(self, frame):
        if self.starts > 1:
            time.sleep(3600)
        return super().update(frame)
