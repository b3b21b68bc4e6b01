"""CVAT XML 1.1, for video and for images: `cvat:PATH` with annotations.xml, or a folder of it.

    PATH/annotations.xml
    PATH/images/frame_000000.PNG ...        names as CVAT writes them, or your own in their order

A `track` is one object; its boxes with `outside="1"` are absent frames. Objects in an `image` are
stills. Coordinates are continuous from 0. Of polygons, polylines, points and turned boxes, the
upright box around them is taken; masks are left out. https://docs.cvat.ai, format CVAT 1.1.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from siamtrack.data.annotations.user_formats import Pictures, user_format, user_name
from siamtrack.data.layout import Entries, Size, read_xml
from siamtrack.data.manifest import Entry
from siamtrack.data.sources import Findings
from siamtrack.errors import DatasetError

SHAPES = ("box", "polygon", "polyline", "points")
Box = tuple[float, float, float, float]


@user_format("cvat")
def read_cvat(path: Path, found: Findings, images: Pictures | None = None) -> Iterator[Entry]:
    """Yield the objects of a CVAT export."""
    file = path / "annotations.xml" if path.is_dir() else path
    if not file.is_file():
        raise DatasetError(f"{file}: not there; expected the annotations.xml of CVAT here")
    root = read_xml(file)
    if root.tag != "annotations":
        raise DatasetError(f"{file}: expected CVAT's root 'annotations', found {root.tag!r}")
    pictures = images or Pictures.beside(file.parent)
    entries = Entries(user_name(path), found)
    for node in root.iter("track"):
        yield from _track(node, pictures, entries)
    for node in root.iter("image"):
        name = node.get("name", "")
        image = pictures.named(name)
        if image is None:
            found.add("missing", name)
            continue
        for number, shape in enumerate(child for child in node if child.tag in SHAPES):
            box = _box(shape)
            if box is None:
                found.add("unreadable", f"{file}: shape {number} of {name}")
                continue
            label = shape.get("label", "")
            yield from entries.still(f"{name}/{number}", box, image, label, _size(node))


def _track(node: ET.Element, pictures: Pictures, entries: Entries) -> Iterator[Entry]:
    found, name = entries.found, node.get("id", "0")
    task = node.get("task_id")
    track = f"{task}/{name}" if task else name
    boxes: list[Box] = []
    names: list[str] = []
    frames: list[int] = []
    for shape in node:
        if shape.tag not in SHAPES or shape.get("outside") == "1":
            continue
        box, number = _box(shape), shape.get("frame", "")
        if box is None or not number.isdecimal():
            found.add("unreadable", f"track {track}, frame {number!r}")
            continue
        frame = int(number)
        # CVAT numbers frames by their place, and so names them if it writes the images itself
        image = pictures.stem(f"frame_{frame:06d}") if pictures.by_cvat else pictures.at(frame)
        if image is None:
            found.add("missing", f"frame {frame} of track {track}")
            continue
        boxes.append(box)
        names.append(image)
        frames.append(frame)
    if not boxes:
        found.add("empty", f"{entries.source}/{track}")
        return
    yield from entries.track(track, np.array(boxes), names, node.get("label", ""), frames=frames)


def _size(node: ET.Element) -> Size | None:
    try:
        return float(node.get("width", "")), float(node.get("height", ""))
    except ValueError:
        return None


def _box(shape: ET.Element) -> Box | None:
    """Return the upright box ltwh around a shape, None if its numbers are not numbers."""
    try:
        if shape.tag == "box":
            left, top, right, bottom = (
                float(shape.get(key, "")) for key in ("xtl", "ytl", "xbr", "ybr")
            )
            angle = math.radians(float(shape.get("rotation", "0")))
            cos, sin = abs(math.cos(angle)), abs(math.sin(angle))
            width, height = right - left, bottom - top
            w, h = width, height
            if angle:
                w, h = width * cos + height * sin, width * sin + height * cos
            return left + (width - w) / 2, top + (height - h) / 2, w, h
        points = [
            [float(value) for value in pair.split(",")]
            for pair in shape.get("points", "").split(";")
        ]
        x, y = [point[0] for point in points], [point[1] for point in points]
    except (ValueError, IndexError):
        return None
    return min(x), min(y), max(x) - min(x), max(y) - min(y)
