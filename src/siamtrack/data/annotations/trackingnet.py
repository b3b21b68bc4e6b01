"""TrackingNet, `TRAIN_0` to `TRAIN_11`: `trackingnet:PATH`.

    PATH/TRAIN_0/anno/VIDEO.txt             one row a frame: left,top,width,height
    PATH/TRAIN_0/frames/VIDEO/0.jpg ...     frames count from 0

Boxes are taken as 0-based; most are interpolated between one a second. `TEST` is never read.
Müller et al., "TrackingNet", 2018, https://arxiv.org/abs/1803.10794.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from siamtrack.data.annotations.base import TRAINING
from siamtrack.data.annotations.entries import numbered, track_entries
from siamtrack.data.annotations.findings import Findings
from siamtrack.data.annotations.rows import folders, need, rows_of
from siamtrack.data.manifest import Entry
from siamtrack.errors import DatasetError


@TRAINING.register("trackingnet")
def read_trackingnet(path: Path, found: Findings) -> Iterator[Entry]:
    """Yield the objects of the training chunks of TrackingNet that are there.

    Args:
        path: Folder of the chunks.
        found: Where what is left out is added.

    Raises:
        DatasetError: If there is no chunk, or one without `anno` or `frames`.
    """
    chunks = [item for item in folders(path) if item.name.upper().startswith("TRAIN_")]
    if not chunks:
        raise DatasetError(
            f"{path}: expected the chunks of TrackingNet here, TRAIN_0 to TRAIN_11, each with "
            "'anno' and 'frames'; give trackingnet:PATH"
        )
    for chunk in chunks:
        anno = need(chunk / "anno", "TrackingNet", "a folder of VIDEO.txt")
        frames = need(chunk / "frames", "TrackingNet", "a folder of VIDEO/0.jpg ...")
        there = {folder.name for folder in folders(frames)}
        for file in sorted(anno.glob("*.txt")):
            if file.stem not in there:
                found.add("missing", str(frames / file.stem))
                continue
            boxes = rows_of(file, 4, found)
            if boxes is None:
                continue
            yield from track_entries(
                boxes, numbered(frames / file.stem, 1, 0), found,
                track=file.stem, label="", source="trackingnet",
            )  # fmt: skip
