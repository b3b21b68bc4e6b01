"""Layouts of a few lines: DTB70, NfS, Temple Color 128, TLD, UAV123, and any folder of frames.

- `dtb70:PATH`, drones: `NAME/img/00001.jpg` and `NAME/groundtruth_rect.txt` (1-based). Li and
  Yeung, https://doi.org/10.1609/aaai.v31i1.11205
- `tcolor128:PATH`: `NAME/img/0001.jpg`, `NAME/NAME_gt.txt` (1-based) and `NAME/NAME_frames.txt`
  with the first and the last frame. Liang et al., https://doi.org/10.1109/TIP.2015.2482905
- `nfs30:PATH`, `nfs240:PATH`: `NAME/30/NAME/00001.jpg` with `NAME/30/NAME.txt`, and so below `240`.
  A row is track, left, top, right, bottom, frame, lost, occluded, generated, label: what VATIC, the
  annotation tool, writes. The base is not stated; we take 0, as VATIC draws boxes without an
  offset. Galoogahi et al., https://arxiv.org/abs/1703.05884
- `tld:PATH`, targets that leave and return: `gt.txt` with left, top, right, bottom (0-based edges)
  beside a video file or images. Kalal et al., https://doi.org/10.1109/TPAMI.2011.239
- `uav123:PATH`, `uav20l:PATH`, and `uav123-annotations:PATH` without images:
  `data_seq/UAV123/bike1/000001.jpg` and `anno/UAV123/bike1.txt` (1-based, NaN where the target is
  absent). Several sequences are parts of one video, from the frames in `FIRST`; the last frame
  follows from the number of rows. Mueller et al., https://doi.org/10.1007/978-3-319-46448-0_27
- `folder:PATH`: your own frames with boxes beside them
"""

from __future__ import annotations

import re
from functools import partial as bind
from pathlib import Path

import numpy as np

from siamtrack.core.boxes import Array, ltrb_to_ltwh, polygons_to_ltwh
from siamtrack.core.files import read_rows, read_text
from siamtrack.core.images import image_files
from siamtrack.data.layout import complete, frames_beside, hidden, numbered_frames
from siamtrack.data.sequence import Dataset, Frames, ImageFrames, NoFrames, Sequence, VideoFrames
from siamtrack.data.sources import DATASETS
from siamtrack.errors import DatasetError

_VIDEOS = (".mpg", ".avi", ".mp4")
_TRUTH = re.compile(r"(groundtruth_rect|groundtruth|boxes)([._-]\w+)?\.txt")


@DATASETS.register("dtb70")
def open_dtb70(path: Path, *, partial: bool = False) -> Dataset:
    """Open the sequences of DTB70 below `path`."""
    files = sorted(path.glob("*/groundtruth_rect.txt"))
    if not files:
        raise DatasetError(
            f"{path}: no folder with groundtruth_rect.txt in it; give the folder of sequences"
        )
    names = [file.parent.name for file in files]
    return complete("DTB70", map(_dtb70_sequence, files), names, partial=partial, origin=1)


def _dtb70_sequence(file: Path) -> Sequence:
    boxes = read_rows(file, (4,)) - [1, 1, 0, 0]
    frames = frames_beside(file.parent / "img", len(boxes), file)
    return Sequence(file.parent.name, frames, boxes)


@DATASETS.register("tcolor128")
def open_tcolor128(path: Path, *, partial: bool = False) -> Dataset:
    """Open the sequences of Temple Color 128 below `path`."""
    files = sorted(path.glob("*/*_gt.txt"))
    if not files:
        raise DatasetError(f"{path}: no NAME/NAME_gt.txt in it; give the folder of TColor-128")
    names = [file.parent.name for file in files]
    return complete("TColor-128", map(_tcolor128_sequence, files), names, partial=partial, origin=1)


def _tcolor128_sequence(file: Path) -> Sequence:
    boxes = read_rows(file, (4,)) - [1, 1, 0, 0]
    span = file.with_name(file.name.replace("_gt.txt", "_frames.txt"))
    row = read_rows(span, (2,))[0]
    if not np.isfinite(row).all():
        raise DatasetError(f"{span}: expected the numbers of the first and the last frame")
    first, last = (int(value) for value in row)
    if last - first + 1 != len(boxes):
        raise DatasetError(f"{file}: {len(boxes)} rows, but {span} says {first} to {last}")
    frames = numbered_frames(file.parent / "img", first, last, 4)
    return Sequence(file.parent.name, frames, boxes)


