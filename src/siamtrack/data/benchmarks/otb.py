"""OTB-2013, OTB-50 and OTB-100 in their official layout, with every special case.

`NAME/img/0001.jpg` and `NAME/groundtruth_rect*.txt` with 1-based boxes. The frame ranges are in
`otb_table`; Tiger1's file has five rows before its first frame; Jogging and Skating2 have two
targets; the target of Human4 is in `groundtruth_rect.2.txt`. Upper and lower case and the usual
spellings (Jogging, Jogging-1, Jogging.1, jogging_1) do not matter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial as bind
from pathlib import Path

from siamtrack.core.boxes import Array
from siamtrack.core.files import read_rows
from siamtrack.core.images import image_files
from siamtrack.data.benchmarks.otb_table import Target, targets
from siamtrack.data.frames import Frames, ImageFrames, NoFrames
from siamtrack.data.open import DATASETS
from siamtrack.data.sequence import Dataset, Sequence, canonical
from siamtrack.errors import DatasetError

ALIASES = {"Human4": "Human4-2"}
TWINS = {"Jogging-1", "Jogging-2", "Skating2-1", "Skating2-2"}
DROPPED_FIRST = {"Tiger1": 5}


def target_sequence(target: Target, rows: Array, frames: Frames, source: Path) -> Sequence:
    """Return the sequence of a target from the rows of its official file.

    Args:
        target: The target.
        rows: (N, 4) ltwh as in the file, 1-based.
        frames: Frames of the range that the benchmark uses.
        source: The file of the rows, for messages.

    Raises:
        DatasetError: If the number of rows is not that of the benchmark.
    """
    dropped = DROPPED_FIRST.get(target.name, 0)
    if len(rows) == len(target) + dropped:
        rows = rows[dropped:]
    if len(rows) != len(target):
        raise DatasetError(
            f"{source}: {target.name} has {len(rows)} rows, expected {len(target)} "
            f"(frames {target.first} to {target.last}); use the official annotation"
        )
    return Sequence(
        target.name,
        frames,
        rows - [1, 1, 0, 0],
        attributes=target.attributes,
        dropped_first=dropped,
    )


def otb_dataset(name: str, version: str, found: Mapping[str, Sequence], partial: bool) -> Dataset:
    """Return the version's data set of the sequences found; incomplete only if `partial`."""
    wanted = targets(version)
    missing = [target.name for target in wanted if target.name not in found]
    if missing and not partial:
        raise DatasetError(
            f"{name}: {len(missing)} of {len(wanted)} sequences are missing: "
            f"{', '.join(missing[:8])}{' ...' if len(missing) > 8 else ''}; complete them, or open "
            "with partial=True (otb:PATH takes whatever is there)"
        )
    sequences = [found[target.name] for target in wanted if target.name in found]
    if not sequences:
        raise DatasetError(
            f"{name}: no sequence found: expected folders with the names of OTB, such as "
            f"{wanted[0].name}; folder:PATH takes sequences of any name"
        )
    return Dataset(name, sequences, origin=1, aliases=ALIASES, missing=missing)


def open_otb(path: Path, *, version: str, partial: bool = False) -> Dataset:
    """Open the sequence folders of an OTB version (`2013`, `50` or `100`) below `path`."""
    folders = {canonical(item.name): item for item in sorted(path.iterdir()) if item.is_dir()}
    found = {}
    for target in targets(version):
        truth = _truth_file(target, folders)
        if truth is not None:
            frames = ImageFrames(_files(target, truth.parent))
            found[target.name] = target_sequence(target, read_rows(truth, (4,)), frames, truth)
    return otb_dataset(f"OTB-{version}", version, found, partial)


@DATASETS.register("otb")
def open_any_otb(path: Path, *, partial: bool = False) -> Dataset:
    """Open whichever targets of OTB-100 lie below `path`, as a data set called OTB."""
    whole = open_otb(path, version="100", partial=True)
    return Dataset("OTB", whole.sequences, origin=1, aliases=ALIASES)


def _truth_file(target: Target, folders: Mapping[str, Path]) -> Path | None:
    """Return the target's file: in a folder of its own, or in the video's under its number.

    A `groundtruth_rect.txt` without number in the folder of a video with two targets could be of
    either, and is of neither.
    """
    video, _, number = target.name.partition("-")
    plain, numbered = "groundtruth_rect.txt", f"groundtruth_rect.{number}.txt"
    places = (
        [(target.name, plain)] if target.name in TWINS else [(target.name, plain), (video, plain)]
    )
    if number:
        places = [(target.name, numbered), (video, numbered), *places]
    for name, file in places:
        folder = folders.get(canonical(name))
        path = None if folder is None else folder / file
        if path is not None and path.is_file() and path.stat().st_size:
            return path
    return None


def _files(target: Target, folder: Path) -> list[Path]:
    """Return the image of each frame by the number in its name, whether it exists or not."""
    images = folder / "img"
    present = {}
    for file in image_files(images.iterdir()) if images.is_dir() else []:
        digits = re.search(r"\d+$", file.stem)
        if digits is not None:
            present[int(digits.group())] = file
    example = next(
        iter(present.values()), Path("00001.jpg" if target.name == "Board" else "0001.jpg")
    )
    digits = re.search(r"\d+$", example.stem)
    width = len(digits.group()) if digits else 4
    prefix = example.stem[: len(example.stem) - width]
    return [
        present.get(number, images / f"{prefix}{number:0{width}d}{example.suffix}")
        for number in range(target.first, target.last + 1)
    ]


def annotated_only(target: Target, rows: Array, source: Path) -> Sequence:
    """Return a target's sequence without frames, for the evaluation of raw results."""
    return target_sequence(target, rows, NoFrames(len(target)), source)


for _version in ("2013", "50", "100"):
    DATASETS.register(f"otb{_version}")(bind(open_otb, version=_version))
