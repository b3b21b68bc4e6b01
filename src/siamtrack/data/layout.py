"""What the readers of official layouts share: lists, labels, frames beside rows, and entries."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Sequence as Series
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siamtrack.core.boxes import Array
from siamtrack.core.files import bytes_of, read_text
from siamtrack.core.images import image_files
from siamtrack.data.manifest import Entry, is_outside
from siamtrack.data.sequence import Dataset, ImageFrames, Sequence, canonical
from siamtrack.data.sources import Findings
from siamtrack.errors import DatasetError

Size = tuple[float, float]


def complete(
    name: str,
    sequences: Iterable[Sequence],
    wanted: Iterable[str],
    *,
    partial: bool,
    advice: str = "",
    **options: Any,
) -> Dataset:
    """Return the data set of the sequences found, in the order of all that are `wanted`.

    With `partial`, missing ones are accepted and named in reports; `advice` ends the error, and
    `options` are those of `Dataset`.

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
            f"with partial=True (--partial in a shell){advice}"
        )
    there = [found[canonical(item)] for item in names if canonical(item) in found]
    return Dataset(name, there, missing=missing, **options)


def names_in(file: Path) -> list[str]:
    """Return the words of a list of names.

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


def need(path: Path, name: str, what: str) -> Path:
    """Return `path`, a part of the layout of data set `name`, if it exists.

    Raises:
        DatasetError: If it does not exist; the message says `what` was expected there.
    """
    if not path.exists():
        raise DatasetError(
            f"{path}: not there; {name} has {what} at this place. Give the folder that holds it "
            "(docs/training-data.md shows the layout)"
        )
    return path


def folders(path: Path) -> list[Path]:
    """Return the folders in `path`, sorted."""
    return sorted(item for item in path.glob("*") if item.is_dir())


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


def numbered(folder: str | Path, digits: int, first: int) -> Callable[[int], str]:
    """Return what names the image of a row: `first` is the number of row 0, padded to `digits`.

    Example:
        >>> numbered("a", 4, 1)(0)
        'a/0001.jpg'
    """
    root = str(folder)
    return lambda index: f"{root}/{index + first:0{digits}d}.jpg"


def numbered_frames(folder: Path, first: int, last: int, digits: int) -> ImageFrames:
    """Return the images with the numbers first ... last, whether they exist or not."""
    image = numbered(folder, digits, first)
    return ImageFrames([Path(image(index)) for index in range(last - first + 1)])


def hidden(boxes: Array, gone: NDArray[np.bool_]) -> Array:
    """Return the boxes (N, 4) with NaN where the target is gone (N,).

    Example:
        >>> hidden(np.ones((2, 4)), np.array([False, True])).tolist()
        [[1.0, 1.0, 1.0, 1.0], [nan, nan, nan, nan]]
    """
    return np.where(gone[:, None], np.nan, boxes)


@dataclass(frozen=True)
class Entries:
    """Makes the entries of a data set; boxes that cannot be used become findings."""

    source: str
    found: Findings

    def track(
        self,
        name: str,
        boxes: Array,
        images: Callable[[int], str] | Series[str],
        label: str = "",
        *,
        usable: NDArray[np.bool_] | None = None,
        size: Size | None = None,
        frames: Series[int] | None = None,
        masks: Series[Any] | None = None,
    ) -> Iterator[Entry]:
        """Yield the entries of one object in several frames.

        Args:
            name: Name of the track, unique within the data set.
            boxes: (N, 4) ltwh, 0-based; rows that are not finite are absent frames.
            images: The image of a row: a function of its index, or a sequence (N,).
            label: Class name.
            usable: (N,) which rows to use.
            size: Width and height of the frames, if known.
            frames: (N,) frame numbers of the rows; by default 0, 1, 2 ...
            masks: (N,) masks of the rows, as COCO's `segmentation`, None where there is none.
        """
        image = images if callable(images) else images.__getitem__
        present = np.isfinite(boxes).all(axis=1)
        if usable is not None:
            present &= usable
        with np.errstate(invalid="ignore"):
            area = (boxes[:, 2:] > 0).all(axis=1)
            inside = (boxes[:, :2] + boxes[:, 2:] > 0).all(axis=1)
            if size is not None:
                inside &= (boxes[:, :2] < np.asarray(size)).all(axis=1)
        for kind, wrong in (("no area", present & ~area), ("outside", present & area & ~inside)):
            for index in np.flatnonzero(wrong).tolist():
                self.found.add(kind, f"{image(index)} {boxes[index].tolist()}")
        good = np.flatnonzero(present & area & inside).tolist()
        if not good:
            self.found.add("empty", name)
        track = f"{self.source}/{name}"
        for index, (left, top, width, height) in zip(good, boxes[good].tolist(), strict=True):
            frame = index if frames is None else frames[index]
            box = (left, top, width, height)
            mask = None if masks is None else masks[index]
            yield Entry(image(index), box, track, frame, label, self.source, mask)

    def still(
        self,
        name: str,
        box: Iterable[float],
        image: str,
        label: str = "",
        size: Size | None = None,
        mask: Any = None,
    ) -> Iterator[Entry]:
        """Yield the one entry of an object in a still image, or none if its box cannot be used.

        The `size` of the image, where known, tells boxes outside it; `mask` is as COCO's
        `segmentation`.
        """
        left, top, width, height = map(float, box)
        kind = ""
        if not (width > 0 and height > 0 and math.isfinite(left + top + width + height)):
            kind = "no area"
        elif is_outside((left, top, width, height), size):
            kind = "outside"
        if kind:
            self.found.add(kind, f"{image} {[left, top, width, height]}")
        else:
            track = f"{self.source}/{name}"
            yield Entry(image, (left, top, width, height), track, 0, label, self.source, mask)


class _Refusing(ET.TreeBuilder):
    """Builds a tree, but stops at a document type, the only place where entities are declared."""

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise DatasetError(f"declares the document type {name!r}; annotations need none")


def read_xml(path: Path) -> ET.Element:
    """Return the root of an XML file.

    Raises:
        DatasetError: If the file cannot be read, is no XML, or has a DOCTYPE: entities that expand
            to gigabytes or fetch other files have no place in annotations.
    """
    parser = ET.XMLParser(target=_Refusing())
    try:
        parser.feed(bytes_of(path))
        root = parser.close()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
    except (ET.ParseError, ValueError, LookupError) as error:
        raise DatasetError(f"{path}: no usable XML ({error})") from error
    if not isinstance(root, ET.Element):
        raise DatasetError(f"{path}: no usable XML (it is empty)")
    return root
