"""Archives for the evaluation servers of GOT-10k and TrackingNet, checked before packing."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from siamtrack.core.writing import replacing
from siamtrack.data.sequence import Dataset
from siamtrack.errors import ResultsError
from siamtrack.evaluation.results import find_runs, read_results


def check_submission(folder: str | Path, dataset: Dataset) -> list[Path]:
    """Return the files to pack, if the folder of raw results is whole.

    Raises:
        ResultsError: If a sequence is missing, has the wrong number of rows, another first box, a
            box that is not finite or, for GOT-10k, no times; the message names all that is wrong.
    """
    folder, found, wrong = Path(folder), find_runs(folder, dataset), []
    files: list[Path] = []
    for sequence in dataset:
        if sequence.name not in found:
            wrong.append(f"{sequence.name}: no results")
            continue
        for path in found[sequence.name]:
            try:
                boxes = read_results(path, origin=dataset.origin)
            except ResultsError as reason:
                wrong.append(str(reason))
                continue
            files.append(path)
            if len(boxes) != len(sequence):
                wrong.append(f"{path}: {len(boxes)} rows, expected {len(sequence)}")
            elif not np.allclose(boxes[0], sequence.boxes[0], atol=1.0):
                wrong.append(f"{path}, line 1: not the box that was given")
        if dataset.nested:
            times = found[sequence.name][0].with_name(f"{sequence.name}_time.txt")
            files.append(times)
            if not times.is_file():
                wrong.append(f"{times}: is missing")
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise ResultsError(f"{folder} cannot be submitted: {'; '.join(wrong[:5])}{more}")
    return files


def write_submission(folder: str | Path, dataset: Dataset, path: str | Path) -> Path:
    """Pack raw results of one tracker as the data set's server wants them; `path` appears whole.

    GOT-10k's are `NAME/NAME_001.txt` and `NAME/NAME_time.txt`, those of others `NAME.txt`.

    Raises:
        ResultsError: If the results are not whole.
        FileExistsError: If `path` exists.
    """
    target, root = Path(path), Path(folder)
    files = check_submission(root, dataset)
    if target.exists():
        raise FileExistsError(f"{target} exists; remove it or choose another name")
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, file.relative_to(root).as_posix())
    return target
