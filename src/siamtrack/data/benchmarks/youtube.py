"""Videos of YouTube, to train on: YouTube-VOS, `youtube-vos:PATH`; YouTube-BB, `youtube-bb:PATH`.

YouTube-VOS 2018 and 2019, boxes from masks:

    PATH/train/meta.json                                videos/ID/objects/NUMBER/category
    PATH/train/JPEGImages/003234408d/00000.jpg ...
    PATH/train/Annotations/003234408d/00000.png ...     object numbers, every fifth frame

PATH may also be the `train` folder itself. Xu et al., "YouTube-VOS", 2018,
https://arxiv.org/abs/1809.03327.

YouTube-BoundingBoxes, detection part:

    PATH/yt_bb_detection_train.csv          no header, ten columns (below)
    PATH/.../AAB6lO-XiKE+0+0+238000.jpg     decoded frames, in any folders below PATH

Columns: youtube_id, timestamp_ms, class_id, class_name, object_id, object_presence, xmin, xmax,
ymin, ymax; the last four are shares of the frame, -1 where the object is absent. The set comes as
a list of videos, of which many are gone: frames are found by name, VIDEO, class, object and
timestamp joined by `+`, or VIDEO and timestamp joined by `+` or `_`. Rows without a frame are
counted as missing. One header for each video is read, because boxes are shares of the frame.
Real et al., "YouTube-BoundingBoxes", 2017, https://arxiv.org/abs/1702.00824.
"""

from __future__ import annotations

import csv
import json
import os
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import numpy as np

from siamtrack.core.files import bytes_of, open_ordinary
from siamtrack.data.benchmarks.davis import mask_entries
from siamtrack.data.cache import image_size
from siamtrack.data.layout import Entries, folders, need
from siamtrack.data.manifest import Entry
from siamtrack.data.sources import TRAINING, Findings
from siamtrack.errors import DatasetError, ImageError

_FILE = "yt_bb_detection_train.csv"
_IMAGES = (".jpg", ".jpeg", ".png", ".webp")


@TRAINING.register("youtube-vos")
def read_youtube_vos(path: Path, found: Findings) -> Iterator[Entry]:
    """Yield the objects of the training videos of YouTube-VOS.

    Masks are decoded while reading, in as many threads as there are processors.
    """
    train = path / "train" if (path / "train").is_dir() else path
    images = need(train / "JPEGImages", "YouTube-VOS", "a folder for each video")
    masks = need(train / "Annotations", "YouTube-VOS", "a folder of masks for each video")
    meta = _meta(train / "meta.json")
    here = {folder.name for folder in folders(masks)}
    for video in sorted(meta.keys() - here):
        found.add("missing", str(masks / video))
    entries = Entries("youtube-vos", found)
    with ThreadPoolExecutor() as workers:
        for video in sorted(here):
            labels = meta.get(video, {})
            yield from mask_entries(entries, video, masks / video, images / video, labels, workers)


def _meta(path: Path) -> dict[str, dict[int, str]]:
    """Return the class of each object of each video; without the file, nothing."""
    if not path.is_file():
        return {}
    try:
        content: dict[str, Any] = json.loads(bytes_of(path))
        return {
            video: {int(k): str(v.get("category", "")) for k, v in each["objects"].items()}
            for video, each in content["videos"].items()
        }
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise DatasetError(
            f"{path}: expected videos/ID/objects/NUMBER/category as in YouTube-VOS ({error!r})"
        ) from error


@TRAINING.register("youtube-bb")
def read_youtube_bb(path: Path, found: Findings) -> Iterator[Entry]:
    """Yield the objects of the training part of YouTube-BB whose frames are there."""
    file = path / _FILE
    if not file.is_file():
        raise DatasetError(f"{file}: not there; expected the csv file of YouTube-BB at this place")
    images = _images(path)
    if not images:
        raise DatasetError(
            f"{path}: no frames; decode the videos to PATH/.../VIDEO+CLASS+OBJECT+TIMESTAMP.jpg"
        )
    entries = Entries("youtube-bb", found)
    for (video, kind, number), rows in _tracks(file).items():
        boxes, names, frames = [], [], []
        for stamp, _, box in sorted(rows):
            image = (
                images.get(f"{video}+{kind}+{number}+{stamp}")
                or images.get(f"{video}+{stamp}")
                or images.get(f"{video}_{stamp}")
            )
            if image is None:
                found.add("missing", f"frame of {video} at {stamp} ms")
                continue
            boxes.append(box)
            names.append(image)
            frames.append(stamp * 30 // 1000)  # about frames, as gaps are counted in frames
        if not names:
            continue
        try:
            size = image_size(names[0])
        except ImageError as error:
            found.add("unreadable", str(error))
            continue
        name, shares = f"{video}/{kind}/{number}", np.array(boxes)
        yield from entries.track(
            name, shares * (size + size), names, rows[0][1], size=size, frames=frames
        )


def _tracks(
    file: Path,
) -> dict[tuple[str, str, str], list[tuple[int, str, tuple[float, float, float, float]]]]:
    """Return (timestamp, class name, ltwh as shares) of each object; absent rows are dropped."""
    tracks = defaultdict(list)
    with TextIOWrapper(open_ordinary(file), encoding="utf-8", newline="") as lines:
        rows = csv.reader(lines)
        try:
            for row in rows:
                if not row or row[0] == "youtube_id":
                    continue
                video, stamp, kind, label, track, presence, *edges = row
                left, right, top, bottom = map(float, edges)
                if presence != "absent" and min(left, top) >= 0:
                    box = (left, top, right - left, bottom - top)
                    tracks[video, kind, track].append((int(stamp), label, box))
        except (csv.Error, ValueError) as error:
            raise DatasetError(
                f"{file}, line {rows.line_num}: expected ten columns, youtube_id to ymax "
                f"({str(error)[:100]})"
            ) from error
    return tracks


def _images(path: Path) -> dict[str, str]:
    """Map the stems of all images below a folder to their paths."""
    return {
        os.path.splitext(name)[0]: f"{folder}/{name}"  # noqa: PTH122
        for folder, _, files in os.walk(path)
        for name in files
        if name.lower().endswith(_IMAGES)
    }
