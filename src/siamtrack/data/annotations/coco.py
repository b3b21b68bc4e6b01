"""COCO detection, `train2017` or `train2014`: `coco:PATH`.

    PATH/annotations/instances_train2017.json
    PATH/train2017/000000000009.jpg ...         or PATH/images/train2017/...

PATH may also be a JSON file of that form; its images are then looked for beside it, or in `images`
beside it. Boxes are left, top, width, height from 0; crowds are left out. Each object is a track of
its own. Lin et al., "Microsoft COCO", 2014, https://arxiv.org/abs/1405.0312.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from siamtrack.core.files import bytes_of
from siamtrack.data.annotations.base import TRAINING
from siamtrack.data.annotations.entries import still_entry
from siamtrack.data.annotations.findings import Findings
from siamtrack.data.manifest import Entry
from siamtrack.errors import DatasetError


@TRAINING.register("coco")
def read_coco(path: Path, found: Findings) -> Iterator[Entry]:
    """Yield the objects of the training images of COCO.

    Args:
        path: Folder with `annotations` and the images, or a JSON file.
        found: Where what is left out is added.

    Raises:
        DatasetError: If the JSON file or the images are not there, or it has another form.
    """
    file, images = _place(path)
    content = read_coco_json(file)
    labels = {each["id"]: str(each["name"]) for each in content.get("categories", [])}
    pictures = {each["id"]: each for each in content["images"]}
    for note in content["annotations"]:
        if note.get("iscrowd"):
            continue
        try:
            picture = pictures[note["image_id"]]
            name, box = picture["file_name"], note["bbox"]
            size = (picture["width"], picture["height"]) if "width" in picture else None
            left, top, width, height = (float(value) for value in box)
        except (KeyError, OverflowError, TypeError, ValueError) as error:
            found.add("unreadable", f"{file}: annotation {note.get('id')} ({error!r})")
            continue
        yield from still_entry(
            (left, top, width, height), f"{images}/{name}", found, track=str(note["id"]),
            label=labels.get(note.get("category_id"), ""), source="coco", size=size,
        )  # fmt: skip


def _place(path: Path) -> tuple[Path, Path]:
    """Return the JSON file and the folder of its images."""
    if path.is_file():
        beside = path.parent / "images"
        return path, beside if beside.is_dir() else path.parent
    for part in ("train2017", "train2014"):
        file = path / "annotations" / f"instances_{part}.json"
        if file.is_file():
            for images in (path / part, path / "images" / part):
                if images.is_dir():
                    return file, images
            raise DatasetError(f"{path / part}: not there; expected the images of {file.name} here")
    raise DatasetError(
        f"{path / 'annotations' / 'instances_train2017.json'}: not there; expected COCO's "
        "annotations/instances_train2017.json and train2017/*.jpg below coco:PATH"
    )


def read_coco_json(file: Path) -> dict[str, Any]:
    """Return the content of a COCO file.

    Raises:
        DatasetError: If it is no JSON object with lists under `images` and `annotations`, or under
            `videos` and `annotations`.
    """
    try:
        content = json.loads(bytes_of(file))
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(f"{file}: cannot be read as JSON ({error})") from error
    lists = [
        key
        for key in ("images", "videos", "annotations")
        if isinstance(content, dict) and isinstance(content.get(key), list)
    ]
    if "annotations" not in lists or len(lists) < 2:
        raise DatasetError(
            f"{file}: expected a JSON object with lists 'annotations' and 'images' (or 'videos'), "
            "as COCO has them"
        )
    return content  # type: ignore[no-any-return]
