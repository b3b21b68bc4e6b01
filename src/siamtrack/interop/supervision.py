"""Tracks as `supervision.Detections`, and detections as boxes to track.

https://supervision.roboflow.com, extra `supervision`. Its boxes are left, top, right, bottom in
pixels, 0-based and continuous like ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from siamtrack.core.boxes import Array, ltrb_to_ltwh, ltwh_to_ltrb
from siamtrack.core.tracks import Track, TrackState
from siamtrack.errors import MissingExtraError


class DetectionsLike(Protocol):
    """What is read of detections: boxes (N, 4) and, if they were tracked, their ids (N,)."""

    @property
    def xyxy(self) -> ArrayLike:
        """Boxes (N, 4): left, top, right, bottom in pixels."""
        ...

    @property
    def tracker_id(self) -> ArrayLike | None:
        """Ids (N,) of tracked objects, or None."""
        ...


def to_detections(
    tracks: Iterable[Track], *, classes: Mapping[int, int] | None = None, lost: bool = False
) -> Any:
    """Return tracks as `supervision.Detections`.

    Args:
        tracks: Of one frame.
        classes: Id of a target to its number of class; 0 for those not named.
        lost: Whether targets that are lost are included, with the box in which they were last seen.

    Returns:
        Detections with `confidence`, `class_id`, `tracker_id` and, in `data["state"]`, what
        `Track.state` says: `tracked`, `uncertain` or `lost`. Where any track has a mask, `mask`
        (N, H, W) has those of all, empty ones where there is none.

    Raises:
        MissingExtraError: If supervision is not installed.

    Example:
        >>> track = Track(np.array([10.0, 20.0, 4.0, 6.0]), 0.9, TrackState.TRACKED, 7)
        >>> found = to_detections([track])
        >>> found.xyxy.tolist(), found.tracker_id.tolist()
        ([[10.0, 20.0, 14.0, 26.0]], [7])
    """
    try:
        from supervision import Detections
    except ImportError as error:
        raise MissingExtraError("to_detections", "supervision", "supervision") from error
    shown = [track for track in tracks if lost or track.state is not TrackState.LOST]
    boxes = np.array([track.box for track in shown], np.float64).reshape(-1, 4)
    numbers = classes or {}
    sizes = [track.mask.shape for track in shown if track.mask is not None]
    masks = [
        np.zeros(sizes[0], np.bool_) if track.mask is None else track.mask.full()
        for track in (shown if sizes else ())
    ]
    return Detections(
        xyxy=ltwh_to_ltrb(boxes),
        mask=np.stack(masks) if masks else None,
        confidence=np.array([track.score for track in shown], np.float64),
        class_id=np.array([numbers.get(track.id, 0) for track in shown], np.int64),
        tracker_id=np.array([track.id for track in shown], np.int64),
        data={"state": np.array([track.state.value for track in shown], dtype="<U9")},
    )


def boxes_from(detections: DetectionsLike) -> Array:
    """Return the boxes of detections, to start targets on or as priors.

    Any object with the field `xyxy` will do; supervision itself is not needed.

    Returns:
        Boxes (N, 4): left, top, width, height.

    Raises:
        TypeError: If it has no `xyxy`.
        ValueError: If that has another shape, or numbers that are not finite.
    """
    given = getattr(detections, "xyxy", None)
    if given is None:
        raise TypeError(
            f"{type(detections).__name__} has no xyxy: expected supervision.Detections, or boxes "
            "(N, 4) of left, top, right, bottom under that name"
        )
    boxes = np.asarray(given, np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"xyxy of shape {boxes.shape}: expected (N, 4)")
    if not np.isfinite(boxes).all():
        raise ValueError("xyxy has numbers that are not finite: drop those detections")
    return ltrb_to_ltwh(boxes)


def boxes_by_id(detections: DetectionsLike) -> dict[int, Array]:
    """Return the boxes of detections by their `tracker_id`, as `SiamTracker.update_all` takes them.

    Raises:
        TypeError, ValueError: As `boxes_from`, or if detections have no ids or one of them twice.
    """
    boxes = boxes_from(detections)
    if getattr(detections, "tracker_id", None) is None:
        raise ValueError(
            "the detections have no tracker_id: use siamtrack.tracking.detections.associate"
        )
    numbers = [int(number) for number in np.asarray(detections.tracker_id)]
    if len(set(numbers)) != len(numbers) or len(numbers) != len(boxes):
        raise ValueError(f"tracker_id {numbers} for {len(boxes)} boxes: expected one each")
    return dict(zip(numbers, boxes, strict=True))
