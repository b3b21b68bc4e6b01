"""The readers of training data by name, and opening `NAME:PATH`."""

from __future__ import annotations

import gc
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from siamtrack.core.registry import Registry
from siamtrack.data.annotations.findings import Findings
from siamtrack.data.manifest import Entry, read_manifest
from siamtrack.errors import DatasetError, SiamtrackError

logger = logging.getLogger(__name__)


class Reader(Protocol):
    """Reads the boxes of a data set from its official folders, without decoding images."""

    def __call__(self, path: Path, found: Findings) -> Iterator[Entry]:
        """Yield the objects; what cannot be used is left out and added to `found`.

        Raises:
            DatasetError: If the layout is not that of the data set. The message says what was
                expected where.
        """


TRAINING: Registry[Reader] = Registry("training data set", "siamtrack.training_data")
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
    try:
        yield
    except SiamtrackError:
        raise
    except (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError,
            ValueError) as error:  # fmt: skip
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
