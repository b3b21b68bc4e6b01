"""YouTube-BoundingBoxes, detection part: `youtube-bb:PATH`.

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
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from siamtrack.data.annotations.base import TRAINING
from siamtrack.data.annotations.entries import track_entries
from siamtrack.data.annotations.findings import Findings
from siamtrack.data.cache import image_size
from siamtrack.data.manifest import Entry
from siamtrack.errors import DatasetError, ImageError

_FILE = "yt_bb_detection_train.csv"
_IMAGES = (".jpg", ".jpeg", ".png", ".webp")


@TRAINING.register("youtube-bb")
def read_youtube_bb(path: Path, found: Findings) -> Iterator[Entry]:
    """Yield the objects of the training part of YouTube-BB whose frames are there.

    Args:
        path: Folder of the csv file and of the frames.
        found: Where what is left out is added.

    Raises:
        DatasetError: If the csv file or all frames are missing, or a row has another form.
    """
    file = path / _FILE
    if not file.is_file():
        raise DatasetError(f"{file}: not there; expected the csv file of YouTube-BB at this place")
    images = _images(path)
    if not images:
        raise DatasetError(
            f"{path}: no frames; decode the videos to PATH/.../VIDEO+CLASS+OBJECT+TIMESTAMP.jpg"
        )
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
        yield from track_entries(
            np.array(boxes) * [size[0], size[1], size[0], size[1]], names, found,
            track=f"{video}/{kind}/{number}", label=rows[0][1], source="youtube-bb", size=size,
            frames=frames,
        )  # fmt: skip


def _tracks(
    file: Path,
) -> dict[tuple[str, str, str], list[tuple[int, str, tuple[float, float, float, float]]]]:
    """Return (timestamp, class name, ltwh as shares) of each object; absent rows are dropped."""
    tracks = defaultdict(list)
    with file.open(encoding="utf-8", newline="") as lines:
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
