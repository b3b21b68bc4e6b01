"""The files of exports: those that sinks write, a data set for YOLO, the project as JSON."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from siamtrack.core.images import Image, jpeg
from siamtrack.core.tracks import Track, TrackState
from siamtrack.sinks import CvatSink, open_sink
from siamtrack.sinks.base import mask_of
from siamtrack.sinks.coco import MaskForm
from siamtrack.sinks.text import labels_file, numbered
from siamtrack.sinks.yolo import data_yaml, label_lines, oriented_lines, outline_lines
from siamtrack.studio.project import Project
from siamtrack.studio.timeline import NOTHING, STATES, DrawnTarget, Table
from siamtrack.tracking.outline import Outliner, load_outliner
from siamtrack.video import Frame

FORMATS = {
    "csv": ("csv", ".csv", "text/csv"),
    "jsonl": ("jsonl", ".jsonl", "application/x-ndjson"),
    "mot": ("mot", ".txt", "text/plain"),
    "coco": ("coco", ".json", "application/json"),
    "cvat": ("cvat", ".xml", "application/xml"),
    "yolo": ("", ".zip", "application/zip"),
    "yolo-seg": ("", ".zip", "application/zip"),
    "yolo-obb": ("", ".zip", "application/zip"),
    "cvat-masks": ("cvat-masks", ".xml", "application/xml"),
    "davis": ("davis", ".zip", "application/zip"),
    "vot": ("vot", ".txt", "text/plain"),
    "vot-rotated": ("vot-rotated", ".txt", "text/plain"),
    "otb": ("otb", ".txt", "text/plain"),
    "mp4": ("mp4", ".mp4", "video/mp4"),
    "json": ("", ".json", "application/json"),
}
"""Name to sink, suffix and type; `json` is the project itself, `YOLO` come from `zip_pieces`."""
YOLO = {"yolo": label_lines, "yolo-seg": outline_lines, "yolo-obb": oriented_lines}
"""Data sets with pictures, made while they are fetched, to what writes the labels of a frame."""
MASKED = frozenset({"yolo-seg", "yolo-obb", "cvat-masks", "davis", "vot", "vot-rotated"})
"""Formats that hold nothing but masks; `CHOICE` hold them where that is chosen."""
CHOICE = frozenset({"coco", "cvat", "jsonl", "mp4"})
SEVERAL = frozenset({"otb", "vot", "vot-rotated"})
"""Formats with a file for each target; several are in one zip."""
STRETCHES = 10
"""Stretches that the frames are cut into; the fifth and the last are for validation."""
QUALITY = 95
PIECE = 1 << 18
"""Bytes of a zip that are sent at a time, at least."""

Read = Callable[[int, bool], Image]
Tick = Callable[[int, int], None]
Outline = Callable[[], Outliner]
"""Gives the network of masks; only called where a format is to hold them."""


@dataclass(frozen=True)
class Snapshot:
    """The state of all targets at one moment, to be written without holding up anybody.

    Attributes:
        model: Whose tracks.
        targets: Copies of the targets.
        tables: Id of a target to its state in each frame.
        total: Number of frames.
        size: Width and height of the frames.
        fps: Frames per second.
        name: How people call the clip.
        classes: The project's classes, in order, to their colors.
    """

    model: str
    targets: list[DrawnTarget]
    tables: dict[int, Table]
    total: int
    size: tuple[int, int]
    fps: float
    name: str
    classes: dict[str, str] = field(default_factory=dict)

    def color(self, target: DrawnTarget, by_class: bool) -> tuple[int, int, int]:
        """Return the RGB color of a target: its class's if that is wanted, or its own."""
        own = target.color
        red, green, blue = bytes.fromhex(
            (self.classes.get(target.label, own) if by_class else own)[1:]
        )
        return red, green, blue


