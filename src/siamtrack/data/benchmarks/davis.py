"""DAVIS, boxes from masks: `davis2016:PATH`, `davis2017:PATH`.

Paper: Pont-Tuset et al., https://arxiv.org/abs/1704.00675. `JPEGImages/480p/NAME/00000.jpg`,
`Annotations/480p/NAME/00000.png` and `ImageSets/2017/val.txt`. 2016 has one target per video; in
2017 each index of the palette is one, called `NAME-1` and so on. A box is the one around the pixels
of the target; a frame without any has no target.
"""

from __future__ import annotations

from functools import partial as bind
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from siamtrack.core.boxes import Array
from siamtrack.core.images import image_files
from siamtrack.data.frames import read_image
from siamtrack.data.layout import frames_beside, names_in
from siamtrack.data.open import DATASETS
from siamtrack.data.sequence import Dataset, Sequence
from siamtrack.errors import DatasetError


def open_davis(path: Path, *, year: int, partial: bool = False) -> Dataset:
    """Open the validation part.

    Raises:
        DatasetError: If videos are missing and `partial` is not set, or masks and frames differ.
    """
    names = names_in(path / "ImageSets" / str(year) / "val.txt")
    if year == 2016:  # its lists are pairs of files
        names = list(dict.fromkeys(name.strip("/").split("/")[-2] if "/" in name else name
                                   for name in names))  # fmt: skip
    masks = path / "Annotations" / "480p"
    missing = [name for name in names if not (masks / name).is_dir()]
    if missing and not partial:
        raise DatasetError(f"DAVIS {year}: no masks of {', '.join(missing)} in {masks}")
    found = [
        sequence
        for name in names
        if name not in missing
        for sequence in _sequences(masks / name, path / "JPEGImages" / "480p" / name, year)
    ]
    return Dataset(f"DAVIS {year}", found, missing=missing)


def _sequences(masks: Path, images: Path, year: int) -> list[Sequence]:
    files = image_files(masks.iterdir())
    if not files:
        raise DatasetError(f"{masks}: no masks in it")
    frames = frames_beside(images, len(files), masks)
    indices = [palette_index(read_image(file)) for file in files]
    if year == 2016:
        boxes = np.stack([box_around(index > 0) for index in indices])
        return [Sequence(masks.name, frames, boxes)]
    targets = sorted(set(np.unique(np.stack(indices))) - {0})
    return [
        Sequence(
            f"{masks.name}-{target}",
            frames,
            np.stack([box_around(index == target) for index in indices]),
        )
        for target in targets
    ]


def palette_index(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the index (H, W) of each RGB colour (H, W, 3) in the palette of PASCAL VOC.

    Bit k of an index is spread over the channels: bits 0, 1, 2 become the highest bit of red, green
    and blue, bits 3, 4, 5 the next one, and so on.

    Example:
        >>> palette_index(np.array([[[128, 0, 0], [0, 128, 0], [64, 0, 0]]], np.uint8)).tolist()
        [[1, 2, 8]]
    """
    index = np.zeros(image.shape[:2], np.uint8)
    for bit in range(8):
        on = (image[..., bit % 3] >> (7 - bit // 3)) & 1
        index |= (on << bit).astype(np.uint8)
    return index


def box_around(mask: NDArray[np.bool_]) -> Array:
    """Return the box (4,) around the pixels of a mask (H, W), NaN if there is none."""
    if not mask.any():
        return np.full(4, np.nan)
    return np.array(cv2.boundingRect(mask.astype(np.uint8)), np.float64)


for _year in (2016, 2017):
    DATASETS.register(f"davis{_year}")(bind(open_davis, year=_year))
