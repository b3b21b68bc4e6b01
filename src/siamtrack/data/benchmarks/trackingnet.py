"""TrackingNet: `trackingnet:PATH`, `TEST` to evaluate on and `TRAIN_0` to `TRAIN_11` to train on.

    PATH/TRAIN_0/anno/VIDEO.txt             one row a frame: left,top,width,height
    PATH/TRAIN_0/frames/VIDEO/0.jpg ...     frames count from 0

`trackingnet-train:PATH` opens the training part as sequences. The base of the boxes is not stated;
we take 0, as the authors' development kit draws them without an offset. Most are interpolated
between one a second. The test part has the first box alone; the server evaluates.
Müller et al., "TrackingNet", 2018, https://arxiv.org/abs/1803.10794.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial as bind
from pathlib import Path

import numpy as np

from siamtrack.core.files import read_rows
from siamtrack.core.images import image_files
from siamtrack.data.layout import Entries, complete, folders, need, numbered
from siamtrack.data.manifest import Entry
from siamtrack.data.sequence import Dataset, ImageFrames, Sequence
from siamtrack.data.sources import DATASETS, TRAINING, Findings
from siamtrack.errors import DatasetError


def open_trackingnet(path: Path, *, parts: str, partial: bool = False) -> Dataset:
    """Open the parts of TrackingNet whose folders fit the pattern `parts`."""
    files = sorted(path.glob(f"{parts}/anno/*.txt"))
    if not files:
        raise DatasetError(f"{path}: no {parts}/anno/NAME.txt in it; give TrackingNet's folder")
    there = [file for file in files if _frames(file).is_dir()]
    name = f"TrackingNet {parts.strip('_*').lower()}"
    names = [file.stem for file in files]
    return complete(name, map(_sequence, there), names, partial=partial, hidden=parts == "TEST")


@TRAINING.register("trackingnet")
def read_trackingnet(path: Path, found: Findings) -> Iterator[Entry]:
    """Yield the objects of the training chunks of TrackingNet that are there; never of `TEST`."""
    chunks = [item for item in folders(path) if item.name.upper().startswith("TRAIN_")]
    if not chunks:
        raise DatasetError(
            f"{path}: expected the chunks of TrackingNet here, TRAIN_0 to TRAIN_11, each with "
            "'anno' and 'frames'; give trackingnet:PATH"
        )
    entries = Entries("trackingnet", found)
    for chunk in chunks:
        anno = need(chunk / "anno", "TrackingNet", "a folder of VIDEO.txt")
        there = set(folders(need(chunk / "frames", "TrackingNet", "a folder of VIDEO/0.jpg ...")))
        for file in sorted(anno.glob("*.txt")):
            if _frames(file) not in there:
                found.add("missing", str(_frames(file)))
                continue
            boxes = found.tried(lambda file: read_rows(file, (4,)), file)
            if boxes is not None:
                yield from entries.track(file.stem, boxes, numbered(_frames(file), 1, 0))


def _frames(file: Path) -> Path:
    """Return the folder of the frames that a file annotates."""
    return file.parent.parent / "frames" / file.stem


def _sequence(file: Path) -> Sequence:
    rows = read_rows(file, (4,))
    images = image_files(_frames(file).iterdir())
    if len(rows) not in (1, len(images)):
        raise DatasetError(f"{file}: {len(rows)} rows for {len(images)} frames in {_frames(file)}")
    boxes = np.full((len(images), 4), np.nan)
    boxes[: len(rows)] = rows
    return Sequence(file.stem, ImageFrames(images), boxes)


DATASETS.register("trackingnet")(bind(open_trackingnet, parts="TEST"))
DATASETS.register("trackingnet-train")(bind(open_trackingnet, parts="TRAIN_*"))
