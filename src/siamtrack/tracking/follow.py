"""From a video and first boxes, which may come from a file, to the tracks of all targets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from siamtrack.core.boxes import Array
from siamtrack.core.files import read_rows
from siamtrack.core.tracks import Track
from siamtrack.errors import DatasetError, VideoError
from siamtrack.tracking.detector import Detect
from siamtrack.tracking.identities import Identities
from siamtrack.tracking.tracker import SiamTracker
from siamtrack.video import Frame, Source, VideoSource, open_video
from siamtrack.video.source import Span

Starts = Mapping[int, Mapping[int, ArrayLike]]
"""Index of a frame to the targets that start, or start again, there: id to box ltwh."""


def follow(
    source: Source | VideoSource,
    starts: Starts,
    tracker: SiamTracker,
    *,
    start: int = 0,
    end: int | None = None,
    stride: int = 1,
    detections: Mapping[int, ArrayLike] | Detect | None = None,
) -> Iterator[tuple[Frame, list[Track]]]:
    """Follow any number of targets through a video.

    Args:
        source: Anything that `open_video` takes; what it returned has its span already.
        starts: Where targets begin. Frames before the first of them have no tracks.
        tracker: From `siamtrack.load`; targets that it has already continue.
        start: First frame to take, from 0.
        end: Frame to stop before.
        stride: Take every n-th frame.
        detections: Index of a frame to what a detector sees in it, boxes (N, 4), or the detector,
            which takes a frame (H, W, 3) and returns them or None: targets are checked against
            them, see `siamtrack.tracking.identities`. It is asked from the first target on.

    Returns:
        Iterator over every frame taken, with the tracks of all targets in it.

    Raises:
        VideoError: If the source cannot be read, or its frames change their size and not every
            target starts again there; while iterating, what came before is yielded.
        ValueError: If `starts` names a frame that is not taken, or a box does not fit its frame.
    """
    span = source.span if isinstance(source, VideoSource) else Span(start, end, stride)
    for index in starts:
        if not span.wants(index):
            raise ValueError(
                f"a target starts in frame {index}, which is not taken (start {span.start}, end "
                f"{span.end}, stride {span.stride}): choose another frame or span"
            )
    follower = tracker if detections is None else Identities(tracker)
    video = open_video(source, start=start, end=end, stride=stride)
    return _follow(video, starts, follower, {} if detections is None else detections)


def _follow(
    video: VideoSource,
    starts: Starts,
    tracker: SiamTracker | Identities,
    detections: Mapping[int, ArrayLike] | Detect,
) -> Iterator[tuple[Frame, list[Track]]]:
    before: tuple[int, int] | None = None
    with video:
        for frame in video:
            # A frame of another size ends every target that does not start again in it.
            given = starts.get(frame.index, {})
            size = (frame.image.shape[1], frame.image.shape[0])
            changed = before is not None and before != size
            if before is not None and changed and set(tracker.ids) - set(given):
                raise _resized(video, frame, before)
            before = size
            # Find the targets that are there, then start those that begin here.
            tracks: list[Track] = []
            if tracker.ids and not changed:
                if isinstance(tracker, Identities):
                    seen = (
                        detections.get(frame.index)
                        if isinstance(detections, Mapping)
                        else detections(frame.image)
                    )
                    tracks = tracker.update(frame.image, seen)
                else:
                    tracks = tracker.update_all(frame.image)
            found = {track.id: track for track in tracks}
            for number, box in given.items():
                found[number] = tracker.add(frame.image, box, number)
            yield frame, list(found.values())


def _resized(video: VideoSource, frame: Frame, before: tuple[int, int]) -> VideoError:
    height, width, _ = frame.image.shape
    return VideoError(
        f"{video.name}: frame {frame.index} has {width}x{height} pixels, those before it "
        f"{before[0]}x{before[1]}, so that targets cannot be followed into it; begin again at "
        f"frame {frame.index} with boxes in it, or convert the video to one size"
    )


def read_boxes(path: Path, first: int) -> dict[int, dict[int, Array]]:
    """Read where targets start: frame to id to box.

    The text has one target a line, numbers separated by commas or spaces, 0-based: left, top,
    width, height in the frame `first`; or frame, id, left, top, width, height.

    Raises:
        DatasetError: If the file is missing, empty, or a line has another form or a frame or id
            that is no whole number.
    """
    rows = read_rows(path, (4, 6), DatasetError)
    starts: dict[int, dict[int, Array]] = {}
    for number, row in enumerate(rows):
        given = row[:-4]
        if not ((given == np.floor(given)) & (np.abs(given) < 2**53)).all():  # NaN is no number
            raise DatasetError(
                f"{path}, line {number + 1}: frame {given[0]:g} and id {given[1]:g}: expected "
                "whole numbers"
            )
        frame, identity = (first, number) if not len(given) else (int(given[0]), int(given[1]))
        starts.setdefault(frame, {})[identity] = row[-4:]
    return starts
