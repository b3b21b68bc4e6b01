"""UAV123 and UAV20L: `uav123:PATH`, `uav20l:PATH`; `uav123-annotations:PATH` without images.

Paper: Mueller et al., https://doi.org/10.1007/978-3-319-46448-0_27. `data_seq/UAV123/bike1/
000001.jpg` and `anno/UAV123/bike1.txt` (1-based, NaN where the target is absent). Several sequences
are parts of one video, from the frames in `FIRST`; the last frame follows from the number of rows.
"""

from __future__ import annotations

import re
from functools import partial as bind
from pathlib import Path

from siamtrack.core.files import read_rows
from siamtrack.data.layout import complete, numbered_frames
from siamtrack.data.sequence import Dataset, Frames, NoFrames, Sequence
from siamtrack.data.sources import DATASETS
from siamtrack.errors import DatasetError

_LONG = """
bike1 bird1 car1 car3 car6 car8 car9 car16 group1 group2 group3 person2 person4 person5 person7
person14 person17 person19 person20 uav1
"""
UAV20L = _LONG.split()
_PARTS = """
bird1 1 775 1573; car1 1 751 1627; car6 1 487 1807 2953 3925; car8 1 1357; car16 1 415;
group1 1 1333 2515 3925; group2 1 907 1771; group3 1 1567 2827 4369; person2 1 1189;
person4 1 1501; person5 1 877; person7 1 1249; person8 1 1075; person12 1 601;
person14 1 847 1813; person17 1 1501; person19 1 1243 2791; truck4 1 577; uav1 1 1555 2473
"""
_WHOLE = """
bike 1-3; boat 1-9; building 1-5; car 2-5 7 9-15 17 18; person 1 3 6 9-11 13 15 16 18 20-23;
truck 1-3; uav 2-8; wakeboard 1-10
"""
SIMULATED = ("car1_s", "car2_s", "car3_s", "car4_s", "person1_s", "person2_s", "person3_s")


def _first_frames() -> dict[str, int]:
    """Return the first frame of each of the 123 sequences."""
    first = dict.fromkeys(SIMULATED, 1)
    for entry in _PARTS.replace("\n", " ").split(";"):
        video, *starts = entry.split()
        first.update({f"{video}_{k}": int(start) for k, start in enumerate(starts, start=1)})
    for entry in _WHOLE.replace("\n", " ").split(";"):
        video, *spans = entry.split()
        for span in spans:
            low, _, high = span.partition("-")
            first.update({f"{video}{k}": 1 for k in range(int(low), int(high or low) + 1)})
    return dict(sorted(first.items()))


FIRST = _first_frames()


def open_uav(path: Path, *, version: str, images: bool = True, partial: bool = False) -> Dataset:
    """Open `UAV123` or `UAV20L` from the folder that holds `anno` and `data_seq`.

    Without `images`, it is the folder of the text files.
    """
    first = FIRST if version == "UAV123" else dict.fromkeys(UAV20L, 1)
    folder = path / "anno" / version if images else path
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder; give the one that holds anno and data_seq")
    found = []
    for name, start in first.items():
        file = folder / f"{name}.txt"
        if file.is_file():
            boxes = read_rows(file, (4,)) - [1, 1, 0, 0]
            place = path / "data_seq" / "UAV123" / _video(name)
            last = start + len(boxes) - 1
            frames: Frames = numbered_frames(place, start, last, 6)
            found.append(Sequence(name, frames if images else NoFrames(len(boxes)), boxes))
    aliases = {f"uav_{name}": name for name in first}  # as raw results of others are called
    return complete(version, found, first, partial=partial, origin=1, aliases=aliases)


def _video(name: str) -> str:
    """Return the folder of a sequence's frames.

    Example:
        >>> _video("car1_2"), _video("car1_s"), _video("uav1")
        ('car1', 'car1_s', 'uav1')
    """
    return re.sub(r"_\d+$", "", name)


for _version in ("UAV123", "UAV20L"):
    DATASETS.register(_version.lower())(bind(open_uav, version=_version))
    DATASETS.register(f"{_version.lower()}-annotations")(
        bind(open_uav, version=_version, images=False)
    )
