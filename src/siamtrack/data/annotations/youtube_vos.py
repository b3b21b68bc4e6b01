"""YouTube-VOS 2018 and 2019, train part, boxes from masks: `youtube-vos:PATH`.

    PATH/train/meta.json                                videos/ID/objects/NUMBER/category
    PATH/train/JPEGImages/003234408d/00000.jpg ...
    PATH/train/Annotations/003234408d/00000.png ...     object numbers, every fifth frame

PATH may also be the `train` folder itself. Masks are decoded while reading, in as many threads as
there are processors. Xu et al., "YouTube-VOS", 2018, https://arxiv.org/abs/1809.03327.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from siamtrack.core.files import bytes_of
from siamtrack.data.annotations.base import TRAINING
from siamtrack.data.annotations.findings import Findings
from siamtrack.data.annotations.masks import mask_entries
from siamtrack.data.annotations.rows import folders, need
from siamtrack.data.manifest import Entry
from siamtrack.errors import DatasetError


@TRAINING.register("youtube-vos")
def read_youtube_vos(path: Path, found: Findings) -> Iterator[Entry]:
    """Yield the objects of the training videos of YouTube-VOS.

    Args:
        path: Folder with `train`, or `train` itself.
        found: Where what is left out is added.

    Raises:
        DatasetError: If the images or masks are not there, or `meta.json` has another form.
    """
    train = path / "train" if (path / "train").is_dir() else path
    images = need(train / "JPEGImages", "YouTube-VOS", "a folder for each video")
    masks = need(train / "Annotations", "YouTube-VOS", "a folder of masks for each video")
    meta = _meta(train / "meta.json")
    here = {folder.name for folder in folders(masks)}
    for video in sorted(meta.keys() - here):
        found.add("missing", str(masks / video))
    with ThreadPoolExecutor() as workers:
        for video in sorted(here):
            yield from mask_entries(
                sorted((masks / video).glob("*.png")), str(images / video), found, video=video,
                source="youtube-vos", labels=meta.get(video, {}), workers=workers,
            )  # fmt: skip


def _meta(path: Path) -> dict[str, dict[int, str]]:
    """Return the class of each object of each video; without the file, nothing."""
    if not path.is_file():
        return {}
    try:
        content: dict[str, Any] = json.loads(bytes_of(path))
        return {
            video: {int(k): str(v.get("category", "")) for k, v in each["objects"].items()}
            for video, each in content["videos"].items()
        }
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise DatasetError(
            f"{path}: expected videos/ID/objects/NUMBER/category as in YouTube-VOS ({error!r})"
        ) from error
