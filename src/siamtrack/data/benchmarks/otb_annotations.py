"""OTB annotations without images, enough to evaluate raw results: `otb100-annotations:PATH`."""

from __future__ import annotations

from functools import partial as bind
from pathlib import Path

import numpy as np

from siamtrack.core.boxes import Array
from siamtrack.core.config import parse_json
from siamtrack.core.files import read_rows, text_of
from siamtrack.data.benchmarks.otb import ALIASES, annotated_only, otb_dataset
from siamtrack.data.benchmarks.otb_table import targets
from siamtrack.data.open import DATASETS
from siamtrack.data.sequence import Dataset, canonical
from siamtrack.errors import DatasetError


def open_otb_annotations(path: Path, *, version: str, partial: bool = False) -> Dataset:
    """Open the boxes of OTB `2013`, `50` or `100`.

    Args:
        path: A JSON file that maps names to objects with `gt_rect` (the files that go round with
            tracker repositories), or a folder with one `NAME.txt` per target. Boxes are 1-based.
        version: Which version.
        partial: Accept missing sequences.

    Raises:
        DatasetError: If sequences are missing or have the wrong number of rows.
    """
    rows = _from_json(path) if path.is_file() else _from_folder(path)
    rows = {canonical(ALIASES.get(name, name)): boxes for name, boxes in rows.items()}
    found = {
        target.name: annotated_only(target, rows[canonical(target.name)], path)
        for target in targets(version)
        if canonical(target.name) in rows
    }
    return otb_dataset(f"OTB-{version}", version, found, partial)


def _from_folder(path: Path) -> dict[str, Array]:
    return {file.stem: read_rows(file, (4,)) for file in sorted(path.glob("*.txt"))}


def _from_json(path: Path) -> dict[str, Array]:
    try:
        content = parse_json(text_of(path))
        boxes = {
            name: np.array(entry["gt_rect"], dtype=np.float64) for name, entry in content.items()
        }
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as reason:
        raise DatasetError(
            f"{path}: expected a JSON object that maps names to objects with 'gt_rect' ({reason!r})"
        ) from reason
    for name, array in boxes.items():
        if array.ndim != 2 or array.shape[1] != 4:
            raise DatasetError(
                f"{path}: gt_rect of {name} has shape {array.shape}, expected (N, 4)"
            )
    return boxes


for _version in ("2013", "50", "100"):
    DATASETS.register(f"otb{_version}-annotations")(bind(open_otb_annotations, version=_version))
