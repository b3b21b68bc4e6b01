"""Detections of others, read from files: boxes of each frame, with scores where there are any."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from siamtrack.core.boxes import Array
from siamtrack.core.config import parse_json
from siamtrack.core.files import read_rows, text_of
from siamtrack.errors import DatasetError

Detections = dict[int, Array]
"""Index of a frame, from 0, to the boxes (N, 4) ltwh in it."""


def read_detections(path: Path, *, least: float = 0.0) -> Detections:
    """Read the detections of a video.

    Args:
        path: JSON Lines (`.jsonl`), one object a frame, `{"frame": 0, "boxes": [[l, t, w, h], ...],
            "scores": [0.9, ...]}` with scores optional, 0-based; or MOTChallenge text, `frame, id,
            left, top, width, height, score, ...`, frames and pixels from 1.
        least: Score below which a detection is left out; in MOT text a score of -1 says nothing.

    Raises:
        DatasetError: If the file is missing, or a line has another form.
    """
    lines = path.suffix.lower() in (".jsonl", ".ndjson")
    found = _json_lines(path, least) if lines else _mot(path, least)
    if not found:
        raise DatasetError(f"{path}: no detection in any frame")
    return found


def _json_lines(path: Path, least: float) -> Detections:
    try:
        lines = text_of(path).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: detections cannot be read ({error})") from error
    found: Detections = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            frame, boxes = _frame_of(parse_json(line), least)
        except (ValueError, TypeError, KeyError) as error:
            raise DatasetError(
                f"{path}, line {number}: no detections of a frame ({error}); expected "
                + json.dumps({"frame": 0, "boxes": [[10, 20, 30, 40]], "scores": [0.9]})
            ) from error
        found[frame] = np.concatenate([found.get(frame, np.empty((0, 4))), boxes])
    return found


def _frame_of(values: Any, least: float) -> tuple[int, Array]:
    if not isinstance(values, Mapping):
        raise ValueError("no object")
    frame = values["frame"]
    if not isinstance(frame, int) or isinstance(frame, bool) or frame < 0:
        raise ValueError(f"frame {frame!r}")
    boxes = np.array(values["boxes"], np.float64).reshape(-1, 4)
    scores = np.array(values.get("scores", [1.0] * len(boxes)), np.float64)
    if scores.shape != (len(boxes),) or not np.isfinite(scores).all():
        raise ValueError(f"{len(boxes)} boxes and scores of shape {scores.shape}")
    if not np.isfinite(boxes).all() or (boxes[:, 2:] <= 0).any():
        raise ValueError("a box that is not finite, or without an area")
    return frame, boxes[scores >= least]


def _mot(path: Path, least: float) -> Detections:
    found: dict[int, list[Array]] = {}
    for number, row in enumerate(read_rows(path, (6, 7, 8, 9, 10), DatasetError), 1):
        if row[0] < 1 or row[0] != np.floor(row[0]) or not (row[4:6] > 0).all():
            raise DatasetError(
                f"{path}, line {number}: expected a frame from 1, and a box with an area"
            )
        if len(row) > 6 and 0 <= row[6] < least:
            continue
        found.setdefault(int(row[0]) - 1, []).append(row[2:6] - [1, 1, 0, 0])
    return {frame: np.array(boxes) for frame, boxes in found.items()}
