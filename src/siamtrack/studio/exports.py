"""What people take home: the files that sinks write, and the project as one JSON document."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from siamtrack.frames import Image
from siamtrack.sinks import open_sink
from siamtrack.studio.project import Project
from siamtrack.studio.scene import STATES, Table
from siamtrack.tracks import Track, TrackState
from siamtrack.video import Frame

FORMATS = {
    "csv": ("csv", ".csv", "text/csv"),
    "jsonl": ("jsonl", ".jsonl", "application/x-ndjson"),
    "mot": ("mot", ".txt", "text/plain"),
    "coco": ("coco", ".json", "application/json"),
    "cvat": ("cvat", ".xml", "application/xml"),
    "yolo": ("yolo", ".zip", "application/zip"),
    "otb": ("otb", ".txt", "text/plain"),
    "mp4": ("mp4", ".mp4", "video/mp4"),
    "json": ("", ".json", "application/json"),
}
"""Name to sink, suffix and type; `json` is the project itself."""


def write_export(
    format: str,
    path: Path,
    project: Project,
    model: str,
    *,
    fps: float,
    read: Callable[[int, bool], Image],
    name: str = "",
) -> None:
    """Write what is known of all targets.

    Args:
        format: One of `FORMATS`.
        path: The file to write; it must not exist.
        project: The project.
        model: Whose tracks.
        fps: Frames per second.
        read: Gives frames; only called where the format shows them.
        name: How people call the clip.

    Raises:
        ValueError: If there is no such format, or there are no targets.
        VideoError: If a frame cannot be read, or FFmpeg cannot encode.
    """
    if format not in FORMATS:
        raise ValueError(f"format {format!r}: expected one of {', '.join(FORMATS)}")
    with project.lock:
        targets = project.shown()
        tables = {target.id: project.known(target.id, model) for target in targets}
        labels = {target.id: target.name for target in targets}
        colours = {target.id: _rgb(target.colour) for target in targets}
        total, (width, height) = project.total, project.size
    if not targets:
        raise ValueError("there is nothing to export yet: draw a box first")
    if format == "json":
        path.write_text(json.dumps(_document(project, tables, model, fps, name)), encoding="utf-8")
        return
    blank = np.broadcast_to(np.zeros(3, dtype=np.uint8), (height, width, 3))
    with open_sink(path, format=FORMATS[format][0], fps=fps) as sink:
        sink.labels.update(labels)
        sink.colours.update(colours)
        for index in range(total):
            image = read(index, False) if format == "mp4" else blank
            sink.write(Frame(index, index / fps, image), list(tracks_at(tables, index)))


def tracks_at(tables: dict[int, Table], index: int) -> Iterator[Track]:
    """Yield what is known in a frame."""
    for number, found in tables.items():
        row = found.rows[index]
        if np.isfinite(row).all():
            state = TrackState(STATES[int(row[5])])
            yield Track(row[:4].copy(), float(row[4]), state, number)


def _rgb(text: str) -> tuple[int, int, int]:
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def _document(
    project: Project, tables: dict[int, Table], model: str, fps: float, name: str
) -> dict[str, Any]:
    with project.lock:
        targets = [
            {
                "id": target.id,
                "name": target.name,
                "colour": target.colour,
                "keys": [
                    {"frame": key.frame, "box": None if key.box is None else list(key.box)}
                    for key in sorted(target.keys.values(), key=lambda key: key.frame)
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
            for target, found in ((project.targets[n], found) for n, found in tables.items())
        ]
    width, height = project.size
    clip = {"name": name, "frames": project.total, "fps": fps, "width": width, "height": height}
    return {
        "siamtrack": 1,
        "clip": clip,
        "model": model,
        "boxes": "ltwh, 0-based",
        "targets": targets,
    }
