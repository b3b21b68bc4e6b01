"""LaSOT: `lasot:PATH`, its test sequences to evaluate on and the others to train on.

    PATH/airplane/airplane-2/img/00000001.jpg ...
    PATH/airplane/airplane-2/groundtruth.txt        one row a frame: left,top,width,height
    PATH/airplane/airplane-2/full_occlusion.txt     0 or 1 for each frame, in one line
    PATH/airplane/airplane-2/out_of_view.txt        as above

Sequences may also lie in PATH itself, without the folders of the classes. Boxes count pixels from
1. Where either label is set the target is absent.
Fan et al., "LaSOT", 2019, https://arxiv.org/abs/1809.07845.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from siamtrack.core.boxes import Array
from siamtrack.core.files import read_rows
from siamtrack.data.layout import (
    Entries,
    complete,
    folders,
    frames_beside,
    hidden,
    labels,
    names_in,
    numbered,
)
from siamtrack.data.manifest import Entry
from siamtrack.data.sequence import Dataset, Sequence
from siamtrack.data.sources import DATASETS, TRAINING, Findings
from siamtrack.errors import DatasetError

LIST, TRUTH = "testing_set.txt", "groundtruth.txt"
_TEST = """
airplane 1 9 13 15; basketball 1 6 7 11; bear 2 4 6 17; bicycle 2 7 9 18; bird 2 3 15 17;
boat 3 4 12 17; book 3 10 11 19; bottle 1 12 14 18; bus 2 5 17 19; car 2 6 9 17; cat 1 3 18 20;
cattle 2 7 12 13; chameleon 3 6 11 20; coin 3 6 7 18; crab 3 6 12 18; crocodile 3 4 10 14;
cup 1 4 7 17; deer 4 8 10 14; dog 1 7 15 19; drone 13 15 2 7; electricfan 1 10 18 20;
elephant 1 12 16 18; flag 3 9 5 2; fox 2 3 5 20; frog 3 4 20 9; gametarget 1 2 7 13;
gecko 1 5 16 19; giraffe 2 10 13 15; goldfish 3 7 8 10; gorilla 4 6 9 13; guitar 3 8 10 16;
hand 2 3 9 16; hat 1 2 5 18; helmet 5 11 19 13; hippo 1 7 9 20; horse 1 4 12 15;
kangaroo 2 5 11 14; kite 4 6 10 15; leopard 1 7 16 20; licenseplate 6 12 13 15; lion 1 5 12 20;
lizard 1 3 6 13; microphone 2 6 14 16; monkey 3 4 9 17; motorcycle 1 3 9 18; mouse 1 8 9 17;
person 1 5 10 12; pig 2 10 13 18; pool 12 15 3 7; rabbit 10 13 17 19; racing 10 15 16 20;
robot 1 19 5 8; rubicCube 1 6 14 19; sepia 13 16 6 8; shark 2 3 5 6; sheep 3 5 7 9;
skateboard 16 19 3 8; spider 14 16 18 20; squirrel 8 11 13 19; surfboard 12 4 5 8;
swing 10 14 17 20; tank 14 16 6 9; tiger 12 18 4 6; train 1 11 20 7; truck 16 3 6 7;
turtle 16 5 8 9; umbrella 17 19 2 9; volleyball 1 13 18 19; yoyo 15 17 19 7; zebra 10 14 16 17
"""

TEST_SEQUENCES = frozenset(
    f"{kind}-{number}"
    for kind, *numbers in (group.split() for group in _TEST.split(";"))
    for number in numbers
)
"""The 280 test sequences of protocol II, which are not for training."""

_NAME = re.compile(r"[A-Za-z]+-\d+")


@DATASETS.register("lasot")
def open_lasot(path: Path, *, partial: bool = False) -> Dataset:
    """Open the sequences of LaSOT below `path`: those that `testing_set.txt` names, else all."""
    there = {item.name: item for item in _folders(path) if (item / TRUTH).is_file()}
    wanted = names_in(path / LIST) if (path / LIST).is_file() else list(there)
    if not wanted:
        raise DatasetError(
            f"{path}: neither {LIST} nor folders with {TRUTH}; give the folder of LaSOT"
        )
    found = [_sequence(there[name]) for name in wanted if name in there]
    return complete("LaSOT", found, wanted, partial=partial, origin=1)


@TRAINING.register("lasot")
def read_lasot(path: Path, found: Findings) -> Iterator[Entry]:
    """Yield the objects of the training sequences of LaSOT.

    Frames whose target is hidden or out of view are left out, and so are the test sequences.
    """
    every = [item for item in _folders(path) if _NAME.fullmatch(item.name)]
    sequences = [item for item in every if item.name not in TEST_SEQUENCES]
    if not every:
        raise DatasetError(
            f"{path}: expected the folders of LaSOT here, CLASS/CLASS-NUMBER/groundtruth.txt, such "
            "as airplane/airplane-2; unpack its archives into PATH and give lasot:PATH"
        )
    if not sequences:
        raise DatasetError(
            f"{path}: all {len(every)} sequences here belong to the test part of LaSOT, which is "
            "not for training; add training sequences"
        )
    entries = Entries("lasot", found)
    for folder in sequences:
        rows = found.tried(_rows, folder / TRUTH)
        if rows is not None:
            boxes, gone = rows
            images, label = numbered(folder / "img", 8, 1), folder.name.rpartition("-")[0]
            yield from entries.track(folder.name, boxes, images, label, usable=~gone)


def _folders(path: Path) -> list[Path]:
    """Return the folders in `path`, and those in what may be the folder of a class."""
    here = folders(path)
    below = [item for each in here if not _NAME.fullmatch(each.name) for item in folders(each)]
    return here + below


def _sequence(folder: Path) -> Sequence:
    boxes, gone = _rows(folder / TRUTH)
    frames = frames_beside(folder / "img", len(boxes), folder / TRUTH)
    return Sequence(folder.name, frames, hidden(boxes, gone))


def _rows(file: Path) -> tuple[Array, NDArray[np.bool_]]:
    """Return the boxes (N, 4) ltwh, 0-based, and where the target cannot be seen (N,)."""
    boxes = read_rows(file, (4,)) - [1, 1, 0, 0]
    covered, away = (
        labels(file.with_name(name), len(boxes)) > 0
        for name in ("full_occlusion.txt", "out_of_view.txt")
    )
    return boxes, covered | away
