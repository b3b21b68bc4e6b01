"""What the readers of official layouts share: lists, labels, frames beside rows, completeness."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from siamtrack.core.boxes import Array
from siamtrack.core.files import bytes_of, read_text
from siamtrack.core.images import image_files
from siamtrack.data.frames import ImageFrames
from siamtrack.data.sequence import Dataset, Sequence, canonical
from siamtrack.errors import DatasetError


def complete(
    name: str,
    sequences: Iterable[Sequence],
    wanted: Iterable[str],
    *,
    partial: bool,
    **options: Any,
) -> Dataset:
    """Return the data set of the sequences found, in the order of `wanted`.

    Args:
        name: Name of the data set.
        sequences: Those that are there.
        wanted: Names of all that the benchmark has.
        partial: Accept missing ones; they are named in reports.
        options: As for `Dataset`.

    Raises:
        DatasetError: If some are missing and `partial` is not set, or none is there.
    """
    found = {canonical(item.name): item for item in sequences}
    names = list(wanted)
    missing = [item for item in names if canonical(item) not in found]
    if missing and (not partial or not found):
        raise DatasetError(
            f"{name}: {len(missing)} of {len(names)} sequences are missing: "
            f"{', '.join(missing[:8])}{' ...' if len(missing) > 8 else ''}; complete them, or open "
            "with partial=True"
        )
    there = [found[canonical(item)] for item in names if canonical(item) in found]
    return Dataset(name, there, missing=missing, **options)


def names_in(file: Path) -> list[str]:
    """Return the lines of a list of names.

    Raises:
        DatasetError: If the file is missing or empty.
    """
    try:
        names = bytes_of(file).decode("utf-8-sig").split()
    except (OSError, UnicodeDecodeError) as reason:
        words = getattr(reason, "strerror", None) or reason
        raise DatasetError(
            f"{file}: the list of the sequences cannot be read ({words}); give the "
            "folder that holds it"
        ) from reason
    if not names:
        raise DatasetError(f"{file}: the list of the sequences is empty")
    return names


def subfolders(path: Path, holding: str) -> list[Path]:
    """Return the folders in `path` that have a file called `holding`.

    Raises:
        DatasetError: If there is none.
    """
    found = [item for item in sorted(path.iterdir()) if (item / holding).is_file()]
    if not found:
        raise DatasetError(f"{path}: no folder with {holding} in it; give the folder of sequences")
    return found


def labels(file: Path, count: int) -> Array:
    """Read one number per frame, in lines or separated by commas; zeros if there is no file.

    Raises:
        DatasetError: If it is not `count` numbers.
    """
    if not file.is_file():
        return np.zeros(count)
    try:
        text = read_text(file).replace(",", " ")
        values = np.array([float(word) for word in text.split()])
    except ValueError as reason:
        raise DatasetError(f"{file}: expected numbers ({reason})") from reason
    if len(values) != count:
        raise DatasetError(f"{file}: {len(values)} labels for {count} frames")
    return values


def frames_beside(folder: Path, rows: int, file: Path) -> ImageFrames:
    """Return the images of a folder, one per row of an annotation file.

    Raises:
        DatasetError: If there is no folder, or another number of images.
    """
    files = image_files(folder.iterdir()) if folder.is_dir() else []
    if len(files) != rows:
        raise DatasetError(
            f"{file}: {rows} rows, but {len(files)} images in {folder}; complete the sequence"
        )
    return ImageFrames(files)


def numbered_frames(folder: Path, first: int, last: int, digits: int) -> ImageFrames:
    """Return the images with the numbers first ... last, whether they exist or not."""
    return ImageFrames([folder / f"{n:0{digits}d}.jpg" for n in range(first, last + 1)])


def hidden(boxes: Array, gone: Array) -> Array:
    """Return the boxes with NaN where the target is gone.

    Example:
        >>> hidden(np.ones((2, 4)), np.array([0.0, 1.0])).tolist()
        [[1.0, 1.0, 1.0, 1.0], [nan, nan, nan, nan]]
    """
    return np.where((gone > 0)[:, None], np.nan, boxes)
