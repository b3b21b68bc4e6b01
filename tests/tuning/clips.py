"""Sequences of real pictures in memory, and a small data set on disk."""

from __future__ import annotations

import cv2

from siamtrack.data.sequence import Dataset, Sequence
from tests.helpers import clip


class Pictures:
    files = ()

    def __init__(self, pictures):
        self.pictures, self.read = pictures, 0

    def missing(self):
        return ()

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, index):
        self.read += 1
        return self.pictures[index]

    def __iter__(self):
        return iter(self.pictures)


def moving(name="a", frames=8, speed=2.0):
    pictures, boxes = clip(frames, speed)
    return Sequence(name, Pictures(pictures), boxes)


def dataset(count=4, frames=8):
    return Dataset("moving", [moving("abcdefgh"[k], frames, 1.0 + k) for k in range(count)])


def write_dataset(folder, count=3, frames=6):
    """Write sequences as folders of images with boxes, as `folder:PATH` reads them."""
    for sequence in dataset(count, frames):
        place = folder / sequence.name
        place.mkdir(parents=True)
        for index, picture in enumerate(sequence):
            cv2.imwrite(str(place / f"{index:04d}.png"), picture[..., ::-1])
        rows = "\n".join(",".join(f"{x:g}" for x in box) for box in sequence.boxes)
        (place / "groundtruth.txt").write_text(rows + "\n")
    return folder
