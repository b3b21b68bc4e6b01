"""The videos of TLD, whose targets leave and return: `tld:PATH`.

Paper: Kalal et al., Tracking-Learning-Detection, https://doi.org/10.1109/TPAMI.2011.239
"""

from __future__ import annotations

from pathlib import Path

from siamtrack.core.boxes import ltrb_to_ltwh
from siamtrack.core.files import read_rows
from siamtrack.core.images import image_files
from siamtrack.data.frames import Frames, ImageFrames, VideoFrames
from siamtrack.data.open import DATASETS
from siamtrack.data.sequence import Dataset, Sequence
from siamtrack.errors import DatasetError

_VIDEOS = (".mpg", ".avi", ".mp4")


@DATASETS.register("tld")
def open_tld(path: Path, *, partial: bool = False) -> Dataset:
    """Open a folder of TLD sequences; each has `gt.txt` beside a video file or images.

    Rows of `gt.txt` are left, top, right, bottom (0-based edges), NaN where the target is absent.

    Raises:
        DatasetError: If no sequence is there, or one has no frames or another number of them.
    """
    sequences = []
    for folder in sorted(item for item in path.iterdir() if (item / "gt.txt").is_file()):
        boxes = ltrb_to_ltwh(read_rows(folder / "gt.txt", (4,)))
        sequences.append(Sequence(folder.name, _frames(folder, len(boxes)), boxes))
    if not sequences:
        raise DatasetError(f"{path}: no folder with gt.txt in it; give the folder of the sequences")
    return Dataset("TLD", sequences)


def _frames(folder: Path, count: int) -> Frames:
    for suffix in _VIDEOS:
        for video in sorted(folder.glob(f"*{suffix}")):
            return VideoFrames(video, count)
    files = image_files(folder.iterdir())
    if not files:
        raise DatasetError(f"{folder}: neither a video ({', '.join(_VIDEOS)}) nor images")
    return ImageFrames(files)