@dataclass(frozen=True)
class Options:
    """What a person chooses about an export.

    Attributes:
        keyframes: Pixels that a side of a box may be off between the key frames of CVAT XML, of
            which there are only as many as that takes; None: all frames are key frames.
        by_class: Whether a video shows targets in the colors of their classes.
        masks: How COCO holds masks; None: neither it nor CVAT XML, JSON Lines and video have them.
            With masks, CVAT XML has an outline in every frame, and no key frames to choose.
    """

    keyframes: float | None = None
    by_class: bool = False
    masks: MaskForm | None = None


def take_snapshot(project: Project, model: str, fps: float, name: str = "") -> Snapshot:
    """Return what is known now.

    Raises:
        ValueError: If there are no targets.
    """
    with project.lock:
        targets = project.shown()
        if not targets:
            raise ValueError("there is nothing to export yet: draw a box first")
        copies = [replace(target, keys={**target.keys}) for target in targets]
        tables = project.tables(model)
        classes = {**project.classes}
        return Snapshot(model, copies, tables, project.total, project.size, fps, name, classes)


def suffix_of(format: str, result: Snapshot) -> str:
    """Return the suffix of an export: what is several files, as MOT with classes, is a zip."""
    classed = format == "mot" and any(target.label for target in result.targets)
    several = format in SEVERAL and len(result.targets) > 1
    return ".zip" if classed or several else FORMATS[format][1]


def write_export(
    format: str,
    path: Path,
    result: Snapshot,
    read: Read,
    tick: Tick,
    options: Options = Options(),
    outline: Outline = load_outliner,
) -> None:
    """Write the state of all targets.

    Args:
        format: One of `FORMATS` but not of `YOLO`.
        path: The file to write; it must not exist. After an exception it may be there, in part.
        result: What to write.
        read: Gives frames; only called where the format shows them, or masks are found in them.
        tick: Called after each frame with the number of frames done and of all; what it raises
            ends the export.
        options: What a person chose.
        outline: Gives the network of masks.

    Raises:
        ValueError: If an option is none.
        VideoError: If a frame cannot be read, or FFmpeg cannot encode.
    """
    if format == "json":
        path.write_text(json.dumps(_document(result)), encoding="utf-8")
        return
    width, height = result.size
    blank = np.broadcast_to(np.zeros(3, dtype=np.uint8), (height, width, 3))
    zipped = suffix_of(format, result) != FORMATS[format][1]
    plain = path.with_suffix(FORMATS[format][1]) if zipped else path
    masked = format in MASKED or (format in CHOICE and options.masks is not None)
    outliner = outline() if masked else None
    keyframes = options.keyframes if format == "cvat" and not masked else None
    with open_sink(
        plain,
        format=FORMATS[format][0],
        fps=result.fps,
        keyframes=keyframes,
        masks=options.masks or "polygons",
    ) as sink:
        sink.title = Path(result.name).stem or sink.title
        sink.categories.extend(result.classes)
        for target in result.targets:
            sink.labels[target.id] = target.name
            sink.colors[target.id] = result.color(target, options.by_class)
            if target.label:
                sink.classes[target.id] = target.label
            if isinstance(sink, CvatSink):
                sink.keys[target.id] = {*target.keys}
        for index in range(result.total):
            tracks = list(tracks_at(result.tables, index))
            seen = format == "mp4" or (outliner is not None and tracks)
            frame = Frame(index, index / result.fps, read(index, False) if seen else blank)
            if outliner is not None and tracks:
                tracks = outliner.with_masks(frame.image, tracks)
            sink.write(frame, tracks)
            tick(index + 1, result.total)
    if zipped:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, each in _parts(format, plain, result).items():
                file.write(each, name)


def _parts(format: str, plain: Path, result: Snapshot) -> dict[str, Path]:
    """Return the files of an export that is several, by their names in the zip."""
    if format == "mot":  # as CVAT and Datumaro import it
        return {"gt/gt.txt": plain, "gt/labels.txt": labels_file(plain)}
    count = len(result.targets)
    files = [plain, *(numbered(plain, place) for place in range(2, count + 1))]
    return {each.name: each for each in files if each.is_file()}


def tracks_at(tables: dict[int, Table], index: int) -> Iterator[Track]:
    """Yield what is known in a frame."""
    for number, found in tables.items():
        row = found.rows[index]
        if np.isfinite(row).all():
            state = TrackState(STATES[int(row[5])])
            yield Track(row[:4].copy(), float(row[4]), state, number)


