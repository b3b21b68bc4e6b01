"""GOT-10k, `train` part: `got10k:PATH`.

    PATH/train/list.txt
    PATH/train/GOT-10k_Train_000001/00000001.jpg ...
    PATH/train/GOT-10k_Train_000001/groundtruth.txt     one row a frame: left,top,width,height
    PATH/train/GOT-10k_Train_000001/absence.label       one 0 or 1 a frame
    PATH/train/GOT-10k_Train_000001/cover.label         visible share, 0 to 8
    PATH/train/GOT-10k_Train_000001/meta_info.ini       object_class, resolution

Boxes count pixels from 1. Frames whose target is absent or wholly hidden are left out. PATH may
also be the `train` folder itself, and sequences of one's own in this form may have any names.
`val` and `test` are never read: they are for evaluation.
Huang et al., "GOT-10k", 2019, https://arxiv.org/abs/1810.11981.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from siamtrack.core.files import text_of
from siamtrack.data.annotations.base import TRAINING
from siamtrack.data.annotations.entries import numbered, track_entries
from siamtrack.data.annotations.findings import Findings
from siamtrack.data.annotations.rows import flags_of, folders, rows_of
from siamtrack.data.manifest import Entry
from siamtrack.errors import DatasetError


@TRAINING.register("got10k")
def read_got10k(path: Path, found: Findings) -> Iterator[Entry]:
    """Yield the objects of the training part of GOT-10k.

    Args:
        path: Folder with `train`, or `train` itself.
        found: Where what is left out is added.

    Raises:
        DatasetError: If there are no training sequences.
    """
    train = path / "train" if (path / "train").is_dir() else path
    listed = train / "list.txt"
    names = [folder.name for folder in folders(train)]
    if listed.is_file():
        wanted = text_of(listed).split()
        here = set(names)
        for name in wanted:
            if name not in here:
                found.add("missing", str(train / name))
        names = [name for name in wanted if name in here]
    else:
        names = [name for name in names if (train / name / "groundtruth.txt").is_file()]
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
    for name in names:
        yield from _sequence(train / name, found)


def _sequence(folder: Path, found: Findings) -> Iterator[Entry]:
    boxes = rows_of(folder / "groundtruth.txt", 4, found)
    if boxes is None:
        return
    boxes[:, :2] -= 1
    absent = flags_of(folder / "absence.label", len(boxes))
    cover = flags_of(folder / "cover.label", len(boxes))
    usable = boxes[:, 2] == boxes[:, 2]
    if absent is not None:
        usable &= absent == 0
    if cover is not None:
        usable &= cover > 0
    label, size = _meta(folder / "meta_info.ini")
    yield from track_entries(
        boxes, numbered(folder, 8, 1), found,
        track=folder.name, label=label, source="got10k", usable=usable, size=size,
    )  # fmt: skip


def _meta(path: Path) -> tuple[str, tuple[float, float] | None]:
    """Return class and frame size; the files are not quite INI, so lines are searched."""
    try:
        text = text_of(path, errors="replace")
    except OSError:
        return "", None
    label = re.search(r"^\s*object_class\s*[:=]\s*(.+?)\s*$", text, re.MULTILINE)
    size = re.search(r"^\s*resolution\s*[:=]\s*\(\s*(\d+)\s*,\s*(\d+)\s*\)", text, re.MULTILINE)
    return label[1] if label else "", (float(size[1]), float(size[2])) if size else None
