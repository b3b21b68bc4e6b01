"""DTB70, drones: `dtb70:PATH`.

Paper: Li and Yeung, https://doi.org/10.1609/aaai.v31i1.11205. `NAME/img/00001.jpg` and
`NAME/groundtruth_rect.txt` (1-based).
"""

from __future__ import annotations

from pathlib import Path

from siamtrack.core.files import read_rows
from siamtrack.data.layout import complete, frames_beside, subfolders
from siamtrack.data.open import DATASETS
from siamtrack.data.sequence import Dataset, Sequence

TRUTH = "groundtruth_rect.txt"


@DATASETS.register("dtb70")
def open_dtb70(path: Path, *, partial: bool = False) -> Dataset:
    """Open the sequences below `path`.

    Raises:
        DatasetError: If none is there, or frames and rows do not fit.
    """
    folders = subfolders(path, TRUTH)
    names = [folder.name for folder in folders]
    return complete("DTB70", map(_sequence, folders), names, partial=partial, origin=1)


def _sequence(folder: Path) -> Sequence:
    boxes = read_rows(folder / TRUTH, (4,)) - [1, 1, 0, 0]
    frames = frames_beside(folder / "img", len(boxes), folder / TRUTH)
    return Sequence(folder.name, frames, boxes)
