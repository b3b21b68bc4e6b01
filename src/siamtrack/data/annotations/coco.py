"""COCO JSON: of images, `coco:PATH`, and of videos, `coco-video:PATH`.

Images, `train2017` or `train2014`:

    PATH/annotations/instances_train2017.json
    PATH/train2017/000000000009.jpg ...         or PATH/images/train2017/...

PATH may also be a JSON file of that form; its images are then looked for beside it, or in `images`
beside it. Each object is a track of its own.
Lin et al., "Microsoft COCO", 2014, https://arxiv.org/abs/1405.0312.

Videos, as CocoVID, TAO and YouTube-VIS have them:

    PATH                        the JSON file
    PATH/../images/...          `file_name` of the images, here or beside the JSON file

CocoVID and TAO: `images` with `video_id` and `frame_id` (or `frame_index`), `annotations` with
`image_id`, `bbox` and `instance_id` (or `track_id`). YouTube-VIS: `videos` with `file_names`,
`annotations` with `video_id` and one box or null for each frame in `bboxes`. Annotations without a
track are stills.

Boxes are left, top, width, height from 0; crowds are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from siamtrack.core.files import bytes_of
from siamtrack.data.annotations.user_formats import Pictures, user_format, user_name
from siamtrack.data.layout import Entries, Size
from siamtrack.data.manifest import Entry
from siamtrack.data.sources import TRAINING, Findings
from siamtrack.errors import DatasetError

Item = tuple[int, str, list[float], Size | None]
DAMAGED = (KeyError, OverflowError, TypeError, ValueError)


@TRAINING.register("coco")
def read_coco(path: Path, found: Findings) -> Iterator[Entry]:
    """Yield the objects of the training images of COCO."""
    file, images = _place(path)
    content = read_coco_json(file)
    labels = {each["id"]: str(each["name"]) for each in content.get("categories", [])}
    pictures = {each["id"]: each for each in content["images"]}
    entries = Entries("coco", found)
    for note in content["annotations"]:
        if note.get("iscrowd"):
            continue
        try:
            picture = pictures[note["image_id"]]
            name, box = picture["file_name"], note["bbox"]
            size = (picture["width"], picture["height"]) if "width" in picture else None
            left, top, width, height = (float(value) for value in box)
        except DAMAGED as error:
            found.add("unreadable", f"{file}: annotation {note.get('id')} ({error!r})")
            continue
        label = labels.get(note.get("category_id"), "")
        box = left, top, width, height
        yield from entries.still(str(note["id"]), box, f"{images}/{name}", label, size)


@user_format("coco-video")
def read_coco_video(path: Path, found: Findings, images: Pictures | None = None) -> Iterator[Entry]:
    """Yield the objects of a COCO file with videos."""
    if not path.is_file():
        raise DatasetError(f"{path}: expected a COCO JSON file; give coco-video:FILE.json")
    content = read_coco_json(path)
    pictures = images or Pictures.beside(path.parent)
    labels = {each["id"]: str(each["name"]) for each in content.get("categories", [])}
    entries = Entries(user_name(path), found)
    frames = {each["id"]: each for each in content.get("images", [])}
    videos = {each["id"]: each for each in content.get("videos", [])}
    tracks: dict[str, list[Item]] = {}
    kinds: dict[str, str] = {}
    for note in content["annotations"]:
        if note.get("iscrowd"):
            continue
        label = labels.get(note.get("category_id"), "")
        try:
            if "bboxes" in note:
                track, items = _of_video(note, videos, pictures, found)
            else:
                track, items = _of_image(note, frames, pictures, found)
        except DAMAGED as error:
            found.add("unreadable", f"{path}: annotation {note.get('id')} ({error!r})")
            continue
        if track is None:
            for _, image, box, size in items:
                yield from entries.still(f"still/{note.get('id')}", box, image, label, size)
        else:
            tracks.setdefault(track, []).extend(items)
            kinds[track] = label
    for name, items in tracks.items():
        if not items:
            found.add("empty", name)
            continue
        items.sort(key=lambda item: item[0])
        places, names, boxes, sizes = zip(*items, strict=True)
        yield from entries.track(
            name, np.array(boxes), names, kinds[name], size=sizes[0], frames=places
        )


def _of_image(
    note: dict[str, Any], frames: dict[Any, Any], pictures: Pictures, found: Findings
) -> tuple[str | None, list[Item]]:
    """Return the track of an annotation of one image, None for a still, and its box."""
    frame = frames[note["image_id"]]
    number = note.get("instance_id", note.get("track_id"))
    video = frame.get("video_id")
    track = None if number is None or video is None else f"{video}/{number}"
    place = int(frame.get("frame_id", frame.get("frame_index", 0)))
    return track, _item(place, frame["file_name"], note["bbox"], frame, pictures, found)


def _of_video(
    note: dict[str, Any], videos: dict[Any, Any], pictures: Pictures, found: Findings
) -> tuple[str | None, list[Item]]:
    """Return the track of an annotation of a whole video, and its boxes."""
    video = videos[note["video_id"]]
    items: list[Item] = []
    for place, (name, box) in enumerate(zip(video["file_names"], note["bboxes"], strict=True)):
        if box is not None:
            items += _item(place, name, box, video, pictures, found)
    return f"{note['video_id']}/{note['id']}", items


def _item(
    place: int, name: str, box: Any, about: dict[str, Any], pictures: Pictures, found: Findings
) -> list[Item]:
    left, top, width, height = (float(value) for value in box)
    image = pictures.named(name)
    if image is None:
        found.add("missing", name)
        return []
    size = (float(about["width"]), float(about["height"])) if about.get("width") else None
    return [(place, image, [left, top, width, height], size)]


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
        content: dict[str, Any] = json.loads(bytes_of(file))
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
    return content
