"""Own training data: a JSON Lines manifest with one object a line.

Keys: `image` (path, relative to the manifest), `box` (left, top, width, height in pixels of that
image, 0-based), and optionally `track` (the same for the same object in several frames), `frame`
(its number in the video) and `label`. Several lines may share an image.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from siamtrack.errors import DatasetError


@dataclass(frozen=True, slots=True)
class Entry:
    """One object in one image.

    Attributes:
        image: Absolute path of the image.
        box: left, top, width, height in pixels, 0-based.
        track: Name of the physical object; entries of one track show the same object.
        frame: Frame number within the video; 0 for a still image.
        label: Class name, or an empty string.
        source: Name of the data set that the entry came from.
    """

    image: str
    box: tuple[float, float, float, float]
    track: str
    frame: int
    label: str
    source: str


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

    def __len__(self) -> int:
        return len(self.entries)

    def partner(self, index: int, gap: int, rng: np.random.Generator) -> int:
        """Draw another entry of the same track at most `gap` frames away; itself if none."""
        entry = self.entries[index]
        near = [
            other
            for other in self.by_track[entry.track]
            if other != index and abs(self.entries[other].frame - entry.frame) <= gap
        ]
        return int(rng.choice(near)) if near else index


def read_manifest(path: str | Path, source: str | None = None) -> list[Entry]:
    """Read a manifest.

    Args:
        path: The `.jsonl` file, or a folder that holds `manifest.jsonl`.
        source: Name of the data set; by default the first folder of each image's path.

    Raises:
        DatasetError: If the file is missing or a line is malformed; the message names the line.
    """
    file = Path(path)
    if file.is_dir():
        file = file / "manifest.jsonl"
    if not file.is_file():
        raise DatasetError(f"{file}: no such manifest; expected a .jsonl file, one object a line")
    entries: list[Entry] = []
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                entries.append(_entry(line, f"{file}:{number}", file.parent, source, number))
    if not entries:
        raise DatasetError(f"{file} holds no object; expected one JSON object a line")
    return entries


def _entry(line: str, where: str, folder: Path, source: str | None, number: int) -> Entry:
    try:
        item = json.loads(line)
        image, box = str(item["image"]), tuple(float(value) for value in item["box"])
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{where}: expected a JSON object with 'image' and 'box' [left, top, width, height] "
            f"({error})"
        ) from error
    if len(box) != 4 or not np.isfinite(box).all() or box[2] <= 0 or box[3] <= 0:
        raise DatasetError(f"{where}: box {box} must be four finite numbers, width and height > 0")
    name = source or (Path(image).parts[0] if len(Path(image).parts) > 1 else file_stem(folder))
    return Entry(
        image=str(folder / image),
        box=(box[0], box[1], box[2], box[3]),
        track=str(item.get("track", f"{where}:{number}")),
        frame=int(item.get("frame", 0)),
        label=str(item.get("label", "")),
        source=name,
    )


def file_stem(folder: Path) -> str:
    """Name a data set after its folder."""
    return folder.resolve().name or "data"
