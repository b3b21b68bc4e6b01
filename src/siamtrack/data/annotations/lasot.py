"""LaSOT, training sequences of protocol II: `lasot:PATH`.

    PATH/airplane/airplane-2/img/00000001.jpg ...
    PATH/airplane/airplane-2/groundtruth.txt        one row a frame: left,top,width,height
    PATH/airplane/airplane-2/full_occlusion.txt     0 or 1 for each frame, in one line
    PATH/airplane/airplane-2/out_of_view.txt        the same

Sequences may also lie in PATH itself, without the folders of the classes. Boxes count pixels from
1. Frames whose target is hidden or out of view are left out, and so are the 280 test sequences.
Fan et al., "LaSOT", 2019, https://arxiv.org/abs/1809.07845.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from siamtrack.data.annotations.base import TRAINING
from siamtrack.data.annotations.entries import numbered, track_entries
from siamtrack.data.annotations.findings import Findings
from siamtrack.data.annotations.lasot_test import TEST_SEQUENCES
from siamtrack.data.annotations.rows import flags_of, folders, rows_of
from siamtrack.data.manifest import Entry
from siamtrack.errors import DatasetError

_NAME = re.compile(r"([A-Za-z]+)-\d+")


@TRAINING.register("lasot")
def read_lasot(path: Path, found: Findings) -> Iterator[Entry]:
    """Yield the objects of the training sequences of LaSOT.

    Args:
        path: Folder of the classes, or of the sequences.
        found: Where what is left out is added.

    Raises:
        DatasetError: If there are no sequences, or only those of the test part.
    """
    groups = [path, *(folder for folder in folders(path) if not _NAME.fullmatch(folder.name))]
    every = [item for group in groups for item in folders(group) if _NAME.fullmatch(item.name)]
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
    for folder in sequences:
        boxes = rows_of(folder / "groundtruth.txt", 4, found)
        if boxes is None:
            continue
        boxes[:, :2] -= 1
        usable = boxes[:, 2] == boxes[:, 2]
        for name in ("full_occlusion.txt", "out_of_view.txt"):
            hidden = flags_of(folder / name, len(boxes))
            if hidden is not None:
                usable &= hidden == 0
        yield from track_entries(
            boxes, numbered(folder / "img", 8, 1), found,
            track=folder.name, label=folder.name.rpartition("-")[0], source="lasot", usable=usable,
        )  # fmt: skip
