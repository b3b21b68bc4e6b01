"""Own training data: a JSON Lines manifest with one object a line.

Keys: `image` (path, relative to the manifest), `box` (left, top, width, height in pixels of that
image, 0-based), and optionally `track` (the same for the same object in several frames), `frame`
(its number in the video), `label`, `source` (name of the data set, by default the first folder of
the image's path) and `mask`, as COCO's `segmentation` has it: run lengths `{"size": [height,
width], "counts": ...}`, compressed or a list, or polygons `[[x, y, x, y, ...], ...]`. Several lines
may share an image.
"""

from __future__ import annotations

import json
import math
import os
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import numpy as np

from siamtrack._moved import renamed
from siamtrack.core.files import open_ordinary
from siamtrack.core.writing import refuse_existing, replacing
from siamtrack.errors import DatasetError

__getattr__ = partial(renamed, __name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """One object in one image.

    Attributes:
        image: Absolute path of the image.
        box: left, top, width, height in pixels, 0-based.
        track: Name of the physical object, which entries of one track share.
        frame: Frame number within the video; 0 for a still image.
        label: Class name, or an empty string.
        source: Name of the data set that the entry came from.
        mask: Its pixels as COCO's `segmentation`, which `siamtrack.core.masks.read_segmentation`
            reads; None if unknown.
    """

    image: str
    box: tuple[float, float, float, float]
    track: str
    frame: int
    label: str
    source: str
    mask: Any = None


def is_outside(box: Iterable[float], size: tuple[float, float] | None) -> bool:
    """Whether no part of a box ltwh lies in an image of this width and height; None: of any.

    Example:
        >>> is_outside((90, 0, 20, 20), (100, 80)), is_outside((-30, 0, 20, 20), None)
        (False, True)
    """
    left, top, width, height = box
    beyond = size is not None and (left >= size[0] or top >= size[1])
    return left + width <= 0 or top + height <= 0 or beyond


@dataclass
class Pool:
    """All entries of one or more manifests, indexed the ways in which pairs are drawn."""

    entries: list[Entry]
    by_track: dict[str, list[int]] = field(init=False)
    by_kind: dict[tuple[str, str], list[int]] = field(init=False)
    by_source: dict[str, list[int]] = field(init=False)
    videos: dict[str, list[str]] = field(init=False)

    def __post_init__(self) -> None:
        if not self.entries:
            raise DatasetError("no objects to train on: give a manifest with at least one line")
        tracks: dict[str, list[int]] = defaultdict(list)
        kinds: dict[tuple[str, str], list[int]] = defaultdict(list)
        sources: dict[str, list[int]] = defaultdict(list)
        for index, entry in enumerate(self.entries):
            tracks[entry.track].append(index)
            kinds[entry.source, entry.label].append(index)
            sources[entry.source].append(index)
        videos: dict[str, list[str]] = defaultdict(list)
        for track, members in tracks.items():
            members.sort(key=lambda index: self.entries[index].frame)
            if len(members) > 1:
                videos[self.entries[members[0]].source].append(track)
        self.by_track, self.by_kind = dict(tracks), dict(kinds)
        self.by_source, self.videos = dict(sources), dict(videos)
        self._frames = {
            track: [self.entries[index].frame for index in members]
            for track, members in tracks.items()
        }

    def __len__(self) -> int:
        return len(self.entries)

    def partner(self, index: int, gap: int, rng: np.random.Generator, reshaped: float = 0.0) -> int:
        """Draw another entry of the same track at most `gap` frames away; itself if none.

        `reshaped` is the probability to take, of six draws, the one whose aspect differs most.
        """
        near = [other for other in self.near(self.entries[index], gap) if other != index]
        if not near:
            return index
        if reshaped and rng.random() < reshaped:
            drawn = [near[int(rng.integers(len(near)))] for _ in range(6)]
            return max(drawn, key=lambda other: abs(self._aspect(other) - self._aspect(index)))
        return near[int(rng.integers(len(near)))]

    def near(self, entry: Entry, gap: int) -> list[int]:
        """Return the entries of a track at most `gap` frames away from one of it, that included."""
        members, frames = self.by_track[entry.track], self._frames[entry.track]
        first, last = (
            bisect_left(frames, entry.frame - gap),
            bisect_right(frames, entry.frame + gap),
        )
        return members[first:last]

    def _aspect(self, index: int) -> float:
        _, _, width, height = self.entries[index].box
        return math.log(width / height)


def read_manifest(path: str | Path, source: str | None = None) -> list[Entry]:
    """Read a manifest, a `.jsonl` file or the folder that holds `manifest.jsonl`.

    The data set is `source`, else what the line says, or the first folder of the image's path.

    Raises:
        DatasetError: If the file is missing or a line is malformed; the message names the line.
    """
    file = Path(path)
    if file.is_dir():
        file = file / "manifest.jsonl"
    if not file.is_file():
        raise DatasetError(
            f"{file}: no such manifest; expected a .jsonl file, one object a line, or NAME:PATH "
            "of a data set or an annotation tool, such as yolo:PATH"
        )
    folder, name = str(file.parent), file.parent.resolve().name or "data"
    entries: list[Entry] = []
    number = 0
    try:
        with TextIOWrapper(open_ordinary(file), encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    entries.append(_entry(line, f"{file}:{number}", folder, source, name))
    except UnicodeDecodeError as error:
        raise DatasetError(f"{file}:{number + 1}: no UTF-8 text ({error.reason})") from error
    if not entries:
        raise DatasetError(f"{file} holds no object; expected one JSON object a line")
    return entries


def _entry(line: str, where: str, folder: str, source: str | None, name: str) -> Entry:
    foreign = (AttributeError, KeyError, TypeError, ValueError)
    try:
        item = json.loads(line)
        image, values = str(item["image"]), item["box"]
        box = tuple(map(float, values))
        frame = int(item.get("frame", 0))
    except (*foreign, OverflowError, RecursionError) as error:
        raise DatasetError(
            f"{where}: expected a JSON object with 'image' and 'box' [left, top, width, height] "
            f"({error})"
        ) from error
    if len(box) != 4 or not all(map(math.isfinite, box)) or min(box[2:]) <= 0:
        raise DatasetError(
            f"{where}: box {values} must be four finite numbers, width and height > 0"
        )
    left, top, width, height = box
    first, slash, _ = image.replace("\\", "/").partition("/")
    if not slash or first in ("", ".", ".."):
        first = name
    return Entry(
        image=os.path.join(folder, image),  # noqa: PTH118 - a hundred times as fast as Path
        box=(left, top, width, height),
        track=str(item.get("track", where)),
        frame=frame,
        label=str(item.get("label", "")),
        source=source or str(item.get("source", first)),
        mask=item.get("mask"),
    )


def write_manifest(entries: Iterable[Entry], path: str | Path, overwrite: bool = False) -> int:
    """Write a manifest and return how many lines it has; it appears whole or not at all.

    Image paths are relative to the manifest where they lie below its folder, else absolute.

    Raises:
        FileExistsError: If the file exists and `overwrite` is not set.
        DatasetError: If there is no entry; nothing is written then.
    """
    file = Path(path)
    refuse_existing(file, overwrite)
    file.parent.mkdir(parents=True, exist_ok=True)
    root = str(file.parent.resolve()) + os.sep
    count = 0
    with replacing(file, sync=True) as part:
        with part.open("w", encoding="utf-8", newline="\n") as lines:
            for entry in entries:
                count += 1
                lines.write(json.dumps(manifest_line(entry, root), ensure_ascii=False) + "\n")
        if not count:
            raise DatasetError(f"{file}: not written, because there is no object to write")
    return count


def manifest_line(entry: Entry, root: str = "") -> dict[str, object]:
    """Return the JSON object of an entry, its image relative to the folder `root` if below it."""
    image = os.path.abspath(entry.image)  # noqa: PTH100 - a hundred times as fast as Path
    inside = bool(root) and image.startswith(root)
    mask = {} if entry.mask is None else {"mask": entry.mask}
    return {
        "image": image[len(root) :].replace(os.sep, "/") if inside else image,
        "box": [round(value, 3) for value in entry.box],
        "track": entry.track,
        "frame": entry.frame,
        "label": entry.label,
        "source": entry.source,
        **mask,
    }
