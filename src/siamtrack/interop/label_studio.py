"""Label Studio: rectangles in videos, followed from the key frames that people draw.

https://labelstud.io, tags `Video` and `VideoRectangle`. `siamtrack.interop.label_studio_server` is
the machine-learning backend that Label Studio asks. Frames count from 1 there, boxes are in percent
of the picture, and a key frame holds until the next one, unless its `enabled` is false.
"""

from __future__ import annotations

import math
import time
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from siamtrack.core.boxes import Array
from siamtrack.core.config import shown
from siamtrack.core.tracks import Track, TrackState
from siamtrack.tracking.tracker import SiamTracker
from siamtrack.video import open_video

MOST_REGIONS = 256
"""Rectangles of one request at most."""
MOST_KEYS = 1_000_000
"""Key frames of one rectangle at most."""


@dataclass(frozen=True)
class Layout:
    """What the labeling interface of a project says about its video.

    Attributes:
        control: Name of the `VideoRectangle`.
        video: Name of the `Video`.
        key: Field of a task that holds the address of the video.
        rate: `frameRate` of the `Video`, by which Label Studio counts frames; None if it has none.
    """

    control: str
    video: str
    key: str
    rate: float | None = None


def read_layout(config: str) -> Layout:
    """Read a labeling interface.

    Raises:
        ValueError: If it is no XML, or has no `VideoRectangle` for a `Video`.

    Example:
        >>> read_layout('<View><Video name="clip" value="$url" frameRate="25"/>'
        ...             '<VideoRectangle name="box" toName="clip"/></View>')
        Layout(control='box', video='clip', key='url', rate=25.0)
    """
    try:
        tags = list(ET.fromstring(config).iter())
    except (ET.ParseError, TypeError) as error:
        raise ValueError(f"the labeling interface is no XML ({error})") from error
    videos = {tag.get("name"): tag for tag in tags if tag.tag == "Video"}
    for tag in tags:
        video = videos.get(tag.get("toName"))
        if tag.tag != "VideoRectangle" or video is None:
            continue
        rate = video.get("frameRate", video.get("framerate", ""))
        return Layout(
            tag.get("name", ""),
            tag.get("toName", ""),
            video.get("value", "").removeprefix("$"),
            float(rate) if rate.replace(".", "", 1).isdecimal() and float(rate) > 0 else None,
        )
    raise ValueError(
        "the labeling interface has no VideoRectangle with a Video: expected "
        '<Video name="video" value="$video"/> and <VideoRectangle name="box" toName="video"/>'
    )


@dataclass
class Region:
    """One rectangle: the key frames that were given, and those that were tracked.

    Attributes:
        given: The region as Label Studio sent it.
        keys: Its key frames, in the order of their frames.
        made: Key frames that were added.
        scores: Scores of the frames in which it was seen.
    """

    given: Mapping[str, Any]
    keys: list[dict[str, Any]]
    made: list[dict[str, Any]] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    _taken: int = 0
    _shown: bool = False

    def due(self, number: int) -> dict[str, Any] | None:
        """Return the last key frame up to a frame that was not returned before, if there is one."""
        found = None
        while self._taken < len(self.keys) and self.keys[self._taken]["frame"] <= number:
            found = self.keys[self._taken]
            self._taken += 1
        if found is not None:
            self._shown = found["enabled"]
        return found

    @property
    def is_ended(self) -> bool:
        """Whether its last key frame has passed and hides it."""
        return self._taken == len(self.keys) and not self.keys[-1]["enabled"]

    def add(self, track: Track, number: int, seconds: float, size: tuple[int, int]) -> None:
        """Take in where it was tracked to: a key frame, or the end of one that is lost."""
        box = None if track.state is TrackState.LOST else _percent(track.box, size)
        if box is not None:
            self.scores.append(track.score)
            self.made.append(_key(number, seconds, box, True))
        elif self._shown:
            last = self.keys[self._taken - 1]
            if self.made and self.made[-1]["frame"] > last["frame"]:
                self.made[-1]["enabled"] = False
            else:  # the frame before is a person's: it stays as it is
                place = {name: last[name] for name in ("x", "y", "width", "height")}
                self.made.append(_key(number, seconds, place, False))
        self._shown = box is not None

    def result(self, layout: Layout, frames: int, duration: float) -> dict[str, Any]:
        """Return the region with all its key frames, as Label Studio takes it."""
        sequence = sorted([*self.keys, *self.made], key=lambda key: int(key["frame"]))
        counts = {"framesCount": frames, "duration": duration}
        names = {"from_name": layout.control, "to_name": layout.video, "type": "videorectangle"}
        value = {**counts, **self.given["value"], "sequence": sequence}
        return {"origin": "manual", **self.given, **names, "value": value}


@dataclass(frozen=True)
class Limits:
    """When following ends, besides at the end of the video.

    Attributes:
        frames: Frames after the last key frame; None: all.
        seconds: Time of one request; what was tracked by then is returned. Label Studio waits for
            100 seconds unless told otherwise.
    """

    frames: int | None = None
    seconds: float = 80.0


def regions_of(task: Mapping[str, Any], context: Mapping[str, Any] | None) -> list[Region]:
    """Return the rectangles to follow: those just drawn, or those of the newest annotation.

    Args:
        task: As Label Studio sends it.
        context: What the person does at the moment; None where predictions are asked for.

    Raises:
        ValueError: If a rectangle has another form.
    """
    results = (context or {}).get("result")
    if not results:
        annotations = [each for each in task.get("annotations") or [] if each.get("result")]
        newest = max(annotations, key=lambda each: str(each.get("updated_at", "")), default=None)
        results = [] if newest is None else newest["result"]
    if not isinstance(results, Sequence) or isinstance(results, str):
        raise ValueError(f"result {shown(results)}: expected a list of regions")
    found = [
        Region(each, _keys(each))
        for each in results
        if isinstance(each, Mapping) and each.get("type") == "videorectangle"
    ]
    if len(found) > MOST_REGIONS:
        raise ValueError(f"{len(found)} rectangles: expected at most {MOST_REGIONS} in a request")
    return [region for region in found if region.keys]


