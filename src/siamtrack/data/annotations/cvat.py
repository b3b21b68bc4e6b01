"""CVAT XML 1.1, for video and for images: `cvat:PATH` with annotations.xml, or a folder of it.

    PATH/annotations.xml
    PATH/images/frame_000000.PNG ...        names as CVAT writes them, or your own in their order

A `track` is one object; its boxes with `outside="1"` are absent frames. Objects in an `image` are
stills. Coordinates are continuous from 0. Of polygons, polylines, points and turned boxes, the
upright box around them is taken; polygons and masks are kept as masks as well. The runs of a `mask`
go row by row through its rectangle, the first outside the object. https://docs.cvat.ai, CVAT 1.1.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from siamtrack.core.masks import LARGEST, Mask, window_of
from siamtrack.data.annotations.user_formats import Pictures, user_format, user_name
from siamtrack.data.layout import Entries, Size, read_xml
from siamtrack.data.manifest import Entry
from siamtrack.data.sources import Findings
from siamtrack.errors import DatasetError

SHAPES = ("box", "polygon", "polyline", "points", "mask")
Box = tuple[float, float, float, float]
Shape = tuple[Box, Any]
"""The upright box around a shape, and its mask as COCO's `segmentation`, None if it is none."""


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
    size = _original_size(root)
    for node in root.iter("track"):
        yield from _track(node, pictures, entries, size)
    for node in root.iter("image"):
        name = node.get("name", "")
        image = pictures.named(name)
        if image is None:
            found.add("missing", name)
            continue
        size = _size(node)
        for number, shape in enumerate(child for child in node if child.tag in SHAPES):
            read = _shape(shape, size)
            if read is None:
                found.add("unreadable", f"{file}: shape {number} of {name}")
                continue
            label, (box, mask) = shape.get("label", ""), read
            yield from entries.still(f"{name}/{number}", box, image, label, size, mask)


def _track(
    node: ET.Element, pictures: Pictures, entries: Entries, size: Size | None
) -> Iterator[Entry]:
    found, name = entries.found, node.get("id", "0")
    task = node.get("task_id")
    track = f"{task}/{name}" if task else name
    shapes: list[Shape] = []
    names: list[str] = []
    frames: list[int] = []
    for shape in node:
        if shape.tag not in SHAPES or shape.get("outside") == "1":
            continue
        read, number = _shape(shape, size), shape.get("frame", "")
        if read is None or not number.isdecimal():
            found.add("unreadable", f"track {track}, frame {number!r}")
            continue
        frame = int(number)
        # CVAT numbers frames by their place, and so names them if it writes the images itself
        image = pictures.stem(f"frame_{frame:06d}") if pictures.by_cvat else pictures.at(frame)
        if image is None:
            found.add("missing", f"frame {frame} of track {track}")
            continue
        shapes.append(read)
        names.append(image)
        frames.append(frame)
    if not shapes:
        found.add("empty", f"{entries.source}/{track}")
        return
    boxes, masks = np.array([box for box, _ in shapes]), [mask for _, mask in shapes]
    label = node.get("label", "")
    yield from entries.track(track, boxes, names, label, frames=frames, masks=masks)


def _original_size(root: ET.Element) -> Size | None:
    """Return the size of the frames of a video; None if several are named, or none is."""
    found = root.findall("./meta//original_size")
    try:
        (node,) = found
        return float(node.findtext("width", "")), float(node.findtext("height", ""))
    except ValueError:
        return None


def _size(node: ET.Element) -> Size | None:
    try:
        return float(node.get("width", "")), float(node.get("height", ""))
    except ValueError:
        return None


def _shape(shape: ET.Element, size: Size | None) -> Shape | None:
    """Return the box ltwh around a shape, and its mask; None if its numbers are not numbers."""
    try:
        if shape.tag == "mask":
            return _mask(shape, size)
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
            return (left + (width - w) / 2, top + (height - h) / 2, w, h), None
        points = [
            [float(value) for value in pair.split(",")]
            for pair in shape.get("points", "").split(";")
        ]
        x, y = [point[0] for point in points], [point[1] for point in points]
    except (ValueError, IndexError, OverflowError):
        return None
    box = min(x), min(y), max(x) - min(x), max(y) - min(y)
    outline = shape.tag == "polygon" and len(points) > 2 and np.isfinite(points).all()
    return box, [np.array(points)[:, :2].ravel().tolist()] if outline else None


def _mask(shape: ET.Element, size: Size | None) -> Shape:
    """Return the box around a mask, and its run lengths where the size of its image is known.

    Raises:
        ValueError: If its numbers are not numbers, or do not fit each other.
    """
    left, top, width, height = (
        int(float(shape.get(key, ""))) for key in ("left", "top", "width", "height")
    )
    pixels = window_of([int(run) for run in shape.get("rle", "").split(",")], width, height)
    whole = (left + width, top + height)
    known = size is not None and 0 < size[0] * size[1] <= LARGEST
    columns, rows = map(int, size) if size is not None and known else whole
    mask = Mask.of(pixels, (left, top), (rows, columns))
    return mask.box, mask.rle() if known and mask.area else None
