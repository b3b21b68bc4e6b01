"""Detections of others: boxes of each frame, read from files, and which of them is which target."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from siamtrack.core.boxes import Array, iou
from siamtrack.core.config import parse_json
from siamtrack.core.files import read_rows, text_of
from siamtrack.core.tracks import Track
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


def associate(
    tracks: Iterable[Track], boxes: ArrayLike, *, least: float = 0.3
) -> tuple[dict[int, Array], Array]:
    """Give each target the box of a detector that overlaps it most, each box once.

    Args:
        tracks: The targets, in the frame of the boxes or the one before.
        boxes: Boxes (N, 4) of the detector: left, top, width, height.
        least: Overlap (IoU) below which a box is of none of the targets, in (0, 1].

    Returns:
        Id of a target to its box, as `SiamTracker.update_all` takes them, and the boxes (M, 4) that
        are of no target: those that something new may be in.

    Raises:
        ValueError: If the boxes have another shape or are not finite, or `least` does not fit.

    Example:
        >>> from siamtrack.core.tracks import TrackState
        >>> track = Track(np.array([10.0, 10.0, 20.0, 20.0]), 1.0, TrackState.TRACKED, id=3)
        >>> priors, new = associate([track], [[12, 10, 20, 20], [90, 90, 20, 20]])
        >>> priors[3].tolist(), new.tolist()
        ([12.0, 10.0, 20.0, 20.0], [[90.0, 90.0, 20.0, 20.0]])
    """
    given = np.asarray(boxes, np.float64)
    if given.size == 0:
        given = given.reshape(-1, 4)
    if given.ndim != 2 or given.shape[1] != 4:
        raise ValueError(f"boxes of shape {given.shape}: expected (N, 4)")
    if not np.isfinite(given).all():
        raise ValueError("boxes with numbers that are not finite: drop them")
    if not 0 < least <= 1:
        raise ValueError(f"least {least}: expected an overlap above 0, at most 1")
    targets = list(tracks)
    overlaps = np.zeros((len(targets), len(given)))
    for row, track in enumerate(targets):
        overlaps[row] = iou(track.box, given)
    priors: dict[int, Array] = {}
    new = np.ones(len(given), bool)
    while overlaps.size and overlaps.max() >= least:
        row, column = divmod(int(overlaps.argmax()), len(given))
        priors[targets[row].id] = given[column].copy()
        new[column] = False
        overlaps[row], overlaps[:, column] = 0, 0
    return priors, given[new].copy()
