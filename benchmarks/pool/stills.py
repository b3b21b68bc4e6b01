"""Readers of annotated stills: VOC, YOLO, COCO, CSV, masks, and pictures without boxes."""

from __future__ import annotations

import csv
import json
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import cv2
import numpy as np
from clones import Clone, Encoded
from cutting import Box, Picture, Thing, from_corners, some

from siamtrack.data.annotations.yolo import yaml_names
from siamtrack.data.benchmarks.davis import mask_boxes

IMAGES = (".jpg", ".jpeg", ".png")
PARTS = ("train", "valid", "test")
CROWD = 8
"""Objects of one picture, at most, in sets of crowded pictures."""


def stem(path: str) -> str:
    return PurePosixPath(path).stem


def original(path: str) -> str:
    """Return what an augmented copy was made of: Roboflow puts `.rf.` and a hash behind it."""
    return stem(path).split(".rf.")[0]


def large(box: Box, least: float) -> bool:
    return box[2] > 0 and box[3] > 0 and box[2] * box[3] >= least**2


def upright(clone: Clone, path: str, size: tuple[int, int]) -> Encoded | None:
    """Return a picture turned as its annotator saw it; None if no turn has the stated size."""
    picture = clone.encoded(path)
    if picture is None or 0 in size or picture.size() == size:
        return picture
    flat = Encoded(picture.data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return flat if not flat.is_plain and flat.size() == size else None


@dataclass(frozen=True)
class Voc:
    """Pascal VOC XML.

    Attributes:
        notes: Folder of the XML files.
        images: Folder of the pictures, in the same folders below it.
        first: Number of the first pixel: 1 in Pascal's own files, whose last pixel is included.
        most: Pictures, at most.
    """

    notes: str
    images: str
    first: int = 0
    most: int = 10**9

    def __call__(self, clone: Clone) -> Iterator[Picture]:
        names = {path.rsplit(".", 1)[0]: path for path in clone.under(self.images, IMAGES)}
        for path in some(clone.under(self.notes, ".xml"), self.most):
            inner = path[len(self.notes) :].strip("/").rsplit(".", 1)[0]
            image = names.get(f"{self.images}/{inner}".strip("/"))
            notes = clone.read(path)
            if image is None or notes is None:
                continue
            root = ET.fromstring(notes)
            size = (int(root.findtext("size/width", "0")), int(root.findtext("size/height", "0")))
            things = [
                Thing(self._box(node), f"{inner}/{number}", 0, node.findtext("name", ""))
                for number, node in enumerate(root.iter("object"))
            ]
            picture = upright(clone, image, size)
            if things and picture is not None:
                yield Picture(inner, picture, things)

    def _box(self, node: ET.Element) -> Box:
        sides = ("xmin", "ymin", "xmax", "ymax")
        corners = [float(node.findtext(f"bndbox/{side}", "nan")) for side in sides]
        left, top = corners[0] - self.first, corners[1] - self.first
        return from_corners(left, top, corners[2], corners[3])


@dataclass(frozen=True)
class Yolo:
    """YOLO text files; of augmented copies of a picture, the first is taken.

    Attributes:
        folders: Pairs of folders: labels, images.
        names: Class names in order, or the file of the clone that has them (data.yaml).
        least: Square root of the area of objects in pixels, at least.
        most: Pictures, at most.
        crowd: Objects of one picture, at most.
    """

    folders: Sequence[tuple[str, str]]
    names: tuple[str, ...] | str
    least: float = 0.0
    most: int = 10**9
    crowd: int = CROWD

    def __call__(self, clone: Clone) -> Iterator[Picture]:
        named = self.names
        names = yaml_names(clone.text(named)) if isinstance(named, str) else dict(enumerate(named))
        labels: dict[str, tuple[str, str]] = {}
        for notes, images in self.folders:
            pictures = {stem(path): path for path in clone.under(images, IMAGES)}
            for path in clone.under(notes, ".txt"):
                if stem(path) in pictures:
                    labels.setdefault(original(path), (path, pictures[stem(path)]))
        for name in some(sorted(labels), self.most):
            note, image = labels[name]
            picture = clone.encoded(image)
            text = clone.read(note) if picture is not None else None
            size = picture.size() if picture is not None else None
            if picture is None or text is None or size is None:
                continue
            width, height = size
            things = []
            for number, line in enumerate(text.decode().splitlines()):
                kind, *values = line.split()
                cx, cy, w, h = (float(value) for value in values[:4])
                box = ((cx - w / 2) * width, (cy - h / 2) * height, w * width, h * height)
                if large(box, self.least):
                    things.append(
                        Thing(box, f"{name}/{number}", 0, names.get(int(float(kind)), "").lower())
                    )
            things = some(things, self.crowd)
            if things:
                yield Picture(name, picture, things)


@dataclass(frozen=True)
class Coco:
    """COCO JSON files; crowds are left out.

    Attributes:
        parts: Pairs of a JSON file and the folders of its images, one of which has them.
        least: Square root of the area of objects in pixels, at least.
    """

    parts: Sequence[tuple[str, str]]
    least: float = 0.0

    def __call__(self, clone: Clone) -> Iterator[Picture]:
        done: set[str] = set()
        for file, folder in self.parts:
            content = json.loads(clone.text(file))
            labels = {each["id"]: str(each["name"]) for each in content["categories"]}
            notes = defaultdict(list)
            for note in content["annotations"]:
                if not note.get("iscrowd") and large(note["bbox"], self.least):
                    notes[note["image_id"]].append(note)
            for each in content["images"]:
                name = original(each["file_name"])
                path = f"{folder}/{each['file_name']}"
                if name in done or not notes[each["id"]] or path not in clone:
                    continue
                done.add(name)
                picture = upright(clone, path, (each["width"], each["height"]))
                if picture is not None:
                    things = [
                        Thing(
                            polygon_box(note),
                            f"{name}/{note['id']}",
                            0,
                            labels[note["category_id"]],
                        )
                        for note in notes[each["id"]]
                    ]
                    yield Picture(name, picture, things)


def polygon_box(note: dict[str, Any]) -> Box:
    """Return the extent of the polygons of an annotation, or its box where it has none."""
    polygons = note.get("segmentation")
    if isinstance(polygons, list) and polygons:
        points = np.concatenate([np.reshape(polygon, (-1, 2)) for polygon in polygons])
        left, top = points.min(axis=0).tolist()
        right, bottom = points.max(axis=0).tolist()
        return from_corners(left, top, right, bottom)
    left, top, width, height = map(float, note["bbox"])
    return (left, top, width, height)


@dataclass(frozen=True)
class Table:
    """CSV files as Roboflow's TensorFlow export has them, beside their pictures.

    Attributes:
        files: The CSV files.
        most: Pictures, at most.
        crowd: Objects of one picture, at most.
    """

    files: Sequence[str]
    most: int = 10**9
    crowd: int = CROWD

    def __call__(self, clone: Clone) -> Iterator[Picture]:
        rows: dict[str, dict[str, list[dict[str, str]]]] = defaultdict(lambda: defaultdict(list))
        for file in self.files:
            for row in csv.DictReader(clone.text(file).splitlines()):
                path = str(PurePosixPath(file).with_name(row["filename"]))
                rows[original(path)][path].append(row)
        for name in some(sorted(rows), self.most):
            path, notes = next(iter(rows[name].items()))
            picture = upright(clone, path, (int(notes[0]["width"]), int(notes[0]["height"])))
            if picture is None:
                continue
            things = [
                Thing(
                    from_corners(*(float(row[side]) for side in ("xmin", "ymin", "xmax", "ymax"))),
                    f"{name}/{number}",
                    0,
                    row["class"].lower(),
                )
                for number, row in enumerate(notes)
            ]
            yield Picture(name, picture, some(things, self.crowd))


@dataclass(frozen=True)
class Masks:
    """A mask picture beside each picture; one object in each.

    Attributes:
        masks: Folder of the masks.
        images: Folder of the pictures of the same names.
        background: Values of the mask that are not the object, from and to.
        label: Class name, or an empty string: the name of the file without its number.
    """

    masks: str
    images: str
    background: tuple[int, int]
    label: str = ""

    def __call__(self, clone: Clone) -> Iterator[Picture]:
        pictures = {stem(path): path for path in clone.under(self.images, IMAGES)}
        for path in clone.under(self.masks, IMAGES):
            name = stem(path)
            mask = clone.image(path, cv2.IMREAD_GRAYSCALE) if name in pictures else None
            picture = clone.encoded(pictures[name]) if mask is not None else None
            size = picture.size() if picture is not None else None
            if mask is None or picture is None or size is None:
                continue
            first, last = self.background
            box = mask_boxes(((mask < first) | (mask > last)).astype(np.uint8)).get(1)
            if box is not None:
                # Weizmann's masks have other sizes than its pictures
                x, y = size[0] / mask.shape[1], size[1] / mask.shape[0]
                box = (box[0] * x, box[1] * y, box[2] * x, box[3] * y)
                label = self.label or name.rsplit("_", 1)[0].lower()
                yield Picture(name, picture, [Thing(box, name, 0, label)])


@dataclass(frozen=True)
class Whole:
    """Pictures without boxes: each is taken for one object in its middle.

    Attributes:
        folder: Folder of the pictures.
        share: Width and height of the box in the picture's.
        label: Class name, or an empty string: the folder of the picture.
        leave: Folders that are left out.
        each: Pictures of one folder, at most.
    """

    folder: str
    share: float
    label: str = ""
    leave: tuple[str, ...] = ()
    each: int = 10**9

    def __call__(self, clone: Clone) -> Iterator[Picture]:
        folders = defaultdict(list)
        for path in clone.under(self.folder, IMAGES):
            folders[PurePosixPath(path).parent.name].append(path)
        for folder, paths in sorted(folders.items()):
            for path in some(paths, self.each) if folder not in self.leave else ():
                picture = clone.encoded(path)
                size = picture.size() if picture is not None else None
                if picture is None or size is None:
                    continue
                across, down = self.share * size[0], self.share * size[1]
                box = ((size[0] - across) / 2, (size[1] - down) / 2, across, down)
                name = f"{folder}/{stem(path)}".strip("/")
                yield Picture(name, picture, [Thing(box, name, 0, self.label or folder.lower())])
