"""Need for Speed: `nfs30:PATH`, `nfs240:PATH`.

Paper: Galoogahi et al., https://arxiv.org/abs/1703.05884. `NAME/30/NAME/00001.jpg` with
`NAME/30/NAME.txt`, and the same below `240`. A row is: track, left, top, right, bottom, frame,
lost, occluded, generated, label: what VATIC, the annotation tool, writes. The base is not stated;
we take 0, as VATIC draws boxes without an offset. Some files at 30 frames per second have all 240
rows: every eighth is taken. One row or frame too many at the end, as these data have it, is
dropped.
"""

from __future__ import annotations

from functools import partial as bind
from pathlib import Path

import numpy as np

from siamtrack.core.boxes import Array, ltrb_to_ltwh
from siamtrack.core.files import read_text
from siamtrack.core.images import image_files
from siamtrack.data.frames import ImageFrames
from siamtrack.data.layout import complete
from siamtrack.data.open import DATASETS
from siamtrack.data.sequence import Dataset, Sequence
from siamtrack.errors import DatasetError


def open_nfs(path: Path, *, rate: int, partial: bool = False) -> Dataset:
    """Open the sequences at 30 or 240 frames per second.

    Raises:
        DatasetError: If none is there, a row is damaged, or rows and frames do not fit.
    """
    files = sorted(path.glob(f"*/{rate}/*.txt"))
    if not files:
        raise DatasetError(f"{path}: no NAME/{rate}/NAME.txt in it; give the folder of NfS")
    names = [file.stem for file in files]
    return complete(f"NfS {rate}", map(_sequence, files), names, partial=partial)


def _sequence(file: Path) -> Sequence:
    folder = file.with_suffix("")
    images = image_files(folder.iterdir()) if folder.is_dir() else []
    boxes, lost = _rows(file)
    if images and abs(len(boxes) / len(images) - 8) < 1:
        boxes, lost = boxes[::8], lost[::8]
    if abs(len(boxes) - len(images)) > 1:
        raise DatasetError(f"{file}: {len(boxes)} rows for {len(images)} frames in {folder}")
    count = min(len(boxes), len(images))
    boxes = np.where(lost[:, None], np.nan, boxes)
    return Sequence(file.stem, ImageFrames(images[:count]), boxes[:count])


def _rows(file: Path) -> tuple[Array, Array]:
    """Return boxes (N, 4), and 1 where the target is lost (N,)."""
    rows = []
    for number, line in enumerate(read_text(file).splitlines(), start=1):
        words = line.split()
        try:
            rows.append([*map(float, words[1:5]), float(words[6])])
        except (IndexError, ValueError) as reason:
            raise DatasetError(
                f"{file}, line {number}: {line!r} is not track, left, top, right, bottom, frame, "
                "lost, occluded, generated, label"
            ) from reason
    if not rows:
        raise DatasetError(f"{file}: the file is empty; expected one row per frame")
    values = np.array(rows)
    return ltrb_to_ltwh(values[:, :4]), values[:, 4]


for _rate in (30, 240):
    DATASETS.register(f"nfs{_rate}")(bind(open_nfs, rate=_rate))
