"""Sinks: where tracks go. Annotated video, text, and the formats of annotation tools."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import get_args

from siamtrack.errors import UnknownNameError
from siamtrack.sinks.base import SINKS, BehindSink, Sink
from siamtrack.sinks.coco import CocoSink, MaskForm
from siamtrack.sinks.cvat import CvatMasksSink, CvatSink, check_error, key_frames
from siamtrack.sinks.davis import DavisSink
from siamtrack.sinks.mp4 import (
    CODECS,
    DEFAULT_CODEC,
    DEFAULT_FPS,
    DEFAULT_PRESET,
    PRESETS,
    Mp4Sink,
)
from siamtrack.sinks.text import CsvSink, JsonLinesSink, MotSink, OtbSink
from siamtrack.sinks.yolo import YoloSink

__all__ = [
    "DEFAULT_FPS",
    "SINKS",
    "BehindSink",
    "CocoSink",
    "CsvSink",
    "CvatMasksSink",
    "CvatSink",
    "DavisSink",
    "JsonLinesSink",
    "MotSink",
    "Mp4Sink",
    "OtbSink",
    "Sink",
    "YoloSink",
    "key_frames",
    "open_sink",
]

SUFFIXES = {
    ".mp4": "mp4",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".json": "coco",
    ".xml": "cvat",
    ".zip": "yolo",
}
"""Suffix to format; others are asked for by name."""


def open_sink(
    path: str | PathLike[str],
    *,
    overwrite: bool = False,
    format: str | None = None,
    fps: float | None = None,
    codec: str | None = None,
    preset: str | None = None,
    names: Mapping[int, str] | None = None,
    classes: Mapping[int, str] | None = None,
    keyframes: float | None = None,
    images: bool = False,
    masks: MaskForm = "polygons",
) -> Sink:
    """Open a file for tracks. It is made with the first frame; without any frame there is none.

    Args:
        path: The file; its folder must exist.
        overwrite: Whether a file that exists may be replaced.
        format: Name in `SINKS`: mp4, csv, jsonl, mot, coco, cvat, yolo or otb; for masks also
            cvat-masks, yolo-seg, yolo-obb, davis, vot or vot-rotated. None: by the suffix .mp4,
            .csv, .jsonl, .json (COCO), .xml (CVAT) or .zip (YOLO).
        fps: Frames per second of an annotated video; None means 25.
        codec: Of an annotated video: h264, vp9, av1 or mpeg4; None means h264.
        preset: Of h264: ultrafast to veryslow; None means veryfast.
        names: Id of a target to its name, such as "Anna".
        classes: Id of a target to its class, such as "person"; without one, its name is its class.
        keyframes: Of CVAT XML: pixels that a side of a box may be off between key frames, of which
            there are only as many as that takes; None means that all frames are key frames.
        images: Whether a zip for YOLO holds the frames as JPEG, too; those with a lost target are
            left out.
        masks: Of COCO: `polygons`, or run lengths, `rle`.

    Raises:
        FileExistsError: If the file exists and `overwrite` is false.
        FileNotFoundError: If the folder does not exist.
        ValueError: If the suffix does not tell the format, or a number does not fit.
        UnknownNameError: If no format, codec or preset is called so.
    """
    path = Path(path)
    if fps is not None and not 0.001 <= fps <= 1000:
        raise ValueError(f"fps {fps}: expected frames per second, from 0.001 to 1000")
    if codec is not None and codec not in CODECS:
        raise UnknownNameError("codec", codec, CODECS)
    if preset is not None and preset not in PRESETS:
        raise UnknownNameError("preset", preset, PRESETS)
    if keyframes is not None:
        check_error(keyframes)
    if format is None:
        format = SUFFIXES.get(path.suffix.lower())
    if format is None:
        raise ValueError(
            f"{path.name}: the suffix {path.suffix!r} does not tell the format; use one of "
            f"{', '.join(SUFFIXES)}; others by --out FORMAT:FILE, in Python format= "
            f"takes {', '.join(SINKS)}"
        )
    if masks not in get_args(MaskForm):
        raise UnknownNameError("form of masks", masks, get_args(MaskForm))
    sink = SINKS[format](path, overwrite=overwrite, fps=fps)
    SINKS.check_made(format, sink, "write", "close", "__enter__", "__exit__")
    sink.labels.update(names or {})
    sink.classes.update(classes or {})
    if isinstance(sink, CvatSink):
        sink.keyframes = keyframes
    if isinstance(sink, YoloSink):
        sink.images = images
    if isinstance(sink, CocoSink):
        sink.masks = masks
    if isinstance(sink, Mp4Sink):
        sink.codec, sink.preset = codec or DEFAULT_CODEC, preset or DEFAULT_PRESET
    return sink
