"""OTB-2013, OTB-50 and OTB-100: `otb2013:PATH`, `otb50:PATH`, `otb100:PATH`, and their annotations.

`NAME/img/0001.jpg` and `NAME/groundtruth_rect*.txt` with 1-based boxes, in the official layout with
every special case: Tiger1's file has five rows before its first frame; Jogging and Skating2 have
two targets; the target of Human4 is in `groundtruth_rect.2.txt`. Upper and lower case and the usual
spellings (Jogging, Jogging-1, Jogging.1, jogging_1) do not matter. `otb:PATH` takes whatever is
there. `otb100-annotations:PATH` and so on need no images: enough to evaluate raw results.
Wu et al., "Object Tracking Benchmark", 2015, https://doi.org/10.1109/TPAMI.2014.2388226.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial as bind
from pathlib import Path

import numpy as np

from siamtrack.core.boxes import Array
from siamtrack.core.config import parse_json
from siamtrack.core.files import read_rows, text_of
from siamtrack.core.images import image_files
from siamtrack.data.layout import complete
from siamtrack.data.sequence import Dataset, Frames, ImageFrames, NoFrames, Sequence, canonical
from siamtrack.data.sources import DATASETS
from siamtrack.errors import DatasetError

VERSIONS = ("2013", "50", "100")
ATTRIBUTES = ("IV", "SV", "OCC", "DEF", "MB", "FM", "IPR", "OPR", "OV", "BC", "LR")
"""IV illumination variation, SV scale variation, OCC occlusion, DEF deformation, MB motion blur, FM
fast motion, IPR and OPR in-plane and out-of-plane rotation, OV out of view, BC background clutter,
LR low resolution: those of the 2015 paper's data."""
ALIASES = {"Human4": "Human4-2"}
TWINS = {"Jogging-1", "Jogging-2", "Skating2-1", "Skating2-2"}
DROPPED_FIRST = {"Tiger1": 5}


@dataclass(frozen=True)
class OtbTarget:
    """One target of OTB-100: numbers of its first and last image, its versions and challenges.

    Example:
        >>> david = next(target for target in TARGETS if target.name == "David")
        >>> david.first, david.last, len(david)
        (300, 770, 471)
    """

    name: str
    first: int
    last: int
    versions: tuple[str, ...]
    attributes: tuple[str, ...]

    def __len__(self) -> int:
        return self.last - self.first + 1


def targets(version: str) -> tuple[OtbTarget, ...]:
    """Return the targets of OTB `2013` (51), `50` (50) or `100` (100).

    Example:
        >>> [len(targets(version)) for version in ("2013", "50", "100")]
        [51, 50, 100]
    """
    return tuple(t for t in TARGETS if version == "100" or version in t.versions)


def target_sequence(target: OtbTarget, rows: Array, frames: Frames, source: Path) -> Sequence:
    """Return the sequence of a target from the rows (N, 4) of its official file `source`, 1-based.

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
    wanted = [target.name for target in targets(version)]
    if partial and not found:
        raise DatasetError(
            f"{name}: no sequence found: expected folders with the names of OTB, such as "
            f"{wanted[0]}; folder:PATH takes sequences of any name"
        )
    advice = " (otb:PATH takes whatever is there)"
    return complete(
        name, found.values(), wanted, partial=partial, advice=advice, origin=1, aliases=ALIASES
    )


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


def _truth_file(target: OtbTarget, folders: Mapping[str, Path]) -> Path | None:
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


def _files(target: OtbTarget, folder: Path) -> list[Path]:
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


def open_otb_annotations(path: Path, *, version: str, partial: bool = False) -> Dataset:
    """Open the boxes of OTB `2013`, `50` or `100`, which are 1-based in the files.

    `path` is a JSON file that maps names to objects with `gt_rect` (the files that go round with
    tracker repositories), or a folder with one `NAME.txt` per target.

    Raises:
        DatasetError: If sequences are missing or have the wrong number of rows.
    """
    rows = _from_json(path) if path.is_file() else _from_folder(path)
    rows = {canonical(ALIASES.get(name, name)): boxes for name, boxes in rows.items()}
    found = {
        target.name: target_sequence(
            target, rows[canonical(target.name)], NoFrames(len(target)), path
        )
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
    except (AttributeError, KeyError, OSError, OverflowError, TypeError, ValueError) as reason:
        raise DatasetError(
            f"{path}: expected a JSON object that maps names to objects with 'gt_rect' ({reason!r})"
        ) from reason
    for name, array in boxes.items():
        if array.ndim != 2 or array.shape[1] != 4:
            raise DatasetError(
                f"{path}: gt_rect of {name} has shape {array.shape}, expected (N, 4)"
            )
    return boxes


def _parse(table: str) -> tuple[OtbTarget, ...]:
    rows = [line.split() for line in table.strip().splitlines()]
    return tuple(
        OtbTarget(
            name, int(first), int(last), tuple(versions.split(",")), tuple(attributes.split(","))
        )
        for name, first, last, versions, attributes in rows
    )


TARGETS = _parse(
    """
