"""Any folder of frames with a file of boxes: `folder:PATH`."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from siamtrack.core.boxes import Array, polygons_to_ltwh
from siamtrack.core.files import read_rows, read_text
from siamtrack.core.images import image_files
from siamtrack.data.frames import ImageFrames
from siamtrack.data.open import DATASETS
from siamtrack.data.sequence import Dataset, Sequence
from siamtrack.errors import DatasetError

_TRUTH = re.compile(r"(groundtruth_rect|groundtruth|boxes)([._-]\w+)?\.txt")


def read_boxes_file(path: Path, origin: int) -> Array:
    """Read boxes (left, top, width, height) or polygons (8 numbers) as ltwh, 0-based (N, 4).

    Args:
        path: Text file, one row per frame; NaN where there is no target.
        origin: Coordinate of the first pixel in the file, 0 or 1.
    """
    rows = read_rows(path, (4, 8))
    boxes = polygons_to_ltwh(rows) if rows.shape[1] == 8 else rows
    return boxes - [origin, origin, 0, 0]


@DATASETS.register("folder")
def open_folder(path: Path, *, partial: bool = False) -> Dataset:
    """Open a folder with frames and boxes, or a folder of such folders.

    Frames lie in the folder itself or below it in `img`, `imgs` or `frames`. Boxes are rows of
    left, top, width, height, or polygons of eight numbers: 1-based pixels in `groundtruth_rect.txt`
    or `groundtruth.txt` (the habit of OTB and LaSOT), 0-based in `boxes.txt`. With
    several targets the files are called `groundtruth_rect.1.txt` and so on. Frames after the last
    row are not annotated.

    Raises:
        DatasetError: If no folder has boxes, frames are missing, or rows outnumber frames.
    """
    folders = [path, *sorted(item for item in path.iterdir() if item.is_dir())]
    sequences = [sequence for folder in folders for sequence in _targets(folder)]
    if not sequences:
        raise DatasetError(
            f"{path}: neither it nor a folder in it has groundtruth_rect.txt, groundtruth.txt or "
            "boxes.txt beside its frames"
        )
    return Dataset(path.resolve().name, sequences)


def _targets(folder: Path) -> list[Sequence]:
    sequences = []
    for file in sorted(folder.iterdir()):
        match = _TRUTH.fullmatch(file.name)
        if match is None or not read_text(file).strip():
            continue
        boxes = read_boxes_file(file, 0 if match[1] == "boxes" else 1)
        name = folder.resolve().name + (match[2] or "").replace(".", "-").replace("_", "-")
        files = _frames_beside(folder)
        if len(boxes) > len(files):
            raise DatasetError(
                f"{file}: {len(boxes)} rows, but {len(files)} frames beside it; "
                "remove the extra rows or add the frames"
            )
        unknown = np.full((len(files) - len(boxes), 4), np.nan)
        sequences.append(Sequence(name, ImageFrames(files), np.concatenate([boxes, unknown])))
    return sequences


def _frames_beside(folder: Path) -> list[Path]:
    for place in (folder / "img", folder / "imgs", folder / "frames", folder):
        if place.is_dir() and (files := image_files(place.iterdir())):
            return files
    raise DatasetError(f"{folder}: has boxes but no frames; put images into {folder / 'img'}")