def open_nfs(path: Path, *, rate: int, partial: bool = False) -> Dataset:
    """Open the sequences of Need for Speed at 30 or 240 frames per second.

    Some files at 30 frames per second have all 240 rows: every eighth is taken. One row or frame
    too many at the end, as these data have it, is dropped.
    """
    files = sorted(path.glob(f"*/{rate}/*.txt"))
    if not files:
        raise DatasetError(f"{path}: no NAME/{rate}/NAME.txt in it; give the folder of NfS")
    names = [file.stem for file in files]
    return complete(f"NfS {rate}", map(_nfs_sequence, files), names, partial=partial)


def _nfs_sequence(file: Path) -> Sequence:
    folder = file.with_suffix("")
    images = image_files(folder.iterdir()) if folder.is_dir() else []
    boxes, lost = _vatic_rows(file)
    if images and abs(len(boxes) / len(images) - 8) < 1:
        boxes, lost = boxes[::8], lost[::8]
    if abs(len(boxes) - len(images)) > 1:
        raise DatasetError(f"{file}: {len(boxes)} rows for {len(images)} frames in {folder}")
    count = min(len(boxes), len(images))
    boxes = hidden(boxes, lost != 0)
    return Sequence(file.stem, ImageFrames(images[:count]), boxes[:count])


def _vatic_rows(file: Path) -> tuple[Array, Array]:
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


@DATASETS.register("tld")
def open_tld(path: Path, *, partial: bool = False) -> Dataset:
    """Open a folder of TLD sequences; each has `gt.txt` beside a video file or images.

    Rows of `gt.txt` are left, top, right, bottom (0-based edges), NaN where the target is absent.
    """
    sequences = []
    for folder in sorted(item for item in path.iterdir() if (item / "gt.txt").is_file()):
        boxes = ltrb_to_ltwh(read_rows(folder / "gt.txt", (4,)))
        sequences.append(Sequence(folder.name, _tld_frames(folder, len(boxes)), boxes))
    if not sequences:
        raise DatasetError(f"{path}: no folder with gt.txt in it; give the folder of the sequences")
    return Dataset("TLD", sequences)


def _tld_frames(folder: Path, count: int) -> Frames:
    for suffix in _VIDEOS:
        for video in sorted(folder.glob(f"*{suffix}")):
            return VideoFrames(video, count)
    files = image_files(folder.iterdir())
    if not files:
        raise DatasetError(f"{folder}: neither a video ({', '.join(_VIDEOS)}) nor images")
    return ImageFrames(files)


@DATASETS.register("folder")
def open_folder(path: Path, *, partial: bool = False) -> Dataset:
    """Open a folder with frames and boxes, or a folder of such folders.

    Frames lie in the folder itself or below it in `img`, `imgs` or `frames`. Boxes are rows of
    left, top, width, height, or polygons of eight numbers: 1-based pixels in `groundtruth_rect.txt`
    or `groundtruth.txt` (the habit of OTB and LaSOT), 0-based in `boxes.txt`. With
    several targets the files are called `groundtruth_rect.1.txt` and so on. Frames after the last
    row are not annotated.
    """
    folders = [path, *sorted(item for item in path.iterdir() if item.is_dir())]
    sequences = [sequence for folder in folders for sequence in _targets(folder)]
    if not sequences:
        raise DatasetError(
            f"{path}: neither it nor a folder in it has groundtruth_rect.txt, groundtruth.txt or "
            "boxes.txt beside its frames"
        )
    return Dataset(path.resolve().name, sequences)


def _targets(folder: Path) -> list[Sequence]:
    sequences = []
    for file in sorted(folder.iterdir()):
        match = _TRUTH.fullmatch(file.name)
        if match is None or not read_text(file).strip():
            continue
        rows = read_rows(file, (4, 8))
        boxes = polygons_to_ltwh(rows) if rows.shape[1] == 8 else rows
        boxes[:, :2] -= match[1] != "boxes"
        name = folder.resolve().name + (match[2] or "").replace(".", "-").replace("_", "-")
        files = _frames_beside(folder)
        if len(boxes) > len(files):
            raise DatasetError(
                f"{file}: {len(boxes)} rows, but {len(files)} frames beside it; "
                "remove the extra rows or add the frames"
            )
        unknown = np.full((len(files) - len(boxes), 4), np.nan)
        sequences.append(Sequence(name, ImageFrames(files), np.concatenate([boxes, unknown])))
    return sequences


def _frames_beside(folder: Path) -> list[Path]:
    for place in (folder / "img", folder / "imgs", folder / "frames", folder):
        if place.is_dir() and (files := image_files(place.iterdir())):
            return files
    raise DatasetError(f"{folder}: has boxes but no frames; put images into {folder / 'img'}")


for _rate in (30, 240):
    DATASETS.register(f"nfs{_rate}")(bind(open_nfs, rate=_rate))


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
