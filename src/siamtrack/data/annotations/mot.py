"""MOTChallenge text: `mot:PATH` of a sequence, or of a folder of sequences.

    PATH/gt/gt.txt              frame,id,left,top,width,height,valid,class,visibility
    PATH/img1/000001.jpg ...
    PATH/seqinfo.ini            optional: imWidth, imHeight

    PATH/gt/labels.txt          optional: what the classes are called, one a line, from 1

Frames and pixels count from 1; the first six columns are enough. Rows whose `valid` is 0 are to be
ignored, as MOTChallenge says. The path may also be a text file, which its tracks are called after;
its images are then in `img1`, in `images` or right beside it, or given; its classes are named in
`NAME_labels.txt` beside it. https://motchallenge.net/instructions
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from siamtrack.core.files import read_rows, text_of
from siamtrack.data.annotations.user_formats import Pictures, user_format, user_name
from siamtrack.data.layout import Entries, Size, folders
from siamtrack.data.manifest import Entry
from siamtrack.data.sources import Findings
from siamtrack.errors import DatasetError


@user_format("mot")
def read_mot(path: Path, found: Findings, images: Pictures | None = None) -> Iterator[Entry]:
    """Yield the objects of MOT sequences."""
    files = [path] if path.is_file() else [path / "gt" / "gt.txt"]
    if not files[0].is_file():
        files = [each / "gt" / "gt.txt" for each in folders(path)]
        files = [file for file in files if file.is_file()]
    if not files:
        raise DatasetError(
            f"{path}: expected gt/gt.txt here or in the folders below, as MOTChallenge has it"
        )
    if images is not None and len(files) > 1:
        raise DatasetError(f"{path}: images given, but {len(files)} sequences: import one by one")
    entries = Entries(user_name(path), found)
    for file in files:
        folder = file.parent if path.is_file() else file.parent.parent
        pictures = images or Pictures.beside(folder, "img1", "images", ".", deep=False)
        sequence = file.stem if path.is_file() else folder.resolve().name
        yield from _sequence(file, sequence, _size(folder / "seqinfo.ini"), pictures, entries)


def _sequence(
    file: Path, sequence: str, size: Size | None, pictures: Pictures, entries: Entries
) -> Iterator[Entry]:
    # Collect the rows of each object, in the order of the frames
    rows = read_rows(file, range(6, 11))
    tracks: dict[int, list[int]] = defaultdict(list)
    for index in np.lexsort((rows[:, 0], rows[:, 1])).tolist():
        if rows.shape[1] == 6 or rows[index, 6] != 0:
            tracks[int(rows[index, 1])].append(index)
    numbers = {int(rows[index, 0]) for members in tracks.values() for index in members}
    if numbers and not any(map(pictures.number, numbers)):
        raise DatasetError(
            f"{file}: no image in {pictures.folder} has the number of one of its {len(numbers)} "
            "frames; give their folder or the video with --images"
        )
    classes = _classes(file)
    # Keep the rows whose frame is there
    for number, members in tracks.items():
        named = [(index, pictures.number(int(rows[index, 0]))) for index in members]
        for index in (index for index, image in named if image is None):
            entries.found.add("missing", f"frame {int(rows[index, 0])} of {file}")
        here = [(index, image) for index, image in named if image is not None]
        if not here:
            continue
        kept = rows[[index for index, _ in here]]
        boxes = kept[:, 2:6] - [1, 1, 0, 0]
        kind = int(kept[0, 7]) if kept.shape[1] > 7 and kept[0, 7] >= 0 else -1
        name, label = f"{sequence}/{number}", "" if kind < 0 else classes.get(kind, str(kind))
        names, frames = [image for _, image in here], (kept[:, 0].astype(int) - 1).tolist()
        yield from entries.track(name, boxes, names, label, size=size, frames=frames)


def _classes(file: Path) -> dict[int, str]:
    """Return the names of classes that a file beside another gives."""
    for path in (file.with_name(f"{file.stem}_labels.txt"), file.with_name("labels.txt")):
        if path.is_file():
            lines = text_of(path, errors="replace").splitlines()
            return {k: name.strip() for k, name in enumerate(lines, start=1) if name.strip()}
    return {}


def _size(path: Path) -> Size | None:
    if not path.is_file():
        return None
    text = text_of(path, errors="replace")
    width = re.search(r"^\s*imWidth\s*=\s*(\d+)", text, re.MULTILINE)
    height = re.search(r"^\s*imHeight\s*=\s*(\d+)", text, re.MULTILINE)
    return (float(width[1]), float(height[1])) if width and height else None
