"""GOT-10k: `got10k-val:PATH`, `got10k-test:PATH`.

Paper: Huang et al., https://arxiv.org/abs/1810.11981. `val/list.txt`, then per sequence
`00000001.jpg`, `groundtruth.txt`, `absence.label`, `cover.label` and `meta_info.ini`. Boxes are
1-based, as the authors say (https://github.com/got-10k/toolkit/issues/6). The test part has the
first box alone: trackers run on it and the server evaluates.
"""

from __future__ import annotations

import re
from functools import partial as bind
from pathlib import Path

import numpy as np

from siamtrack.core.files import read_rows, read_text
from siamtrack.core.images import image_files
from siamtrack.data.frames import ImageFrames
from siamtrack.data.layout import complete, frames_beside, hidden, labels, names_in
from siamtrack.data.open import DATASETS
from siamtrack.data.sequence import Dataset, Sequence


def open_got10k(path: Path, *, part: str, partial: bool = False) -> Dataset:
    """Open a part (`val`, `test`) of GOT-10k.

    Args:
        path: Folder that holds `val` and `test`, or the part itself.
        part: Which part.
        partial: Accept missing sequences.

    Raises:
        DatasetError: If the list or sequences are missing, or labels do not fit the frames.
    """
    root = path / part if (path / part).is_dir() else path
    names = names_in(root / "list.txt")
    there = [root / name for name in names if (root / name / "groundtruth.txt").is_file()]
    read = _first_box if part == "test" else _annotated
    return complete(
        f"GOT-10k {part}",
        map(read, there),
        names,
        partial=partial,
        policy="got10k",
        hidden=part == "test",
        nested=True,
        origin=1,
    )


def _annotated(folder: Path) -> Sequence:
    file = folder / "groundtruth.txt"
    boxes = read_rows(file, (4,)) - [1, 1, 0, 0]
    count = len(boxes)
    gone = labels(folder / "absence.label", count)
    if (folder / "cover.label").is_file():  # 0: nothing of the target is visible
        gone = np.maximum(gone, labels(folder / "cover.label", count) == 0)
    gone[0] = 0
    return Sequence(
        folder.name,
        frames_beside(folder, count, file),
        hidden(boxes, gone),
        size=_resolution(folder / "meta_info.ini"),
    )


def _first_box(folder: Path) -> Sequence:
    files = image_files(folder.iterdir())
    boxes = np.full((max(len(files), 1), 4), np.nan)
    boxes[0] = read_rows(folder / "groundtruth.txt", (4,))[0] - [1, 1, 0, 0]
    return Sequence(folder.name, ImageFrames(files), boxes)


def _resolution(file: Path) -> tuple[int, int] | None:
    text = read_text(file) if file.is_file() else ""
    match = re.search(r"resolution:\s*\((\d+),\s*(\d+)\)", text)
    return None if match is None else (int(match[1]), int(match[2]))


for _part in ("val", "test"):
    DATASETS.register(f"got10k-{_part}")(bind(open_got10k, part=_part))
