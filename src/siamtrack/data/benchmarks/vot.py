"""VOT short-term 2013 to 2022 and long-term: `vot2018:PATH`, `votlt:PATH`.

Paper: Kristan et al., https://arxiv.org/abs/1503.01313, and the yearly reports. `list.txt`, then
per sequence `00000001.jpg` (since the Python toolkit `color/00000001.jpg`) and `groundtruth.txt`:
rectangles (2013), polygons of four corners (2014 to 2019), masks (2020 to 2022), NaN where the
target is absent (long-term). A mask is `m`, then left, top, width and height of its rectangle, then
the lengths of its runs row by row, beginning with one outside the target; an empty one is an absent
target. `NAME.tag` and `NAME.label` mark the frames of a challenge,
`anchor.value` the starts of multi-start runs. Coordinates are 0-based, as the toolkit counts
pixels.
"""

from __future__ import annotations

from functools import partial as bind
from pathlib import Path

import numpy as np

from siamtrack.core.boxes import Array, polygons_to_ltwh
from siamtrack.core.files import read_rows, read_text
from siamtrack.core.masks import Mask, window_of
from siamtrack.data.layout import complete, frames_beside, labels, names_in
from siamtrack.data.sequence import Dataset, ImageFrames, Sequence
from siamtrack.data.sources import DATASETS
from siamtrack.errors import DatasetError

YEARS = tuple(range(2013, 2023))


def open_vot(path: Path, *, name: str, partial: bool = False) -> Dataset:
    """Open the sequences that `list.txt` names."""
    root = path / "sequences" if (path / "sequences" / "list.txt").is_file() else path
    names = names_in(root / "list.txt")
    there = [root / item for item in names if (root / item / "groundtruth.txt").is_file()]
    return complete(name, map(vot_sequence, there), names, partial=partial)


def vot_sequence(folder: Path) -> Sequence:
    """Return the sequence in a folder."""
    file = folder / "groundtruth.txt"
    boxes, polygons, masks = _regions(file)
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
        masks=None if masks is None else bind(_mask_in, masks),
    )


def _regions(file: Path) -> tuple[Array, Array | None, tuple[str, ...] | None]:
    """Return boxes (N, 4), and polygons (N, 8) or the text of masks (N,) if the file has them."""
    text = read_text(file)
    if text.lstrip().startswith("m"):
        lines = tuple(text.split())
        return _mask_boxes(file, lines), None, lines
    rows = read_rows(file, (4, 8))
    return (rows, None, None) if rows.shape[1] == 4 else (polygons_to_ltwh(rows), rows, None)


def _mask_in(lines: tuple[str, ...], index: int) -> Mask:
    return read_mask(lines[index])


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


def _mask_boxes(file: Path, lines: tuple[str, ...]) -> Array:
    """Return the boxes (N, 4) ltwh around masks, the words of a file; NaN for empty ones."""
    boxes = np.full((len(lines), 4), np.nan)
    for number, line in enumerate(lines, start=1):
        try:
            boxes[number - 1] = box_around(read_mask(line))
        except ValueError as reason:
            raise DatasetError(f"{file}, line {number}: not a mask ({reason})") from reason
    return boxes


def read_mask(text: str) -> Mask:
    """Return one encoded mask; its frame reaches as far as its window.

    Raises:
        ValueError: If the text is no mask or its runs do not fit its rectangle.

    Example:
        >>> read_mask("m1,0,4,2,1,2,2,1,2").full().astype(int).tolist()
        [[0, 0, 1, 1, 0], [0, 0, 1, 0, 0]]
        >>> box_around(read_mask("m10,20,4,2,1,2,2,1,2")).tolist()
        [11.0, 20.0, 2.0, 2.0]
    """
    if not text.startswith("m"):
        raise ValueError(f"{text[:30]!r} does not begin with m")
    try:
        left, top, width, height, *runs = (int(float(word)) for word in text[1:].split(","))
    except OverflowError as reason:
        raise ValueError("its numbers are not finite") from reason
    return runs_mask(left, top, width, height, runs)


def runs_mask(left: int, top: int, width: int, height: int, runs: list[int]) -> Mask:
    """Return the mask that runs describe, in a frame that reaches as far as its rectangle.

    Raises:
        ValueError: If the rectangle is too large, or the runs are longer than it.
    """
    shape = (max(top + height, 0), max(left + width, 0))
    return Mask.of(window_of(runs, width, height), (left, top), shape)


def box_around(mask: Mask) -> Array:
    """Return the box (4,) around a mask, NaN for an empty one."""
    return np.array(mask.box) if mask.area else np.full(4, np.nan)


for _year in YEARS:
    DATASETS.register(f"vot{_year}")(bind(open_vot, name=f"VOT{_year}"))
DATASETS.register("votlt")(bind(open_vot, name="VOT-LT"))
