"""GOT-10k: `got10k:PATH` to train on, `got10k-val:PATH` and `got10k-test:PATH` to evaluate on.

    PATH/train/list.txt
    PATH/train/GOT-10k_Train_000001/00000001.jpg ...
    PATH/train/GOT-10k_Train_000001/groundtruth.txt     one row a frame: left,top,width,height
    PATH/train/GOT-10k_Train_000001/absence.label       one 0 or 1 a frame
    PATH/train/GOT-10k_Train_000001/cover.label         visible share, 0 to 8
    PATH/train/GOT-10k_Train_000001/meta_info.ini       object_class, resolution

PATH may also be the folder of the part. Boxes count pixels from 1, as the authors say
(https://github.com/got-10k/toolkit/issues/6). The target of a frame may be absent or wholly hidden.
The test part has the first box alone: trackers run on it and the server evaluates.
Huang et al., "GOT-10k", 2019, https://arxiv.org/abs/1810.11981.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial as bind
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from siamtrack.core.boxes import Array
from siamtrack.core.files import read_rows, text_of
from siamtrack.core.images import image_files
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
from siamtrack.data.sequence import Dataset, ImageFrames, Sequence
from siamtrack.data.sources import DATASETS, TRAINING, Findings
from siamtrack.errors import DatasetError

TRUTH = "groundtruth.txt"


def open_got10k(path: Path, *, part: str, partial: bool = False) -> Dataset:
    """Open a part (`val`, `test`) of GOT-10k, from its folder or the one that holds it."""
    root = path / part if (path / part).is_dir() else path
    names = names_in(root / "list.txt")
    there = [root / name for name in names if (root / name / TRUTH).is_file()]
    return complete(
        f"GOT-10k {part}",
        map(_first_box if part == "test" else _sequence, there),
        names,
        partial=partial,
        policy="got10k",
        hidden=part == "test",
        nested=True,
        origin=1,
    )


@TRAINING.register("got10k")
def read_got10k(path: Path, found: Findings) -> Iterator[Entry]:
    """Yield the objects of the training part of GOT-10k.

    Frames whose target is absent or wholly hidden are left out. Your own sequences in this form
    may have any names. `val` and `test` are never read: they are for evaluation.
    """
    train = path / "train" if (path / "train").is_dir() else path
    here = {folder.name for folder in folders(train)}
    if (train / "list.txt").is_file():
        wanted = names_in(train / "list.txt")
        for name in wanted:
            if name not in here:
                found.add("missing", str(train / name))
        names = [name for name in wanted if name in here]
    else:
        names = sorted(name for name in here if (train / name / TRUTH).is_file())
    if any(name.startswith(("GOT-10k_Val_", "GOT-10k_Test_")) for name in names):
        raise DatasetError(
            f"{train}: these are sequences of GOT-10k's val or test part, which are for "
            "evaluation; give the folder of its train part"
        )
    if not names:
        raise DatasetError(
            f"{train}: expected the folders GOT-10k_Train_000001 ... of GOT-10k here; unpack its "
            "training archives into PATH/train and give got10k:PATH"
        )
    entries = Entries("got10k", found)
    for name in names:
        rows = found.tried(_rows, train / name / TRUTH)
        if rows is not None:
            boxes, gone = rows
            label, size = _meta(train / name)
            images = numbered(train / name, 8, 1)
            yield from entries.track(name, boxes, images, label, usable=~gone, size=size)


def _sequence(folder: Path) -> Sequence:
    """Return a sequence that is annotated in all frames."""
    boxes, gone = _rows(folder / TRUTH)
    gone[0] = False
    frames = frames_beside(folder, len(boxes), folder / TRUTH)
    return Sequence(folder.name, frames, hidden(boxes, gone), size=_meta(folder)[1])


def _first_box(folder: Path) -> Sequence:
    """Return a sequence of the test part."""
    files = image_files(folder.iterdir())
    boxes = np.full((max(len(files), 1), 4), np.nan)
    boxes[0] = read_rows(folder / TRUTH, (4,))[0] - [1, 1, 0, 0]
    return Sequence(folder.name, ImageFrames(files), boxes)


def _rows(file: Path) -> tuple[Array, NDArray[np.bool_]]:
    """Return the boxes (N, 4) ltwh, 0-based, and where nothing of the target is visible (N,)."""
    boxes = read_rows(file, (4,)) - [1, 1, 0, 0]
    gone = labels(file.with_name("absence.label"), len(boxes)) > 0
    cover = file.with_name("cover.label")
    if cover.is_file():
        gone |= labels(cover, len(boxes)) == 0
    return boxes, gone


def _meta(folder: Path) -> tuple[str, tuple[int, int] | None]:
    """Return class and frame size; the files are not quite INI, so lines are searched."""
    try:
        text = text_of(folder / "meta_info.ini", errors="replace")
    except OSError:
        return "", None
    label = re.search(r"^\s*object_class\s*[:=]\s*(.+?)\s*$", text, re.MULTILINE)
    size = re.search(
        r"^\s*resolution\s*[:=]\s*\(\s*(\d{1,9})\s*,\s*(\d{1,9})\s*\)", text, re.MULTILINE
    )
    return label[1] if label else "", (int(size[1]), int(size[2])) if size else None


for _part in ("val", "test"):
    DATASETS.register(f"got10k-{_part}")(bind(open_got10k, part=_part))
