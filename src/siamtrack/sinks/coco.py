"""JSON as in COCO, with the additions for video."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any, Literal, TextIO

from siamtrack.sinks.base import (
    MARGIN,
    SINKS,
    Sink,
    box_of,
    flat_polygons,
    is_there,
    json_number,
    mask_of,
)
from siamtrack.sinks.draw import TrackLike
from siamtrack.video import Frame

MaskForm = Literal["polygons", "rle"]
"""How COCO JSON holds masks: outlines, which every program reads, or run lengths, which are exact
and keep holes."""


@SINKS.register("coco")
class CocoSink(Sink):
    """COCO JSON for one video; boxes are 0-based, lost targets are left out.

    Each class of targets is a category; the name of a target that has both is an attribute. Targets
    with a mask have `segmentation`, and the area of the mask.

    The file is JSON only after `close`. Until then annotations wait in a temporary file beside it
    that has no name, so that memory does not grow.

    Attributes:
        masks: How masks are written. Set it before the first frame.
    """

    def __init__(self, path: Path, *, overwrite: bool, fps: float | None) -> None:
        super().__init__(path, overwrite=overwrite, fps=fps)
        self.masks: MaskForm = "polygons"
        self._images = 0
        self._annotations = 0
        self._held = 0  # bytes that wait

    def _start(self, frame: Frame) -> None:
        self._file = self._open_text(self.path)
        try:
            self._waiting: TextIO = tempfile.TemporaryFile(  # noqa: SIM115 (closed in _finish)
                "w+", encoding="utf-8", newline="\n", dir=self.path.parent
            )
        except BaseException:
            self._file.close()
            raise
        videos = [{"id": 1, "name": self.title}]
        self._file.write(f'{{"videos": {json.dumps(videos)},\n"images": [')

    def _write(self, frame: Frame, tracks: list[TrackLike]) -> None:
        height, width = frame.image.shape[:2]
        image = {
            "id": self._images + 1,
            "video_id": 1,
            "frame_id": int(frame.index),
            "file_name": f"{frame.index:06d}.jpg",
            "width": width,
            "height": height,
        }
        rows = [self._row(self._images + 1, track) for track in tracks if is_there(track)]
        self._file.write(_item(image, self._images))
        self._images += 1
        for row in rows:
            item = _item({"id": self._annotations + 1, **row}, self._annotations)
            self._waiting.write(item)
            self._held += len(item)
            self._annotations += 1

    def _needed(self, frame: Frame) -> int:
        return self._held + MARGIN

    def _finish(self) -> None:
        with self._file, self._waiting:
            self._file.write('\n],\n"annotations": [')
            self._waiting.seek(0)
            shutil.copyfileobj(self._waiting, self._file)
            names = self.categories or ["object"]
            categories = [{"id": kind, "name": name} for kind, name in enumerate(names, start=1)]
            self._file.write(f'\n],\n"categories": {json.dumps(categories)}}}\n')

    def _row(self, image: int, track: TrackLike) -> dict[str, Any]:
        box, number = box_of(track), int(track.id)
        row = {
            "image_id": image,
            "video_id": 1,
            "track_id": number,
            "category_id": self.category(number) + 1,
            "bbox": [json_number(value) for value in box],
            "area": json_number(box[2] * box[3]),
            "iscrowd": 0,
            "score": json_number(track.score),
        }
        if (mask := mask_of(track)) is not None:
            row["area"] = mask.area
            row["segmentation"] = mask.rle() if self.masks == "rle" else flat_polygons(mask)
        if name := self.name_of(number):
            row["attributes"] = {"name": name}
        return row


def _item(value: dict[str, Any], before: int) -> str:
    """Return an element of a JSON array that has `before` elements already."""
    return ("," if before else "") + "\n" + json.dumps(value, allow_nan=False)
