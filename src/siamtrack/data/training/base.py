"""What all readers of training data share: the registry, what they leave out, opening by name."""

from __future__ import annotations

import gc
import logging
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from siamtrack.boxes import Array
from siamtrack.data.manifest import Entry, read_manifest
from siamtrack.data.text import read_rows
from siamtrack.errors import DatasetError, SiamtrackError
from siamtrack.registry import Registry

logger = logging.getLogger(__name__)

KINDS = {
    "missing": "files that should be there",
    "unreadable": "files that cannot be read",
    "empty": "tracks without a box",
    "no area": "boxes without width or height",
    "outside": "boxes outside the frame",
}
"""What can be wrong with a part of a data set, and what that means."""


@dataclass
class Findings:
    """What a reader left out, by kind (see `KINDS`), counted and named.

    Attributes:
        keep: So many names of each kind are kept; all are counted.

    Example:
        >>> found = Findings()
        >>> found.add("empty", "cat-3")
        >>> found.summary()
        '1 empty (cat-3)'
    """

    keep: int = 100
    counts: Counter[str] = field(default_factory=Counter)
    names: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, name: str) -> None:
        """Count one thing that was left out."""
        self.counts[kind] += 1
        names = self.names.setdefault(kind, [])
        if len(names) < self.keep:
            names.append(name if len(name) <= 400 else f"{name[:200]} ... {name[-200:]}")

    def summary(self, names: int = 3) -> str:
        """Say in one line what was left out; an empty string if nothing was."""
        parts = []
        for kind in KINDS:
            if count := self.counts[kind]:
                first = ", ".join(self.names[kind][:names])
                parts.append(f"{count} {kind} ({first}{', ...' if count > names else ''})")
        return "; ".join(parts)


class Reader(Protocol):
    """Reads the boxes of a data set from its official folders, without decoding images."""

    def __call__(self, path: Path, found: Findings) -> Iterator[Entry]:
        """Yield the objects; what cannot be used is left out and added to `found`.

        Raises:
            DatasetError: If the layout is not that of the data set. The message says what was
                expected where.
        """


TRAINING: Registry[Reader] = Registry("training data set")
"""Readers by name; a new one is a function in a file of its own, registered here."""

_PREFIX = re.compile(r"([A-Za-z][\w.-]+)(?:/(\d+))?:(.*)", re.DOTALL)


def read_training(source: str | Path, found: Findings | None = None) -> list[Entry]:
    """Read training data: a manifest, or a data set in its official layout.

    Args:
        source: `NAME:PATH`, such as `got10k:/data/GOT-10k` (the names are in `TRAINING`), or the
            path of a manifest or of its folder. `NAME/5:PATH` keeps every fifth box of a track.
        found: Where to add what was left out; it is logged as well.

    Returns:
        One entry for each object and frame, in memory only.

    Raises:
        UnknownNameError: If no reader has this name.
        ValueError: If every 0th box is asked for.
        DatasetError: If the path does not exist, does not have the layout, or holds no object.

    Example:
        >>> read_training("got10:/data/GOT-10k")
        Traceback (most recent call last):
        siamtrack.errors.UnknownNameError: unknown training data set 'got10': did you mean ...
    """
    found = Findings() if found is None else found
    match = _PREFIX.fullmatch(str(source))
    if match is None or (match[1] not in TRAINING and Path(source).exists()):
        with _no_collection():
            return read_manifest(Path(source))
    name, every, place = match[1], int(match[2] or 1), match[3]
    reader = TRAINING[name]
    if every < 1:
        raise ValueError(f"{source}: keep every first, second or later box, not every 0th")
    path = Path(place)
    if "://" not in place and "{" not in place and not path.exists():
        raise DatasetError(
            f"{path}: no such folder or file; give the place of {name} after {name}:"
        )
    with _no_collection():
        try:
            entries = list(thinned(reader(path, found), every))
        except SiamtrackError:
            raise
        except (ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError,
                ValueError) as error:  # fmt: skip
            raise DatasetError(
                f"{path}: an annotation file has not the form that {name} expects "
                f"({repr(error)[:300]})"
            ) from error
    left_out = found.summary()
    if not entries:
        raise DatasetError(
            f"{path}: {name} has no usable object here"
            + (f"; left out: {left_out}" if left_out else "")
        )
    if left_out:
        logger.warning("%s: left out %s", source, left_out)
    return entries


def read_all(sources: Iterable[str | Path]) -> list[Entry]:
    """Read several training sets as one; tracks of the same name in two of them stay apart.

    Raises:
        UnknownNameError: If a source has a name that no reader has.
        DatasetError: If a source cannot be read, or there is none.
    """
    entries: list[Entry] = []
    seen: set[str] = set()
    for number, source in enumerate(sources):
        new = read_training(source)
        tracks = {entry.track for entry in new}
        if shared := tracks & seen:
            new = [
                replace(entry, track=f"{entry.track}#{number}") if entry.track in shared else entry
                for entry in new
            ]
            tracks = {entry.track for entry in new}
        seen |= tracks
        entries += new
    if not entries:
        raise DatasetError("no data: give --data NAME:PATH, or a manifest, at least once")
    return entries


