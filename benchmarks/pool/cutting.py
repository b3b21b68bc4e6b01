"""From pictures with boxes to crops on disk and manifest entries."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from clones import Encoded, Pixels

from siamtrack.data.manifest import Entry
from siamtrack.tracking.crops import context_side

Box = tuple[float, float, float, float]
Item = TypeVar("Item")

WINDOWS = 5.0
"""Width of a crop in template windows."""
TEMPLATE = 128
"""Side of the template window in a crop, in pixels, at most: crops are never enlarged."""
LEAST = 12.0
"""Objects whose square root of area is less, in pixels of the original, are left out."""
WHOLE, ALIKE = 0.6, 1.5
"""Crops that show this share of the picture or more are one file for all objects of the picture
whose scales differ by this factor at most."""


@dataclass(frozen=True)
class Thing:
    """One object in one picture.

    Attributes:
        box: left, top, width, height in pixels, 0-based.
        track: Name of the object, unique within the source.
        frame: Number of the frame in its video; 0 for stills.
        label: Class name, or an empty string.
    """

    box: Box
    track: str
    frame: int = 0
    label: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture and the objects in it.

    Attributes:
        name: Path of the crops without ending, unique within the source.
        source: Encoded, or decoded (H, W, 3), uint8, blue first.
        things: What is in it.
    """

    name: str
    source: Encoded | Pixels
    things: Sequence[Thing]


Job = tuple[tuple[int, int, int, int], float, list[tuple[Box, Thing]]]
"""A crop: left, top, right, bottom in the picture, its scale, and the objects it is for."""


def from_corners(left: float, top: float, right: float, bottom: float) -> Box:
    return (left, top, right - left, bottom - top)


def clipped(box: Box, width: int, height: int) -> Box | None:
    """Return the part of a box inside the picture, or None if too small or not a box."""
    if not all(map(math.isfinite, box)):
        return None
    left, top = max(box[0], 0.0), max(box[1], 0.0)
    right, bottom = min(box[0] + box[2], width), min(box[1] + box[3], height)
    if right - left < 4 or bottom - top < 4 or (right - left) * (bottom - top) < LEAST**2:
        return None
    return from_corners(left, top, right, bottom)


def evenly(items: Sequence[Item], most: int) -> list[Item]:
    """Return at most so many items, evenly spaced, first and last among them."""
    if len(items) <= most:
        return list(items)
    places = np.linspace(0, len(items) - 1, most).round().astype(int)
    return [items[place] for place in places]


def some(items: Sequence[Item], most: int) -> list[Item]:
    """Return at most so many items, drawn by a fixed seed, in their order."""
    if len(items) <= most:
        return list(items)
    places = np.random.default_rng(len(items)).choice(len(items), most, replace=False)
    return [items[place] for place in sorted(places)]


def cut(picture: Picture, out: Path, name: str) -> Iterator[Entry]:
    """Write the crops of a picture below `out/name` and yield an entry for each object."""
    origin = picture.source
    size = origin.size() if isinstance(origin, Encoded) else (origin.shape[1], origin.shape[0])
    if size is None:
        return
    jobs = plan(picture.things, *size)
    decoded: Encoded | Pixels = origin
    if isinstance(origin, Encoded):
        # A stored JPEG that would be shown whole and unscaled is the crop
        must = [scale for area, scale, _ in jobs if scale < 1 or area != (0, 0, *size)]
        if must or not origin.is_plain:
            pixels = origin.pixels(max(must, default=1.0))
            if pixels is None:
                return
            decoded = pixels
    for number, (area, scale, members) in enumerate(jobs):
        left, top, right, bottom = area
        file = out / name / f"{picture.name}{f'_{number}' if number else ''}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        width, height = right - left, bottom - top
        if isinstance(origin, Encoded) and origin.is_plain and scale == 1 and area == (0, 0, *size):
            file.write_bytes(origin.data)
        else:
            assert not isinstance(decoded, Encoded)
            # Decoded at half the size, everything is half as far from the corner
            part = 2 if decoded.shape[1] < size[0] else 1
            shown = decoded[top // part : -(-bottom // part), left // part : -(-right // part)]
            width, height = max(1, round(width * scale)), max(1, round(height * scale))
            crop = cv2.resize(shown, (width, height), interpolation=cv2.INTER_AREA)
            coded = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, 92])[1]
            file.write_bytes(coded.tobytes())
        across, down = width / (right - left), height / (bottom - top)
        for box, thing in members:
            moved = (
                (box[0] - left) * across,
                (box[1] - top) * down,
                box[2] * across,
                box[3] * down,
            )
            yield Entry(str(file), moved, f"{name}/{thing.track}", thing.frame, thing.label, name)


def plan(things: Sequence[Thing], width: int, height: int) -> list[Job]:
    """Return which crops of a picture show which objects, and at which scale."""
    shared: list[tuple[float, list[tuple[Box, Thing]]]] = []
    alone: list[Job] = []
    found = [(clipped(thing.box, width, height), thing) for thing in things]
    kept = [(box, thing) for box, thing in found if box is not None]
    # Largest scale first: it is the one that a shared file has
    kept.sort(key=lambda each: context_side(each[0][2], each[0][3]))
    for box, thing in kept:
        window = context_side(box[2], box[3])
        scale = min(1.0, TEMPLATE / window)
        reach, cx, cy = WINDOWS * window / 2, box[0] + box[2] / 2, box[1] + box[3] / 2
        # Even corners, which pictures decoded at half the size have as well
        left, top = (max(0, 2 * math.floor((c - reach) / 2)) for c in (cx, cy))
        right = min(width, 2 * math.ceil((cx + reach) / 2))
        bottom = min(height, 2 * math.ceil((cy + reach) / 2))
        if (right - left) * (bottom - top) < WHOLE * width * height:
            alone.append(((left, top, right, bottom), scale, [(box, thing)]))
        elif shared and shared[-1][0] <= ALIKE * scale:
            shared[-1][1].append((box, thing))
        else:
            shared.append((scale, [(box, thing)]))
    return [((0, 0, width, height), scale, members) for scale, members in shared] + alone
