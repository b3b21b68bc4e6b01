"""VOT short-term 2013 to 2022 and long-term: `vot2018:PATH`, `votlt:PATH`.

Paper: Kristan et al., https://arxiv.org/abs/1503.01313, and the yearly reports. `list.txt`, then
per sequence `00000001.jpg` (since the Python toolkit `color/00000001.jpg`) and `groundtruth.txt`:
rectangles (2013), polygons of four corners (2014 to 2019), masks (2020 to 2022), NaN where the
target is absent (long-term). `NAME.tag` and `NAME.label` mark the frames of a challenge,
`anchor.value` the starts of multi-start runs. Coordinates are 0-based, as the toolkit counts
pixels.
"""

from __future__ import annotations

from functools import partial as bind
from pathlib import Path

import numpy as np

from siamtrack.core.boxes import Array, polygons_to_ltwh
from siamtrack.core.files import read_rows, read_text
from siamtrack.data.benchmarks.votmask import mask_boxes
from siamtrack.data.frames import ImageFrames
from siamtrack.data.layout import complete, frames_beside, labels, names_in
from siamtrack.data.open import DATASETS
from siamtrack.data.sequence import Dataset, Sequence

YEARS = tuple(range(2013, 2023))


def open_vot(path: Path, *, name: str, partial: bool = False) -> Dataset:
    """Open the sequences that `list.txt` names.

    Raises:
        DatasetError: If the list or sequences are missing, or rows, labels and frames do not fit.
    """
    root = path / "sequences" if (path / "sequences" / "list.txt").is_file() else path
    names = names_in(root / "list.txt")
    there = [root / item for item in names if (root / item / "groundtruth.txt").is_file()]
    return complete(name, map(vot_sequence, there), names, partial=partial)


def vot_sequence(folder: Path) -> Sequence:
    """Return the sequence in a folder."""
    file = folder / "groundtruth.txt"
    boxes, polygons = _regions(file)
    frames = frames_beside(_images(folder), len(boxes), file)
    starts = folder / "anchor.value"
    return Sequence(
        folder.name,
        frames,
        boxes,
        polygons=polygons,
        anchors=labels(starts, len(boxes)) if starts.is_file() else None,
        attributes=_attributes(folder),
        size=_size(frames),
    )


def _regions(file: Path) -> tuple[Array, Array | None]:
    """Return boxes (N, 4), and polygons (N, 8) if the file has them."""
    if read_text(file).lstrip().startswith("m"):
        return mask_boxes(file), None
    rows = read_rows(file, (4, 8))
    return (rows, None) if rows.shape[1] == 4 else (polygons_to_ltwh(rows), rows)


def _images(folder: Path) -> Path:
    for place in (folder / "color", folder / "img"):
        if place.is_dir():
            return place
    return folder


def _attributes(folder: Path) -> list[str]:
    """Return the challenges that any frame has."""
    files = sorted([*folder.glob("*.tag"), *folder.glob("*.label")])
    return [file.stem for file in files if "1" in read_text(file).split()]


def _size(frames: ImageFrames) -> tuple[int, int] | None:
    """Return width and height of the first frame, by which regions are bounded."""
    if not frames.files[0].is_file():
        return None
    height, width = frames[0].shape[:2]
    return width, height


def anchors_every(boxes: Array, gap: int = 50) -> Array:
    """Return anchors (N,) every `gap` frames where a sequence has none of its own.

    As in VOT2020: a run goes forward or backward, whichever is longer; an anchor without a box
    moves to the nearest frame that has one.
    """
    count = len(boxes)
    usable = np.flatnonzero(np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1))
    anchors = np.zeros(count)
    for wanted in [*range(0, count - 1, gap), count - 1]:
        frame = int(usable[np.abs(usable - wanted).argmin()])
        anchors[frame] = 1 if frame < count / 2 else -1
    return anchors


for _year in YEARS:
    DATASETS.register(f"vot{_year}")(bind(open_vot, name=f"VOT{_year}"))
DATASETS.register("votlt")(bind(open_vot, name="VOT-LT"))
