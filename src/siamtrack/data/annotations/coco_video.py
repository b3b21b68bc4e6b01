"""COCO JSON with videos, as CocoVID, TAO and YouTube-VIS have it: `coco-video:PATH`.

    PATH                        the JSON file
    PATH/../images/...          `file_name` of the images, here or beside the JSON file

CocoVID and TAO: `images` with `video_id` and `frame_id` (or `frame_index`), `annotations` with
`image_id`, `bbox` and `instance_id` (or `track_id`). YouTube-VIS: `videos` with `file_names`,
`annotations` with `video_id` and one box or null for each frame in `bboxes`. Boxes are left, top,
width, height from 0. Annotations without a track are stills; crowds are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from siamtrack.data.annotations.coco import read_coco_json
from siamtrack.data.annotations.entries import still_entry, track_entries
from siamtrack.data.annotations.findings import Findings
from siamtrack.data.annotations.own import Pictures, own_format, own_name, pictures_beside
from siamtrack.data.manifest import Entry
from siamtrack.errors import DatasetError

Item = tuple[int, str, list[float], tuple[float, float] | None]


@own_format("coco-video")
def read_coco_video(path: Path, found: Findings, images: Pictures | None = None) -> Iterator[Entry]:
    """Yield the objects of a COCO file with videos.

    Args:
        path: The JSON file.
        found: Where what is left out is added.
        images: The images; by default those in `images` beside the file, or beside it.

    Raises:
        DatasetError: If the file does not have the form, or there are no images.
    """
    if not path.is_file():
        raise DatasetError(f"{path}: expected a COCO JSON file; give coco-video:FILE.json")
    content = read_coco_json(path)
    pictures = images or pictures_beside(path.parent)
    labels = {each["id"]: str(each["name"]) for each in content.get("categories", [])}
    source = own_name(path)
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
        except (KeyError, OverflowError, TypeError, ValueError) as error:
            found.add("unreadable", f"{path}: annotation {note.get('id')} ({error!r})")
            continue
        if track is None:
            for _, image, box, size in items:
                yield from still_entry(
                    box, image, found, track=f"still/{note.get('id')}", label=label, source=source,
                    size=size,
                )  # fmt: skip
        else:
            tracks.setdefault(track, []).extend(items)
            kinds[track] = label
    for name, items in tracks.items():
        if not items:
            found.add("empty", name)
            continue
        items.sort(key=lambda item: item[0])
        yield from track_entries(
            np.array([item[2] for item in items]), [item[1] for item in items], found, track=name,
            label=kinds[name], source=source, size=items[0][3],
            frames=[item[0] for item in items],
        )  # fmt: skip


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
