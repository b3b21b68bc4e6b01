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
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from siamtrack.data.layout import Entries, Size, need, read_xml
from siamtrack.data.manifest import Entry
from siamtrack.data.sources import TRAINING, Findings


@TRAINING.register("imagenet-vid")
def read_vid(path: Path, found: Findings) -> Iterator[Entry]:
    """Yield the objects of the training videos of ImageNet VID."""
    entries = Entries("imagenet-vid", found)
    for folder, data, files in _walk(path, "VID"):
        # Collect each object of the video from the files of its frames
        tracks: dict[str, tuple[list[str], list[int], list[list[float]]]] = {}
        labels: dict[str, str] = {}
        size = None
        for file in files:
            root = found.tried(read_xml, Path(folder, file))
            if root is None:
                continue
            size = size or _size(root)
            stem = file[:-4]
            for node in root.iter("object"):
                track = node.findtext("trackid", "0")
                labels[track] = node.findtext("name", "")
                images, frames, boxes = tracks.setdefault(track, ([], [], []))
                frames.append(int(stem) if stem.isdecimal() else len(frames))
                images.append(f"{data}/{stem}.JPEG")
                boxes.append(_box(node))
        if not tracks:
            found.add("empty", folder)
        video = os.path.basename(folder)  # noqa: PTH119
        for track, (images, frames, boxes) in tracks.items():
            name, label = f"{video}/{track}", labels[track]
            yield from entries.track(name, np.array(boxes), images, label, size=size, frames=frames)


@TRAINING.register("imagenet-det")
def read_det(path: Path, found: Findings) -> Iterator[Entry]:
    """Yield the objects of the training images of ImageNet DET, each a track of its own."""
    entries = Entries("imagenet-det", found)
    for folder, data, files in _walk(path, "DET"):
        for file in files:
            root = found.tried(read_xml, Path(folder, file))
            if root is None:
                continue
            size, image = _size(root), f"{data}/{file[:-4]}.JPEG"
            # images without an object are part of DET, so they are no finding
            for number, node in enumerate(root.iter("object")):
                name, label = f"{file[:-4]}/{number}", node.findtext("name", "")
                yield from entries.still(name, _box(node), image, label, size)


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


def _size(root: ET.Element) -> Size | None:
    size = _number(root, "size/width"), _number(root, "size/height")
    return size if min(size) > 0 else None


def _box(node: ET.Element) -> list[float]:
    box = node.find("bndbox")
    if box is None:
        return [float("nan")] * 4
    left, top = _number(box, "xmin"), _number(box, "ymin")
    return [left, top, _number(box, "xmax") - left + 1, _number(box, "ymax") - top + 1]


def _number(node: ET.Element, tag: str) -> float:
    """Return the number in the child `tag`; NaN if there is none."""
    try:
        return float(node.findtext(tag, "nan"))
    except ValueError:
        return float("nan")
