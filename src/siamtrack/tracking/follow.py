"""From a video and first boxes to tracks: one target, or many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from numpy.typing import ArrayLike

from siamtrack.core.tracks import Track
from siamtrack.errors import VideoError
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
) -> Iterator[tuple[Frame, list[Track]]]:
    """Follow any number of targets through a video.

    Args:
        source: Anything that `open_video` takes, or what it returned.
        starts: Where targets begin. Frames before the first of them have no tracks.
        tracker: From `siamtrack.load`; targets that it has already go on.
        start: First frame to take, from 0.
        end: Frame to stop before.
        stride: Take every so manieth frame.

    Returns:
        Iterator over every frame taken, with the tracks of all targets in it.

    Raises:
        VideoError: If the source cannot be read, or its frames change their size and not every
            target starts again there; while iterating, what came before is yielded.
        ValueError: If `starts` names a frame that is not taken, or a box does not fit its frame.
    """
    span = Span(start, end, stride)
    for index in starts:
        if not span.wants(index):
            raise ValueError(
                f"a target starts in frame {index}, which is not taken (start {start}, end {end}, "
                f"stride {stride}): choose another frame or span"
            )
    if not isinstance(source, VideoSource):
        source = open_video(source, start=start, end=end, stride=stride)
    return _follow(source, starts, tracker)


def _follow(
    video: VideoSource, starts: Starts, tracker: SiamTracker
) -> Iterator[tuple[Frame, list[Track]]]:
    before: tuple[int, int] | None = None
    with video:
        for frame in video:
            given = starts.get(frame.index, {})
            size = (frame.image.shape[1], frame.image.shape[0])
            changed = before is not None and before != size
            if before is not None and changed and set(tracker.ids) - set(given):
                raise _resized(video, frame, before)
            before = size
            tracks = tracker.update_all(frame.image) if tracker.ids and not changed else []
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