def _document(result: Snapshot) -> dict[str, Any]:
    targets = [
        {
            "id": target.id,
            "name": target.name,
            "color": target.color,
            "class": target.label or None,
            "keys": [
                {"frame": key.frame, "box": None if key.box is None else list(key.box)}
                for key in target.ordered()
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
        for target, found in zip(result.targets, result.tables.values(), strict=True)
    ]
    width, height = result.size
    clip = {"name": result.name, "frames": result.total, "fps": result.fps}
    clip |= {"width": width, "height": height}
    facts = {"siamtrack": 1, "clip": clip, "model": result.model, "boxes": "ltwh, 0-based"}
    return {**facts, "classes": list(result.classes), "targets": targets}


def split(result: Snapshot) -> dict[int, str]:
    """Return the frames of the data set: number to `train` or `val`.

    Left out are frames of which nothing is known, and those in which a target is lost: a picture
    without the label of what is in it would teach that it is not there. Neighbouring frames look
    alike, so whole stretches are for validation, not single frames.

    Raises:
        ValueError: If no frame is left.
    """
    known, lost = np.zeros(result.total, bool), np.zeros(result.total, bool)
    for table in result.tables.values():
        known |= table.owner != NOTHING
        lost |= table.rows[:, 5] == STATES.index("lost")
    frames = np.flatnonzero(known & ~lost)
    if len(frames) == 0:
        raise ValueError("in each frame of which something is known a target is lost: correct some")
    stretch = np.arange(len(frames)) * STRETCHES // len(frames)
    val = (stretch % 5 == 4) & (len(frames) > 1)
    if len(frames) > 1:
        val[-1] = True  # there are fewer frames than stretches
    return {int(frame): "val" if held else "train" for frame, held in zip(frames, val, strict=True)}


def zip_pieces(
    result: Snapshot,
    read: Read,
    tick: Tick,
    format: str = "yolo",
    outline: Outline = load_outliner,
) -> Iterator[bytes]:
    """Yield the zip piece by piece: `data.yaml`, `images/train`, `labels/train` and so on.

    A frame in which a mask is wanted and none is found is left out, as those with lost targets are.

    Args:
        result: What is known.
        read: Gives frames.
        tick: Called after each frame with the number of frames done and of all; what it raises
            ends the zip.
        format: One of `YOLO`.
        outline: Gives the network of masks.

    Raises:
        ValueError: If there is no frame for it.
        VideoError: If a frame cannot be read.
    """
    parts = split(result)
    classes = {name: number for number, name in enumerate(result.classes)}
    kinds = {
        each.id: classes.setdefault(each.label or each.name, len(classes))
        for each in result.targets
    }
    outliner = outline() if format in MASKED else None
    out = _Pipe()
    with zipfile.ZipFile(out, "w") as file:
        val = "images/val" if "val" in parts.values() else "images/train"
        file.writestr("data.yaml", data_yaml(classes, "images/train", val))
        for done, (index, part) in enumerate(parts.items(), start=1):
            name, image = f"{part}/frame_{index:06d}", read(index, False)
            tracks = list(tracks_at(result.tables, index))
            if outliner is not None:
                tracks = outliner.with_masks(image, tracks)
            if outliner is None or all(map(mask_of, tracks)):
                file.writestr(f"images/{name}.jpg", jpeg(image, quality=QUALITY))
                lines = YOLO[format](tracks, result.size, kinds.__getitem__)
                file.writestr(f"labels/{name}.txt", lines)
            tick(done, len(parts))
            if out.waiting >= PIECE:
                yield out.take()
    yield out.take()


class _Pipe(io.RawIOBase):
    """A file that is only written to; its bytes are taken out as they come."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self.waiting = 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._parts.append(bytes(data))
        self.waiting += len(data)
        return len(data)

    def take(self) -> bytes:
        found = b"".join(self._parts)
        self._parts.clear()
        self.waiting = 0
        return found
