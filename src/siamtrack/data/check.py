"""What a training set holds, and what is wrong with it."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from siamtrack.core.boxes import iou
from siamtrack.core.masks import read_segmentation
from siamtrack.data.cache import archive_of, image_size, read_image
from siamtrack.data.manifest import Entry, is_outside
from siamtrack.data.sources import KINDS, Findings, Progress, read_training, unwatched
from siamtrack.errors import ImageError

COUNTS = {
    "images": "different images with a box",
    "tracks": "different objects, each in one image or more",
    "videos": "tracks with boxes in more than one image: pairs are drawn along these",
    "boxes": "boxes that can be used",
    "labels": "different class names",
    "masks": "boxes with a mask",
}
"""What is counted, and what that means."""
APART = 0.3
"""Overlap of a box with that of its mask, at least: boxes may be of the whole object, masks of what
is seen of it."""


@dataclass(frozen=True)
class DataReport:
    """Counts of one training set, as in `COUNTS`, and what was found to be wrong."""

    source: str
    images: int
    tracks: int
    videos: int
    boxes: int
    labels: int
    found: Findings
    masks: int = 0

    @property
    def problems(self) -> int:
        """How many things are wrong."""
        return sum(self.found.counts.values())

    def table(self, names: int = 5) -> str:
        """Return a table for people; of each kind of problem, the first `names` are named."""
        lines = [self.source]
        for what, meaning in COUNTS.items():
            lines.append(f"  {what:<12}{getattr(self, what):>12,}  {meaning}")
        for kind, meaning in KINDS.items():
            count = self.found.counts[kind]
            lines.append(f"  {kind:<12}{count:>12,}  {meaning}")
            lines += [f"    {name}" for name in self.found.names.get(kind, [])[:names]]
            if count > names:
                lines.append(f"    and {count - names:,} more")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "source": self.source,
            **{what: getattr(self, what) for what in COUNTS},
            "problems": {
                kind: {"count": self.found.counts[kind], "names": self.found.names.get(kind, [])}
                for kind in KINDS
            },
        }


def check_training(
    source: str | Path,
    *,
    decode: bool = False,
    progress: Progress = unwatched,
) -> DataReport:
    """Look for everything in a training set that training would stumble over.

    Every image must be there. Frame sizes, for boxes outside the frame, come from the header of one
    image of each video and of each still image; a box that seems outside is compared with its own.
    With `decode`, every image is decoded, which finds damaged ones too and takes up to hours.

    Raises:
        UnknownNameError: If no reader has this name.
        DatasetError: If the layout is not that of the data set, or it holds no object at all.
    """
    # Read the boxes, by track and by image
    found = Findings()
    entries = read_training(source, found)
    tracks: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        tracks[entry.track].append(entry)
    images = dict.fromkeys(entry.image for entry in entries)
    # Look for the images
    missing = _missing(images)
    for image in missing:
        found.add("missing", image)
    there = [image for image in images if image not in missing]
    # Measure the frames: one of each track, or all by decoding them
    sizes: dict[str, tuple[int, int]] = {}
    heads = there if decode else _heads(tracks, missing)
    with ThreadPoolExecutor() as workers:
        measured = workers.map(lambda image: (image, _size(image, decode)), heads)
        for image, size in progress(measured, len(heads)):
            if isinstance(size, ImageError):
                found.add("unreadable", f"{image}: {size.reason}")
            else:
                sizes[image] = size
    # Compare the boxes with the frames
    for members in tracks.values():
        known = next((sizes[each.image] for each in members if each.image in sizes), None)
        for entry in members:
            if is_outside(entry.box, sizes.get(entry.image, known)):
                own = sizes.get(entry.image) or _size(entry.image)
                if is_outside(entry.box, None if isinstance(own, ImageError) else own):
                    found.add("outside", f"{entry.image} {list(entry.box)}")
    # Compare the masks with their boxes, each in the size of its own image
    masked = [entry for entry in entries if entry.mask is not None]
    for entry in masked:
        own = sizes.get(entry.image) or _size(entry.image)
        if not isinstance(own, ImageError) and (reason := _wrong_mask(entry, own)):
            found.add("masks", f"{entry.image}: {reason}")
    return DataReport(
        source=str(source),
        images=len(images),
        tracks=len(tracks),
        videos=sum(len(members) > 1 for members in tracks.values()),
        boxes=len(entries),
        labels=len({entry.label for entry in entries} - {""}),
        found=found,
        masks=len(masked),
    )


def _missing(images: Iterable[str]) -> dict[str, None]:
    """Return those of the images that do not exist, in order; each folder is listed once."""
    listed: dict[str, frozenset[str]] = {}
    missing: dict[str, None] = {}
    for image in images:
        folder, name = os.path.split(archive_of(image) or image)
        if folder not in listed:
            try:
                listed[folder] = frozenset(os.listdir(folder))  # noqa: PTH208
            except OSError:
                listed[folder] = frozenset()
        if name not in listed[folder]:
            missing[image] = None
    return missing


def _heads(tracks: dict[str, list[Entry]], missing: dict[str, None]) -> list[str]:
    """Return one image that is there for each track."""
    heads: dict[str, None] = {}
    for members in tracks.values():
        image = next((entry.image for entry in members if entry.image not in missing), None)
        if image is not None:
            heads[image] = None
    return list(heads)


def _size(image: str, decode: bool = False) -> tuple[int, int] | ImageError:
    """Return width and height of an image, which may be decoded for it, or why that fails."""
    try:
        if decode:
            rows, cols = read_image(image).shape[:2]
            return cols, rows
        return image_size(image)
    except ImageError as error:
        return error


def _wrong_mask(entry: Entry, size: tuple[int, int]) -> str:
    """Return what is wrong with the mask of an entry in an image of this width and height."""
    try:
        mask = read_segmentation(entry.mask, size[1], size[0])
    except ValueError as error:
        return str(error)
    if not mask.area:
        return "an empty mask"
    overlap = float(iou(np.array(mask.box), np.array(entry.box)))
    return "" if overlap >= APART else f"mask in {mask.box}, box {entry.box}"
