"""What people take home: the files that sinks write, and the project as one JSON document."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from siamtrack.core.images import Image
from siamtrack.core.tracks import Track, TrackState
from siamtrack.sinks import open_sink
from siamtrack.studio.project import Project
from siamtrack.studio.scene import STATES, Key, Table
from siamtrack.video import Frame

FORMATS = {
    "csv": ("csv", ".csv", "text/csv"),
    "jsonl": ("jsonl", ".jsonl", "application/x-ndjson"),
    "mot": ("mot", ".txt", "text/plain"),
    "coco": ("coco", ".json", "application/json"),
    "cvat": ("cvat", ".xml", "application/xml"),
    "yolo": ("", ".zip", "application/zip"),
    "otb": ("otb", ".txt", "text/plain"),
    "mp4": ("mp4", ".mp4", "video/mp4"),
    "json": ("", ".json", "application/json"),
}
"""Name to sink, suffix and type; `json` is the project itself, `yolo` is in `yolo`."""


@dataclass(frozen=True)
class Result:
    """What is known of all targets at one moment, to be written without holding up anybody.

    Attributes:
        model: Whose tracks.
        tables: Id of a target to what is known of it.
        keys: Id of a target to what people said of it, in the order of the frames.
        labels: Id of a target to its name.
        colours: Id of a target to #rrggbb.
        total: Number of frames.
        size: Width and height of the frames.
        fps: Frames per second.
        name: How people call the clip.
    """

    model: str
    tables: dict[int, Table]
    keys: dict[int, list[Key]]
    labels: dict[int, str]
    colours: dict[int, str]
    total: int
    size: tuple[int, int]
    fps: float
    name: str


def result_of(project: Project, model: str, fps: float, name: str = "") -> Result:
    """Take down what is known now.

    Raises:
        ValueError: If there are no targets.
    """
    with project.lock:
        targets = project.shown()
        if not targets:
            raise ValueError("there is nothing to export yet: draw a box first")
        return Result(
            model,
            {target.id: project.known(target.id, model) for target in targets},
            {target.id: sorted(target.keys.values(), key=_frame) for target in targets},
            {target.id: target.name for target in targets},
            {target.id: target.colour for target in targets},
            project.total, project.size, fps, name,
        )  # fmt: skip


def write_export(
    format: str,
    path: Path,
    result: Result,
    read: Callable[[int, bool], Image],
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Write what is known of all targets.

    Args:
        format: One of `FORMATS` but `yolo`.
        path: The file to write; it must not exist. After an exception it may be there, in part.
        result: What to write.
        read: Gives frames; only called where the format shows them.
        tick: Called after each frame with the number of frames done and of all; what it raises
            ends the export.

    Raises:
        VideoError: If a frame cannot be read, or FFmpeg cannot encode.
    """
    if format == "json":
        path.write_text(json.dumps(_document(result)), encoding="utf-8")
        return
    width, height = result.size
    blank = np.broadcast_to(np.zeros(3, dtype=np.uint8), (height, width, 3))
    with open_sink(path, format=FORMATS[format][0], fps=result.fps) as sink:
        sink.labels.update(result.labels)
        sink.colours.update({number: _rgb(text) for number, text in result.colours.items()})
        for index in range(result.total):
            image = read(index, False) if format == "mp4" else blank
            frame = Frame(index, index / result.fps, image)
            sink.write(frame, list(tracks_at(result.tables, index)))
            tick(index + 1, result.total)


def tracks_at(tables: dict[int, Table], index: int) -> Iterator[Track]:
    """Yield what is known in a frame."""
    for number, found in tables.items():
        row = found.rows[index]
        if np.isfinite(row).all():
            state = TrackState(STATES[int(row[5])])
            yield Track(row[:4].copy(), float(row[4]), state, number)


def _rgb(text: str) -> tuple[int, int, int]:
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def _frame(key: Key) -> int:
    return key.frame


def _document(result: Result) -> dict[str, Any]:
    targets = [
        {
            "id": number,
            "name": result.labels[number],
            "colour": result.colours[number],
            "keys": [
                {"frame": key.frame, "box": None if key.box is None else list(key.box)}
                for key in result.keys[number]
            ],
            "track": [
                {
                    "frame": int(frame),
                    "box": [round(float(value), 3) for value in found.rows[frame, :4]],
                    "score": round(float(found.rows[frame, 4]), 4),
                    "state": STATES[int(found.rows[frame, 5])],
                }
                for frame in np.flatnonzero(np.isfinite(found.rows).all(axis=1))
            ],
        }
        for number, found in result.tables.items()
    ]
    width, height = result.size
    clip = {
        "name": result.name, "frames": result.total, "fps": result.fps,
        "width": width, "height": height,
    }  # fmt: skip
    return {
        "siamtrack": 1, "clip": clip, "model": result.model, "boxes": "ltwh, 0-based",
        "targets": targets,
    }  # fmt: skip
