"""Temple Color 128: `tcolor128:PATH`.

Paper: Liang et al., https://doi.org/10.1109/TIP.2015.2482905. `NAME/img/0001.jpg`,
`NAME/NAME_gt.txt` (1-based) and `NAME/NAME_frames.txt` with the first and the last frame.
"""

from __future__ import annotations

from pathlib import Path

from siamtrack.core.files import read_rows
from siamtrack.data.layout import complete, numbered_frames
from siamtrack.data.open import DATASETS
from siamtrack.data.sequence import Dataset, Sequence
from siamtrack.errors import DatasetError


@DATASETS.register("tcolor128")
def open_tcolor128(path: Path, *, partial: bool = False) -> Dataset:
    """Open the sequences below `path`.

    Raises:
        DatasetError: If none is there, or a range does not fit its rows.
    """
    files = sorted(path.glob("*/*_gt.txt"))
    if not files:
        raise DatasetError(f"{path}: no NAME/NAME_gt.txt in it; give the folder of TColor-128")
    names = [file.parent.name for file in files]
    return complete("TColor-128", map(_sequence, files), names, partial=partial, origin=1)


def _sequence(file: Path) -> Sequence:
    boxes = read_rows(file, (4,)) - [1, 1, 0, 0]
    span = file.with_name(file.name.replace("_gt.txt", "_frames.txt"))
    first, last = (int(value) for value in read_rows(span, (2,))[0])
    if last - first + 1 != len(boxes):
        raise DatasetError(f"{file}: {len(boxes)} rows, but {span} says {first} to {last}")
    frames = numbered_frames(file.parent / "img", first, last, 4)
    return Sequence(file.parent.name, frames, boxes)
