"""Tracks as labels of FiftyOne, and its labels as targets and detections.

https://docs.voxel51.com. Its boxes are left, top, width, height as shares of the frame, its frames
are counted from 1, and the id of an object is the `index` of its labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from siamtrack.api import load
from siamtrack.core.boxes import Array
from siamtrack.core.tracks import Track, TrackState
from siamtrack.tracking.detector import Detect
from siamtrack.tracking.follow import follow
from siamtrack.tracking.tracker import SiamTracker
from siamtrack.video import VideoSource, open_video


def to_detections(
    tracks: Iterable[Track],
    size: tuple[int, int],
    *,
    labels: Mapping[int, str] | None = None,
    lost: bool = False,
) -> Any:
    """Return tracks as `fiftyone.Detections`, for a field of a frame.

    Args:
        tracks: Of one frame.
        size: Width and height of the frame in pixels.
        labels: Id of a target to its label; "object" for those not named.
        lost: Whether targets that are lost are included, with the box in which they were last seen.

    Returns:
        Labels with `index`, `confidence` and, as an attribute, what `Track.state` says. What of a
        box is outside the frame is cut off; a box that is outside as a whole is left out.

    Raises:
        ImportError: If FiftyOne is not installed.
    """
    fiftyone, names, found = _fiftyone("to_detections"), labels or {}, []
    sides = np.array([*size, *size], np.float64)
    for track in tracks:
        first = np.clip(track.box[:2] / sides[:2], 0, 1)
        last = np.clip((track.box[:2] + track.box[2:]) / sides[:2], 0, 1)
        if (track.state is TrackState.LOST and not lost) or not (last > first).all():
            continue
        found.append(
            fiftyone.Detection(
                label=names.get(track.id, "object"),
                bounding_box=[*first.tolist(), *(last - first).tolist()],
                index=track.id,
                confidence=float(track.score),
                state=track.state.value,
            )
        )
    return fiftyone.Detections(detections=found)


def boxes_from(detections: Any, size: tuple[int, int]) -> Array:
    """Return the boxes of `fiftyone.Detections`, to start targets on or to check them against.

    Args:
        detections: Labels, or None where a frame has none.
        size: Width and height of the frame in pixels.

    Returns:
        Boxes (N, 4) in pixels: left, top, width, height.

    Raises:
        TypeError: If these are no detections.
        ValueError: If a box is none.
    """
    boxes = [_shares(label) for label in _labels(detections)]
    return np.array(boxes, np.float64).reshape(-1, 4) * [*size, *size]


def boxes_by_id(detections: Any, size: tuple[int, int]) -> dict[int, Array]:
    """Return the boxes of `fiftyone.Detections` by `index`, as `SiamTracker.update_all` takes them.

    Raises:
        TypeError, ValueError: As `boxes_from`, or if a label has no index or two have the same.
    """
    labels = _labels(detections)
    numbers = [label.index for label in labels]
    if None in numbers or len(set(numbers)) != len(numbers):
        raise ValueError(
            f"detections with the indexes {numbers}: expected one each, all different; which box "
            "is which target says siamtrack.tracking.detections.associate"
        )
    return dict(zip(numbers, boxes_from(detections, size), strict=True))


def track_sample(
    sample: Any,
    boxes: str,
    into: str = "siamtrack",
    *,
    tracker: SiamTracker | None = None,
    detections: str | Detect | None = None,
    lost: bool = False,
) -> int:
    """Track through the video of a sample, from labels of some frames to labels of all.

    Each label starts a target in its frame; one with an `index` that was there before starts that
    target again. A label without an index is a target of its own.

    Args:
        sample: A video sample of FiftyOne; it is saved if it is in a data set.
        boxes: Field of its frames with labels that start targets.
        into: Field of its frames for the tracks; what is in it is replaced.
        tracker: From `siamtrack.load`, without targets; the default model by default.
        detections: Field of its frames with what a detector sees in them, or the detector, which
            takes a frame (H, W, 3) and returns boxes (N, 4) in pixels: targets are checked against
            it, see `siamtrack.tracking.identities`.
        lost: Whether targets that are lost are included.

    Returns:
        The number of frames with tracks.

    Raises:
        ImportError: If FiftyOne is not installed.
        ValueError: If the sample is no video, no frame has a label in `boxes`, the fields to read
            and to write are the same, or a box does not fit its frame.
        VideoError: If the video cannot be read. The labels of the frames before are written.
    """
    _fiftyone("track_sample")
    if getattr(sample, "media_type", None) != "video":
        raise ValueError(
            f"a sample of media type {getattr(sample, 'media_type', None)!r}: expected a video "
            "sample; images in an order are tracked by siamtrack.track(folder, ...)"
        )
    if into in (boxes, detections):
        raise ValueError(f"tracks into {into!r}, which is read: give another field")
    video = open_video(sample.filepath)
    size = _size(video)
    starts, labels = _starts(sample, boxes, size)
    given = _boxes(sample, detections, size) if isinstance(detections, str) else detections
    tracker = load() if tracker is None else tracker
    tracked = 0
    try:
        for frame, tracks in follow(video, starts, tracker, detections=given):
            if frame.index >= min(starts):
                found = to_detections(tracks, size, labels=labels, lost=lost)
                sample.frames[frame.index + 1][into] = found
                tracked += 1
    finally:
        if tracked and sample.in_dataset:
            sample.save()
    return tracked


def _size(video: VideoSource) -> tuple[int, int]:
    if video.size is not None:
        return video.size
    with open_video(video.name, end=1) as first:
        height, width, _ = next(iter(first)).image.shape
    return width, height


def _starts(
    sample: Any, field: str, size: tuple[int, int]
) -> tuple[dict[int, dict[int, Array]], dict[int, str]]:
    """Return where targets start, frame (from 0) to id to box, and id to label."""
    starts: dict[int, dict[int, Array]] = {}
    names: dict[int, str] = {}
    labeled = [(number - 1, _labels(_field(sample, number, field))) for number in _numbers(sample)]
    taken = {label.index for _, labels in labeled for label in labels}
    fresh = iter(number for number in range(2**31) if number not in taken)
    for index, labels in labeled:
        for label in labels:
            number = next(fresh) if label.index is None else int(label.index)
            if number in starts.get(index, {}):
                raise ValueError(
                    f"frame {index + 1} of {sample.filepath} has two labels of the index {number} "
                    f"in {field!r}: expected one of each"
                )
            starts.setdefault(index, {})[number] = np.array(_shares(label)) * [*size, *size]
            if label.label is not None:
                names.setdefault(number, label.label)
    if not starts:
        raise ValueError(
            f"no frame of {sample.filepath} has a label in {field!r}: draw one, or name the field "
            'of sample.frames that has them, such as "ground_truth"'
        )
    return starts, names


def _boxes(sample: Any, field: str, size: tuple[int, int]) -> dict[int, Array]:
    """Return what a detector saw: frame (from 0) to boxes (N, 4); no frame that it left out."""
    found = {number - 1: _field(sample, number, field) for number in _numbers(sample)}
    return {index: boxes_from(seen, size) for index, seen in found.items() if seen is not None}


def _numbers(sample: Any) -> list[int]:
    return sorted(int(number) for number in sample.frames)


def _field(sample: Any, number: int, field: str) -> Any:
    frame = sample.frames[number]
    return frame[field] if frame.has_field(field) else None


def _labels(detections: Any) -> list[Any]:
    if detections is None:
        return []
    labels = getattr(detections, "detections", None)
    if labels is None:
        raise TypeError(
            f"{type(detections).__name__}: expected fiftyone.Detections; other labels have no boxes"
        )
    return list(labels)


def _shares(label: Any) -> list[float]:
    """Return the box of a label, left, top, width, height as shares of the frame."""
    box = [float(value) for value in label.bounding_box or ()]
    if len(box) != 4 or not np.isfinite(box).all() or min(box[2:]) <= 0:
        raise ValueError(
            f"a detection with the bounding box {box}: expected four numbers, left, top, width and "
            "height as shares of the frame"
        )
    return box


def _fiftyone(feature: str) -> Any:
    try:
        import fiftyone
    except ImportError as error:
        raise ImportError(
            f"{feature} needs the package 'fiftyone', which is not installed: pip install fiftyone"
        ) from error
    return fiftyone
