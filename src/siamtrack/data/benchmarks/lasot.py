"""LaSOT: `lasot:PATH`.

Paper: Fan et al., https://arxiv.org/abs/1809.07845. `airplane/airplane-1` or `airplane-1`, each
with `img/00000001.jpg`, `groundtruth.txt` (1-based), `full_occlusion.txt` and `out_of_view.txt`.
Where either label is set the target is absent. With `testing_set.txt` in the folder its 280
sequences are wanted, otherwise whatever is there.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from siamtrack.core.files import read_rows
from siamtrack.data.layout import complete, frames_beside, hidden, labels, names_in
from siamtrack.data.open import DATASETS
from siamtrack.data.sequence import Dataset, Sequence
from siamtrack.errors import DatasetError

LIST = "testing_set.txt"


@DATASETS.register("lasot")
def open_lasot(path: Path, *, partial: bool = False) -> Dataset:
    """Open the sequences of LaSOT below `path`.

    Raises:
        DatasetError: If sequences are missing or labels do not fit.
    """
    files = sorted([*path.glob("*/groundtruth.txt"), *path.glob("*/*/groundtruth.txt")])
    there = {file.parent.name: file.parent for file in files}
    wanted = names_in(path / LIST) if (path / LIST).is_file() else list(there)
    if not wanted:
        raise DatasetError(
            f"{path}: neither {LIST} nor folders with groundtruth.txt; give the folder of LaSOT"
        )
    found = [_sequence(there[name]) for name in wanted if name in there]
    return complete("LaSOT", found, wanted, partial=partial, origin=1)


def _sequence(folder: Path) -> Sequence:
    file = folder / "groundtruth.txt"
    boxes = read_rows(file, (4,)) - [1, 1, 0, 0]
    kinds = ("full_occlusion.txt", "out_of_view.txt")
    gone = np.maximum(*(labels(folder / kind, len(boxes)) for kind in kinds))
    frames = frames_beside(folder / "img", len(boxes), file)
    return Sequence(folder.name, frames, hidden(boxes, gone))
