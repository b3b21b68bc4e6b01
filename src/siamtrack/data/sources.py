"""Data sets by name: `NAME:PATH` opened for evaluation, or read for training.

`DATASETS` has what opens a benchmark as sequences of frames, `TRAINING` what reads annotations as
entries. A file of `siamtrack.data.benchmarks` may register itself in both.
"""

from __future__ import annotations

import gc
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar

from siamtrack.core.boundary import surface
from siamtrack.core.registry import Registry
from siamtrack.data.manifest import Entry, read_manifest
from siamtrack.data.sequence import Dataset
from siamtrack.errors import DatasetError, SiamtrackError

logger = logging.getLogger(__name__)
T = TypeVar("T")

Progress: TypeAlias = Callable[[Iterable[Any], int], Iterable[Any]]
"""Wraps a long loop (an iterable and its length), for a progress bar."""

KINDS = {
    "missing": "files that should be there",
    "unreadable": "files that cannot be read",
    "empty": "tracks without a box",
    "no area": "boxes without width or height",
    "outside": "boxes outside the frame",
    "masks": "masks that cannot be read, are empty, or are elsewhere than their box",
}
"""What can be wrong with a part of a data set, and what that means."""


@dataclass
class Findings:
    """What a reader left out, by kind (see `KINDS`), counted; `keep` names of each are kept.

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

    def tried(self, read: Callable[[Path], T], path: Path) -> T | None:
        """Return what `read` makes of a file; None, and count it, if that is not possible."""
        try:
            return read(path)
        except DatasetError as error:
            self.add("unreadable" if path.exists() else "missing", str(error))
            return None

    def summary(self, names: int = 3) -> str:
        """Say in one line what was left out; an empty string if nothing was."""
        parts = []
        for kind in KINDS:
            if count := self.counts[kind]:
                first = ", ".join(self.names[kind][:names])
                parts.append(f"{count} {kind} ({first}{', ...' if count > names else ''})")
        return "; ".join(parts)


class Opener(Protocol):
    """Opens the data set that lies in a folder or file."""

    def __call__(self, path: Path, *, partial: bool = False) -> Dataset:
        """Return the data set; `partial` accepts one that lacks sequences.

        Raises:
            DatasetError: If files are missing or damaged, or annotations do not fit the frames; the
                message says what was expected where.
        """


class Reader(Protocol):
    """Reads the boxes of a data set from its official folders, without decoding images."""

    def __call__(self, path: Path, found: Findings) -> Iterator[Entry]:
        """Yield the objects.

        Args:
            path: The place after `NAME:`; the docstring of the reader's module shows the layout.
            found: Where what cannot be used, and is left out, is added.

        Raises:
            DatasetError: If the layout is not that of the data set. The message says what was
                expected where.
        """


DATASETS: Registry[Opener] = Registry("data set", "siamtrack.datasets")
"""Benchmarks by name."""
TRAINING: Registry[Reader] = Registry("training data set", "siamtrack.training_data")
"""Readers by name; a new one is a function in a file of its own, registered here."""

_PREFIX = re.compile(r"([A-Za-z][\w.-]+)(?:/(\d+))?:(.*)", re.DOTALL)


@surface
def open_dataset(source: str, *, partial: bool = False) -> Dataset:
    """Open a data set.

    Args:
        source: `NAME:PATH`, for instance `otb2013:/data/OTB`; the names are in `DATASETS`.
        partial: Accept a benchmark that lacks sequences. What is missing is named by
            `Dataset.check()` and in reports. Otherwise that is an error, because an average over
            fewer sequences is not the benchmark's figure.

    Raises:
        ValueError: If `source` does not have the form `NAME:PATH`.
        UnknownNameError: If no data set has this name.
        DatasetError: If the path does not exist or does not hold the data set.

    Example:
        >>> open_dataset("otb2015:/data/OTB")
        Traceback (most recent call last):
        siamtrack.errors.UnknownNameError: unknown data set 'otb2015': did you mean 'otb2013'? ...
    """
    name, colon, path = source.partition(":")
    if not colon or not path:
        raise ValueError(
            f"data set {source!r}: expected NAME:PATH, with NAME one of {', '.join(DATASETS)}"
        )
    opener = DATASETS[name.lower()]
    if not Path(path).exists():
        raise DatasetError(f"data set {source!r}: {path} does not exist; give an existing path")
    try:
        dataset = opener(Path(path), partial=partial)
        DATASETS.check_made(name.lower(), dataset, "name", "__iter__", "__len__")
        return dataset
    except NotADirectoryError as reason:
        raise DatasetError(f"data set {source!r}: {path} is a file; give a folder") from reason
    except SiamtrackError:
        raise
    except OSError as reason:  # a name in a list that no file system takes, no permission
        words = f"{str(reason.filename)[:200]}: {reason.strerror}"
        raise DatasetError(f"data set {source!r} cannot be read ({words})") from reason


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
    # A path without a name is a manifest
    match = _PREFIX.fullmatch(str(source))
    if match is None or (match[1] not in TRAINING and Path(source).exists()):
        with _no_collection():
            return read_manifest(Path(source))
    # Find the reader, and the folder or the pattern of URLs that it reads
    name, every, place = match[1], int(match[2] or 1), match[3]
    reader = TRAINING[name]
    if every < 1:
        raise ValueError(f"{source}: keep every first, second or later box, not every 0th")
    path = Path(place)
    if "://" not in place and "{" not in place and not path.exists():
        raise DatasetError(
            f"{path}: no such folder or file; give the place of {name} after {name}:"
        )
    # Read it all, and say what was left out
    with _no_collection(), annotations_of(path, name):
        boxes = reader(path, found)
        TRAINING.check_made(name, boxes, "__iter__")
        entries = list(thinned(boxes, every))
    left_out = found.summary()
    if not entries:
        raise DatasetError(
            f"{path}: {name} has no usable object here"
            + (f"; left out: {left_out}" if left_out else "")
        )
    if left_out:
        logger.warning("%s: left out %s", source, left_out)
    return entries


@contextmanager
def annotations_of(path: Path, form: str) -> Iterator[None]:
    """Name file and format in whatever a reader raises on annotations of another form.

    Raises:
        DatasetError: In place of any error that is not ours.
    """
    foreign = (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError)
    try:
        yield
    except SiamtrackError:
        raise
    except (*foreign, TypeError, ValueError) as error:
        raise DatasetError(
            f"{path}: an annotation file has not the form that {form} expects ({repr(error)[:300]})"
        ) from error


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
        if shared := {entry.track for entry in new} & seen:
            new = [
                replace(entry, track=f"{entry.track}#{number}") if entry.track in shared else entry
                for entry in new
            ]
        seen |= {entry.track for entry in new}
        entries += new
    if not entries:
        raise DatasetError("no data: give --data NAME:PATH, or a manifest, at least once")
    return entries


def thinned(entries: Iterable[Entry], every: int) -> Iterator[Entry]:
    """Yield every n-th box of each track, from the first on.

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


def unwatched(items: Iterable[Any], length: int) -> Iterable[Any]:
    """Stand in for a progress bar."""
    return items


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