def thinned(entries: Iterable[Entry], every: int) -> Iterator[Entry]:
    """Yield the first of every so many boxes of each track.

    Example:
        >>> track = [Entry("a", (0.0, 0.0, 1.0, 1.0), "t", frame, "", "") for frame in range(5)]
        >>> [entry.frame for entry in thinned(track, 2)]
        [0, 2, 4]
    """
    if every == 1:
        yield from entries
        return
    seen: Counter[str] = Counter()
    for entry in entries:
        if seen[entry.track] % every == 0:
            yield entry
        seen[entry.track] += 1


@contextmanager
def _no_collection() -> Iterator[None]:
    """Pause the collector, which would look through millions of new entries again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def need(path: Path, name: str, what: str) -> Path:
    """Return `path` if it exists.

    Args:
        path: A part of the layout.
        name: Name of the data set.
        what: What should be there.

    Raises:
        DatasetError: If it does not exist; the message says what was expected there.
    """
    if not path.exists():
        raise DatasetError(
            f"{path}: not there; {name} has {what} at this place. Give the folder that holds it "
            "(docs/training-data.md shows the layout)"
        )
    return path


def folders(path: Path, pattern: str = "*") -> list[Path]:
    """Return the folders below `path` whose name matches, sorted."""
    return sorted(item for item in path.glob(pattern) if item.is_dir())


def rows_of(path: Path, columns: int, found: Findings) -> Array | None:
    """Read rows of numbers (N, columns); None, and a finding, if that is not possible."""
    try:
        text = path.read_text(encoding="utf-8-sig").replace(",", " ").split("\n")
        rows = np.array([line.split() for line in text if line], dtype=np.float64)
        if rows.ndim == 2 and rows.shape[1] == columns:
            return rows
    except (OSError, ValueError):
        pass
    try:  # slower, but takes more separators and knows what is wrong
        return read_rows(path, [columns])
    except DatasetError as error:
        found.add("unreadable" if path.exists() else "missing", str(error))
        return None


def flags_of(path: Path, count: int) -> NDArray[np.float64] | None:
    """Read `count` numbers from a text file, whatever separates them; None if it has others."""
    try:
        values = np.array(path.read_text(encoding="utf-8-sig").replace(",", " ").split(), float)
    except (OSError, ValueError):
        return None
    return values if len(values) == count else None


def numbered(folder: str | Path, digits: int, first: int) -> Callable[[int], str]:
    """Return what names the image of a row: `first` is the number of row 0, padded to `digits`.

    Example:
        >>> numbered("a", 4, 1)(0)
        'a/0001.jpg'
    """
    root = str(folder)
    return lambda index: f"{root}/{index + first:0{digits}d}.jpg"


def track_entries(
    boxes: Array,
    image: Callable[[int], str] | Sequence[str],
    found: Findings,
    *,
    track: str,
    label: str,
    source: str,
    usable: NDArray[np.bool_] | None = None,
    size: tuple[float, float] | None = None,
    frames: Sequence[int] | None = None,
) -> Iterator[Entry]:
    """Yield the entries of one track.

    Args:
        boxes: (N, 4) ltwh, 0-based, one row a frame; rows that are not finite are absent frames.
        image: The image of a row: a function of its index, or a sequence (N,).
        found: Where boxes without area or outside the frame, and tracks without a box, are added.
        track: Name of the track, unique within the data set.
        label: Class name.
        source: Name of the data set.
        usable: (N,) which rows to use.
        size: Width and height of the frames, if known.
        frames: (N,) frame numbers of the rows; by default 0, 1, 2 ...
    """
    name = image if callable(image) else image.__getitem__
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
            found.add(kind, f"{name(index)} {boxes[index].tolist()}")
    good = np.flatnonzero(present & area & inside).tolist()
    if not good:
        found.add("empty", track)
    full = f"{source}/{track}"
    for index, box in zip(good, boxes[good].tolist(), strict=True):
        frame = index if frames is None else frames[index]
        yield Entry(name(index), (box[0], box[1], box[2], box[3]), full, frame, label, source)


def still_entry(
    box: Sequence[float],
    image: str,
    found: Findings,
    *,
    track: str,
    label: str,
    source: str,
    size: tuple[float, float] | None = None,
) -> Iterator[Entry]:
    """Yield the one entry of an object in a still image, or none if its box cannot be used.

    Args:
        box: left, top, width, height, 0-based.
        image: The image.
        found: Where a box without area or outside the image is added.
        track: Name of the object, unique within the data set.
        label: Class name.
        source: Name of the data set.
        size: Width and height of the image, if known.
    """
    left, top, width, height = map(float, box)
    kind = ""
    far = size is not None and (left >= size[0] or top >= size[1])
    if not (width > 0 and height > 0 and math.isfinite(left + top + width + height)):
        kind = "no area"
    elif left + width <= 0 or top + height <= 0 or far:
        kind = "outside"
    if kind:
        found.add(kind, f"{image} {[left, top, width, height]}")
    else:
        yield Entry(image, (left, top, width, height), f"{source}/{track}", 0, label, source)
