"""ImageNet VID and DET of ILSVRC 2015 and later: `imagenet-vid:PATH` and `imagenet-det:PATH`.

    PATH/Annotations/VID/train/ILSVRC2015_VID_train_0000/ILSVRC2015_train_00000000/000000.xml
    PATH/Data/VID/train/ILSVRC2015_VID_train_0000/ILSVRC2015_train_00000000/000000.JPEG
    PATH/Annotations/DET/train/ILSVRC2013_train/n01440764/n01440764_10040.xml
    PATH/Data/DET/train/ILSVRC2013_train/n01440764/n01440764_10040.JPEG

PATH may also be the folder that holds `ILSVRC2015` or `ILSVRC`. Only `train` is read. A file has
`size/width`, `size/height` and for each `object` a `name` (the synset), in VID a `trackid`, and
`bndbox` with `xmin`, `ymin`, `xmax`, `ymax`: the first and the last pixel, from 0: the
width is xmax - xmin + 1. Russakovsky et al., 2015, https://arxiv.org/abs/1409.0575.
"""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from siamtrack.data.annotations.base import TRAINING
from siamtrack.data.annotations.entries import still_entry, track_entries
from siamtrack.data.annotations.findings import Findings
from siamtrack.data.annotations.rows import need
from siamtrack.data.annotations.xml import number_in, read_xml
from siamtrack.data.manifest import Entry
from siamtrack.errors import DatasetError


@TRAINING.register("imagenet-vid")
def read_vid(path: Path, found: Findings) -> Iterator[Entry]:
    """Yield the objects of the training videos of ImageNet VID.

    Args:
        path: Folder with `Annotations` and `Data`, or the one above it.
        found: Where what is left out is added.

    Raises:
        DatasetError: If one of the two folders is not there.
    """
    for folder, data, files in _walk(path, "VID"):
        objects: dict[str, list[tuple[str, int, list[float]]]] = defaultdict(list)
        labels: dict[str, str] = {}
        size = None
        for file in files:
            root = _read(folder, file, found)
            if root is None:
                continue
            size = size or _size(root)
            stem = file[:-4]
            for node in root.iter("object"):
                track = node.findtext("trackid", "0")
                labels[track] = node.findtext("name", "")
                frame = int(stem) if stem.isdecimal() else len(objects[track])
                objects[track].append((f"{data}/{stem}.JPEG", frame, _box(node)))
        if not objects:
            found.add("empty", folder)
        name = os.path.basename(folder)  # noqa: PTH119
        for track, items in objects.items():
            yield from track_entries(
                np.array([box for _, _, box in items]), [image for image, _, _ in items], found,
                track=f"{name}/{track}", label=labels[track], source="imagenet-vid", size=size,
                frames=[frame for _, frame, _ in items],
            )  # fmt: skip


@TRAINING.register("imagenet-det")
def read_det(path: Path, found: Findings) -> Iterator[Entry]:
    """Yield the objects of the training images of ImageNet DET, each a track of its own.

    Args:
        path: Folder with `Annotations` and `Data`, or the one above it.
        found: Where what is left out is added.

    Raises:
        DatasetError: If one of the two folders is not there.
    """
    for folder, data, files in _walk(path, "DET"):
        for file in files:
            root = _read(folder, file, found)
            if root is None:
                continue
            image = f"{data}/{file[:-4]}.JPEG"
            # images without an object are part of DET, so they are no finding
            for number, node in enumerate(root.iter("object")):
                yield from still_entry(
                    _box(node), image, found, track=f"{file[:-4]}/{number}",
                    label=node.findtext("name", ""), source="imagenet-det", size=_size(root),
                )  # fmt: skip


def _walk(path: Path, part: str) -> Iterator[tuple[str, str, list[str]]]:
    """Yield each folder of annotations, the folder of its images, and the names of its files."""
    roots = [path, path / "ILSVRC2015", path / "ILSVRC", path / "ILSVRC2017"]
    base = next((root for root in roots if (root / "Annotations").is_dir()), path)
    anno = need(base / "Annotations" / part / "train", f"ImageNet {part}", "XML files")
    data = need(base / "Data" / part / "train", f"ImageNet {part}", "images")
    for folder, below, files in os.walk(anno):
        below.sort()
        if xml := sorted(name for name in files if name.endswith(".xml")):
            yield folder, str(data) + folder[len(str(anno)) :], xml


def _read(folder: str, file: str, found: Findings) -> ET.Element | None:
    try:
        return read_xml(Path(folder, file))
    except (DatasetError, OSError) as error:
        found.add("unreadable", str(error))
        return None


def _size(root: ET.Element) -> tuple[float, float] | None:
    size = number_in(root, "size/width"), number_in(root, "size/height")
    return size if min(size) > 0 else None


def _box(node: ET.Element) -> list[float]:
    box = node.find("bndbox")
    if box is None:
        return [float("nan")] * 4
    left, top = number_in(box, "xmin"), number_in(box, "ymin")
    return [left, top, number_in(box, "xmax") - left + 1, number_in(box, "ymax") - top + 1]
