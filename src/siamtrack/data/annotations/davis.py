"""DAVIS 2016 and 2017, train part, boxes from masks: `davis:PATH`.

    PATH/ImageSets/2017/train.txt           names of videos; or ImageSets/2016/train.txt, or
                                            ImageSets/480p/train.txt with an image and a mask a line
    PATH/JPEGImages/480p/bear/00000.jpg     or Full-Resolution
    PATH/Annotations/480p/bear/00000.png    2017: object numbers; 2016: 0 and 255

The `val` videos are never read: they are for evaluation. Masks are decoded while reading, in as
many threads as there are processors. Perazzi et al., "A Benchmark Dataset and Evaluation
Methodology for Video Object Segmentation", 2016; Pont-Tuset et al., "The 2017 DAVIS Challenge",
https://arxiv.org/abs/1704.00675.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from siamtrack.core.files import text_of
from siamtrack.data.annotations.base import TRAINING
from siamtrack.data.annotations.findings import Findings
from siamtrack.data.annotations.masks import mask_entries
from siamtrack.data.annotations.rows import folders
from siamtrack.data.manifest import Entry
from siamtrack.errors import DatasetError


@TRAINING.register("davis")
def read_davis(path: Path, found: Findings) -> Iterator[Entry]:
    """Yield the objects of the training videos of DAVIS.

    Args:
        path: Folder with `ImageSets`, `JPEGImages` and `Annotations`.
        found: Where what is left out is added.

    Raises:
        DatasetError: If the list of training videos, the images or the masks are not there.
    """
    names = _names(path)
    part = next(
        (
            part
            for part in ("480p", "Full-Resolution", "1080p")
            if (path / "JPEGImages" / part).is_dir() and (path / "Annotations" / part).is_dir()
        ),
        None,
    )
    if part is None:
        raise DatasetError(
            f"{path}: expected JPEGImages/480p and Annotations/480p (or Full-Resolution) of DAVIS"
        )
    here = {folder.name for folder in folders(path / "Annotations" / part)}
    with ThreadPoolExecutor() as workers:
        for name in names:
            if name not in here:
                found.add("missing", f"{path / 'Annotations' / part}/{name}")
                continue
            masks = sorted((path / "Annotations" / part / name).glob("*.png"))
            images = str(path / "JPEGImages" / part / name)
            yield from mask_entries(
                masks, images, found, video=name, source="davis", labels={}, workers=workers
            )


def _names(path: Path) -> list[str]:
    for year in ("2017", "2016", "480p"):
        file = path / "ImageSets" / year / "train.txt"
        if file.is_file():
            lines = text_of(file).split("\n")
            firsts = [line.split()[0] for line in lines if line.strip()]
            # 2016 lists images, /JPEGImages/480p/bear/00000.jpg, of which the folder is the video
            return sorted({Path(each).parent.name if "/" in each else each for each in firsts})
    raise DatasetError(
        f"{path / 'ImageSets' / '2017' / 'train.txt'}: not there; expected the list of training "
        "videos of DAVIS here, because its val videos are not for training"
    )