def follow_regions(
    video: Path, regions: Sequence[Region], layout: Layout, tracker: SiamTracker, limits: Limits
) -> tuple[list[dict[str, Any]], float]:
    """Follow rectangles from their key frames.

    A key frame that was given stays as it is, and the target starts again there. The frames between
    two of them are tracked, and those after the last one.

    Args:
        video: The file.
        regions: From `regions_of`.
        layout: Of the project.
        tracker: Empty; all rectangles run in one batch.
        limits: When to stop.

    Returns:
        The regions with their key frames, and the mean score in [0, 1].

    Raises:
        VideoError: If the video cannot be read.
        ValueError: If a box cannot start a target.
    """
    deadline = time.monotonic() + limits.seconds
    last = max(region.keys[-1]["frame"] for region in regions)
    first = min(region.keys[0]["frame"] for region in regions)
    with open_video(video) as probe:
        fps, total = probe.fps or layout.rate or 25.0, probe.frames_total
    rate = _rate(regions, layout, fps)
    begin = max(0, math.floor((first - 1) / rate * fps) - 1)
    seen = 0
    with open_video(video, start=begin) as frames:
        for frame in frames:
            # Label Studio counts frames by time: its own rate need not be that of the file.
            at = frame.index / fps if frame.time is None else frame.time
            number = max(round(at * rate) + 1, seen)
            beyond = limits.frames is not None and number > last + limits.frames
            if beyond or time.monotonic() > deadline or all(each.is_ended for each in regions):
                break
            size = (frame.image.shape[1], frame.image.shape[0])
            tracks = (
                {each.id: each for each in tracker.update_all(frame.image)} if tracker.ids else {}
            )
            for identity, region in enumerate(regions):
                # Start, or start again, at the key frames that were given; end where one says so.
                key = region.due(number)
                if key is not None and key["enabled"]:
                    tracker.add(frame.image, _pixels(key, size), identity)
                elif key is not None:
                    if identity in tracker.ids:
                        tracker.remove(identity)
                elif identity in tracks and number > seen:
                    region.add(tracks[identity], number, round((number - 1) / rate, 3), size)
            seen = number
    count = round(total / fps * rate) if total else seen
    scores = [score for region in regions for score in region.scores]
    duration = round(count / rate, 3)
    results = [region.result(layout, count, duration) for region in regions]
    return results, float(np.mean(scores)) if scores else 0.0


def _rate(regions: Sequence[Region], layout: Layout, fps: float) -> float:
    """Return by how many frames a second Label Studio counts."""
    for region in regions:
        value = region.given["value"]
        count, duration = value.get("framesCount"), value.get("duration")
        if _is_number(count, 1, 1e9) and _is_number(duration, 1e-3, 1e7):
            return float(count) / float(duration)
    return layout.rate or fps


def _keys(region: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the key frames of a region, checked, in their order."""
    value = region.get("value")
    sequence = value.get("sequence") if isinstance(value, Mapping) else None
    if not isinstance(sequence, Sequence) or isinstance(sequence, str):
        raise ValueError(f"region {shown(region.get('id'))} has no sequence of key frames")
    if len(sequence) > MOST_KEYS:
        raise ValueError(f"{len(sequence)} key frames: expected at most {MOST_KEYS}")
    keys = []
    for key in sequence:
        numbers = ("x", "y", "width", "height")
        good = isinstance(key, Mapping) and _is_number(key.get("frame"), 1, 1e9)
        if not good or not all(_is_number(key.get(name), -1e4, 1e4) for name in numbers):
            raise ValueError(
                f"key frame {shown(key)} of region {shown(region.get('id'))}: expected frame from "
                "1, and x, y, width and height in percent"
            )
        enabled = bool(key.get("enabled", True))
        keys.append({"rotation": 0, **key, "frame": int(key["frame"]), "enabled": enabled})
    return sorted(keys, key=lambda key: int(key["frame"]))


def _is_number(value: object, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _pixels(key: Mapping[str, Any], size: tuple[int, int]) -> Array:
    """Return the box ltwh (4,) of a key frame; of a turned one, the upright box around it."""
    width, height = size
    left, top = key["x"] / 100 * width, key["y"] / 100 * height
    wide, high = key["width"] / 100 * width, key["height"] / 100 * height
    angle = math.radians(float(key.get("rotation") or 0))
    if angle == 0:
        return np.array([left, top, wide, high])
    across = np.array([math.cos(angle), math.sin(angle)]) * wide  # it turns about its left top
    down = np.array([-math.sin(angle), math.cos(angle)]) * high
    corners = np.array([left, top]) + np.array([0 * across, across, down, across + down])
    return np.concatenate([corners.min(0), corners.max(0) - corners.min(0)])


def _percent(box: Array, size: tuple[int, int]) -> dict[str, float] | None:
    """Return the part of a box in the frame, in percent of it; None if there is none."""
    low = np.maximum(box[:2] / size, 0)
    high = np.minimum((box[:2] + box[2:]) / size, 1)
    if (high <= low).any():
        return None
    x, y, width, height = (100 * np.concatenate([low, high - low])).round(4).tolist()
    return {"x": x, "y": y, "width": width, "height": height}


def _key(number: int, seconds: float, box: Mapping[str, float], enabled: bool) -> dict[str, Any]:
    return {"frame": number, "time": seconds, "enabled": enabled, "rotation": 0, **box}
