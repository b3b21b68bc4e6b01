"""TrackingNet: `trackingnet:PATH` (test part), `trackingnet-train:PATH`.

Paper: Mueller et al., https://arxiv.org/abs/1803.10794. `TEST/frames/NAME/0.jpg` and
`TEST/anno/NAME.txt`. The base is not stated; we take 0, as the authors' development kit draws boxes
without an offset. The test part has the first box alone; the server evaluates.
"""

from __future__ import annotations

from functools import partial as bind
from pathlib import Path

import numpy as np

from siamtrack.core.files import read_rows
from siamtrack.core.images import image_files
from siamtrack.data.frames import ImageFrames
from siamtrack.data.layout import complete
from siamtrack.data.open import DATASETS
from siamtrack.data.sequence import Dataset, Sequence
from siamtrack.errors import DatasetError


def open_trackingnet(path: Path, *, parts: str, partial: bool = False) -> Dataset:
    """Open the parts of TrackingNet whose folders fit the pattern `parts`.

    Raises:
        DatasetError: If annotations or frames are missing, or rows outnumber the frames.
    """
    files = sorted(path.glob(f"{parts}/anno/*.txt"))
    if not files:
        raise DatasetError(f"{path}: no {parts}/anno/NAME.txt in it; give TrackingNet's folder")
    there = [file for file in files if _frames(file).is_dir()]
    name = f"TrackingNet {parts.strip('_*').lower()}"
    names = [file.stem for file in files]
    hidden = parts == "TEST"
    return complete(name, map(_sequence, there), names, partial=partial, hidden=hidden)


def _frames(file: Path) -> Path:
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