Basketball 1 725 2013,50 IV,OCC,DEF,OPR,BC
Biker 1 142 50 SV,OCC,MB,FM,OPR,OV,LR
Bird1 1 408 50 DEF,FM,OV
Bird2 1 99 - OCC,DEF,FM,IPR,OPR
BlurBody 1 334 50 SV,DEF,MB,FM,IPR
BlurCar1 247 988 - MB,FM
BlurCar2 1 585 50 SV,MB,FM
BlurCar3 3 359 - MB,FM
BlurCar4 18 397 - MB,FM
BlurFace 1 493 50 MB,FM,IPR
BlurOwl 1 631 50 SV,MB,FM,IPR
Board 1 698 - SV,MB,FM,OPR,OV,BC
Bolt 1 350 2013,50 OCC,DEF,IPR,OPR
Bolt2 1 293 - DEF,BC
Box 1 1161 50 IV,SV,OCC,MB,IPR,OPR,OV,BC
Boy 1 602 2013 SV,MB,FM,IPR,OPR
Car1 1 1020 50 IV,SV,BC,LR
Car2 1 913 - IV,BC
Car24 1 3059 - IV,SV,BC
Car4 1 659 2013,50 IV,SV
CarDark 1 393 2013,50 IV,BC
CarScale 1 252 2013,50 SV,OCC,FM,IPR,OPR
ClifBar 1 472 50 SV,OCC,MB,FM,IPR,OV,BC
Coke 1 291 2013 IV,OCC,FM,IPR,OPR
Couple 1 140 2013,50 SV,DEF,FM,OPR,BC
Coupon 1 327 - OCC,BC
Crossing 1 120 2013 SV,DEF,BC
Crowds 1 347 50 IV,DEF,BC
Dancer 1 225 - SV,DEF,IPR,OPR
Dancer2 1 150 - DEF
David 300 770 2013,50 IV,SV,OCC,DEF,MB,IPR,OPR
David2 1 537 2013 IPR,OPR
David3 1 252 2013 OCC,DEF,OPR,BC
Deer 1 71 2013,50 MB,FM,IPR,BC
Diving 1 215 50 SV,DEF,IPR
Dog 1 127 - SV,DEF,OPR
Dog1 1 1350 2013 SV,IPR,OPR
Doll 1 3872 2013 IV,SV,OCC,IPR,OPR
DragonBaby 1 113 50 SV,OCC,MB,FM,IPR,OPR,OV
Dudek 1 1145 2013,50 SV,OCC,DEF,FM,IPR,OPR,OV,BC
FaceOcc1 1 892 2013 OCC
FaceOcc2 1 812 2013 IV,OCC,IPR,OPR
Fish 1 476 2013 IV
FleetFace 1 707 2013 SV,DEF,MB,FM,IPR,OPR
Football 1 362 2013,50 OCC,IPR,OPR,BC
Football1 1 74 2013 IPR,OPR,BC
Freeman1 1 326 2013 SV,IPR,OPR
Freeman3 1 460 2013 SV,IPR,OPR,LR
Freeman4 1 283 2013,50 SV,OCC,IPR,OPR,LR
Girl 1 500 2013,50 SV,OCC,IPR,OPR
Girl2 1 1500 - SV,OCC,DEF,MB,OPR
Gym 1 767 - SV,DEF,IPR,OPR
Human2 1 1128 - IV,SV,MB,OPR
Human3 1 1698 50 SV,OCC,DEF,OPR,BC
Human4-2 1 667 50 IV,SV,OCC,DEF
Human5 1 713 - SV,OCC,DEF
Human6 1 792 50 SV,OCC,DEF,FM,OPR,OV
Human7 1 250 - IV,SV,OCC,DEF,MB,FM
Human8 1 128 - IV,SV,DEF
Human9 1 305 50 IV,SV,DEF,MB,FM
Ironman 1 166 2013,50 IV,SV,OCC,MB,FM,IPR,OPR,OV,BC
Jogging-1 1 307 2013 OCC,DEF,OPR
Jogging-2 1 307 2013 OCC,DEF,OPR
Jump 1 122 50 SV,OCC,DEF,MB,IPR,OPR
Jumping 1 313 2013,50 MB,FM
KiteSurf 1 84 - IV,OCC,IPR,OPR
Lemming 1 1336 2013 IV,SV,OCC,FM,OPR,OV
Liquor 1 1741 2013,50 IV,SV,OCC,MB,FM,OPR,OV,BC
Man 1 134 - IV
Matrix 1 100 2013,50 IV,SV,OCC,FM,IPR,OPR,BC
Mhyang 1 1490 2013 IV,DEF,OPR,BC
MotorRolling 1 164 2013,50 IV,SV,MB,FM,IPR,BC
MountainBike 1 228 2013 IPR,OPR,BC
Panda 1 1000 50 SV,OCC,DEF,IPR,OPR,OV,LR
RedTeam 1 1918 50 SV,OCC,IPR,OPR,LR
Rubik 1 1997 - SV,OCC,IPR,OPR
Shaking 1 365 2013,50 IV,SV,IPR,OPR,BC
Singer1 1 351 2013 IV,SV,OCC,OPR
Singer2 1 366 2013,50 IV,DEF,IPR,OPR,BC
Skater 1 160 - SV,DEF,IPR,OPR
Skater2 1 435 - SV,DEF,FM,IPR,OPR
Skating1 1 400 2013,50 IV,SV,OCC,DEF,OPR,BC
Skating2-1 1 473 50 SV,OCC,DEF,FM,OPR
Skating2-2 1 473 50 SV,OCC,DEF,FM,OPR
Skiing 1 81 2013,50 IV,SV,DEF,IPR,OPR,LR
Soccer 1 392 2013,50 IV,SV,OCC,MB,FM,IPR,OPR,BC
Subway 1 175 2013 OCC,DEF,BC
Surfer 1 376 50 SV,FM,IPR,OPR,LR
Suv 1 945 2013 OCC,IPR,OV
Sylvester 1 1345 2013,50 IV,IPR,OPR
Tiger1 6 354 2013 IV,OCC,DEF,MB,FM,IPR,OPR
Tiger2 1 365 2013,50 IV,OCC,DEF,MB,FM,IPR,OPR,OV
Toy 1 271 - SV,FM,IPR,OPR
Trans 1 124 - IV,SV,OCC,DEF
Trellis 1 569 2013,50 IV,SV,IPR,OPR,BC
Twinnings 1 472 - SV,OPR
Vase 1 271 - SV,FM,IPR
Walking 1 412 2013,50 SV,OCC,DEF,LR
Walking2 1 500 2013,50 SV,OCC
Woman 1 597 2013,50 IV,SV,OCC,DEF,MB,FM,OPR
"""
)

for _version in VERSIONS:
    DATASETS.register(f"otb{_version}")(bind(open_otb, version=_version))
    DATASETS.register(f"otb{_version}-annotations")(bind(open_otb_annotations, version=_version))
