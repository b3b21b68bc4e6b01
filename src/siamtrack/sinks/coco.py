"""JSON as in COCO, with the additions for video."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any, TextIO

from siamtrack.sinks.base import MARGIN, SINKS, Sink, box_of, is_there, json_number
from siamtrack.sinks.draw import TrackLike
from siamtrack.video import Frame


@SINKS.register("coco")
class CocoSink(Sink):
    """COCO JSON for one video; boxes are 0-based, lost targets are left out.

    Each label that targets have is a category; without labels there is one, "object".

    The file is JSON only after `close`. Until then annotations wait in a temporary file beside it
    that has no name, so that memory does not grow.
    """

    def __init__(self, path: Path, *, overwrite: bool, fps: float | None) -> None:
        super().__init__(path, overwrite=overwrite, fps=fps)
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
        self._categories: dict[str, int] = {}
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
        rows = [
            _row(self._images + 1, track, self._category(track))
            for track in tracks
            if is_there(track)
        ]
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
            kinds = self._categories or {"object": 1}
            categories = [{"id": kind, "name": name} for name, kind in kinds.items()]
            self._file.write(f'\n],\n"categories": {json.dumps(categories)}}}\n')

    def _category(self, track: TrackLike) -> int:
        label = self.label(int(track.id))
        return self._categories.setdefault(label, len(self._categories) + 1)


def _row(image: int, track: TrackLike, category: int) -> dict[str, Any]:
    box = box_of(track)
    return {
        "image_id": image,
        "video_id": 1,
        "track_id": int(track.id),
        "category_id": category,
        "bbox": [json_number(value) for value in box],
        "area": json_number(box[2] * box[3]),
        "iscrowd": 0,
        "score": json_number(track.score),
    }


def _item(value: dict[str, Any], before: int) -> str:
    """Return an element of a JSON array that has `before` elements already."""
    return ("," if before else "") + "\n" + json.dumps(value, allow_nan=False)
