"""Thousands of videos: what there is to do, and one of them done."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from siamtrack.core.config import shown
from siamtrack.core.files import text_of
from siamtrack.core.parallel import Workers, run_jobs
from siamtrack.core.provenance import (
    Made,
    differences,
    files_state,
    recording,
    refuse_stale,
    warn_unrecorded,
)
from siamtrack.core.writing import replacing
from siamtrack.errors import DatasetError, SiamtrackError, WorkerDiedError
from siamtrack.packages.card import Model, load_model, model_made
from siamtrack.sinks import SINKS, SUFFIXES, open_sink
from siamtrack.tracking.follow import follow, read_boxes
from siamtrack.tracking.tracker import SiamTracker
from siamtrack.video import open_video
from siamtrack.video.files import is_video

logger = logging.getLogger(__name__)

ENDINGS = {format: suffix for suffix, format in SUFFIXES.items()}
"""Format of the results to the ending of their files, where it is not `.txt`."""


@dataclass(frozen=True)
class Video:
    """One video to track.

    Attributes:
        source: File, or folder of images.
        boxes: Where targets start: frame, id, left, top, width, height of each.
        out: File for the tracks.
        format: Name of a sink.
        given: File that says where targets start.
        made: What the result is made of; `track_videos` says.
    """

    source: Path
    boxes: tuple[tuple[float, ...], ...]
    out: Path
    format: str

    given: Path
    made: Made = field(default_factory=dict)

    def size(self) -> float:
        """Return the bytes of the source: the best guess of its length without opening it."""
        return float(files_state(self._files())["bytes"])

    def made_by(self, tracker: Made) -> Video:
        """Return this, with what its result is made of: the tracker, its boxes and its source."""
        with contextlib.suppress(OSError):  # a source that is gone fails when it is tracked
            tracker = {**tracker, "source": files_state(self._files())}
        return replace(self, made={**tracker, "boxes": [list(box) for box in self.boxes]})

    def _files(self) -> list[Path]:
        return sorted(self.source.iterdir()) if self.source.is_dir() else [self.source]


@dataclass(frozen=True)
class Outcome:
    """What came of a video: frames tracked, or why it failed.

    `final` errors, such as a box that does not fit the frame, come again with every try.
    """

    frames: int = 0
    error: str = ""
    final: bool = False


@dataclass(frozen=True)
class SharedModel:
    """Makes trackers; those of one process share a network. Can go to other processes."""

    model: str
    runtime: str = "auto"
    threads: int = 1
    redetect: bool = False

    def made(self) -> dict[str, Any]:
        """Return what tells its results from those of others."""
        return {**model_made(self.model, self.runtime), "redetect": self.redetect}

    def __call__(self) -> SiamTracker:
        """Return a new tracker."""
        return SiamTracker(_loaded(self.model, self.runtime, self.threads), redetect=self.redetect)


@lru_cache(maxsize=1)
def _loaded(model: str, runtime: str, threads: int) -> Model:
    return load_model(model, runtime=runtime, threads=threads)


def find_videos(place: Path, out: Path, format: str = "csv") -> list[Video]:
    """Return the videos of a folder or a list.

    Args:
        place: Folder, searched to any depth for `NAME.txt` with boxes beside a video `NAME.*` or a
            folder of images `NAME`; or JSON Lines with `video` and either `box` (left, top, width,
            height in the first frame) or `boxes` (a file of them), paths relative to the list.
        out: Folder for the results, which have the videos' names.
        format: Name of a sink.

    Raises:
        UnknownNameError: If there is no such format.
        DatasetError: If there is nothing, a video or its boxes are missing, or two results would
            have the same name.
    """
    if format not in SINKS:
        raise SINKS.unknown(format)
    ending = ENDINGS.get(format, ".txt")
    videos = []
    if place.is_dir():
        inside = place.resolve() in out.resolve().parents
        for boxes in sorted(place.rglob("*.txt")):
            if inside and out.resolve() in boxes.resolve().parents:
                continue  # results of ours
            source = _beside(boxes)
            target = (out / source.relative_to(place)).with_suffix(ending)
            videos.append(Video(source, _starts(boxes), target, format, boxes))
    else:
        for number, line in enumerate(_lines(place), 1):
            source, starts, read = _listed(line, place, number)
            videos.append(Video(source, starts, out / f"{source.stem}{ending}", format, read))
    if not videos:
        raise DatasetError(
            f"{place}: no videos with boxes; expected NAME.txt with a line `left top width height` "
            "for each target beside NAME.mp4, or a list of videos in place of the folder"
        )
    if place.is_dir() and (without := _without_boxes(place, out, videos)):
        logger.warning(
            "%d video(s) without a file of boxes left out: %s",
            len(without),
            ", ".join(path.name for path in without[:3]) + (", ..." if len(without) > 3 else ""),
        )
    seen: dict[Path, Path] = {}
    for video in videos:
        if video.out in seen:
            raise DatasetError(
                f"{video.source} and {seen[video.out]} would both write {video.out}: rename one"
            )
        seen[video.out] = video.source
    return videos


def track_videos(
    videos: Sequence[Video],
    tracker: SharedModel,
    *,
    workers: Workers = 1,
    retries: int = 2,
    overwrite: bool = False,
) -> dict[Path, Outcome]:
    """Track all videos whose results are not there yet; one that fails stops no other.

    Args:
        videos: From `find_videos`.
        tracker: What to track with.
        workers: Number of processes, or a cluster.
        retries: How often what fails is tried again, a process that was killed included, unless
            its error is final.
        overwrite: Track those that have results, too.

    Returns:
        Result file to outcome, of the videos that were to do.

    Raises:
        StaleResultsError: If results that are there were made in another way, by another model for
            instance, and `overwrite` is false; nothing is tracked then.
        ValueError: If `workers` is below 1, or `retries` below 0.
    """
    if retries < 0:
        raise ValueError(f"retries {shown(retries)}: expected a number from 0")
    made = tracker.made()
    todo, stale, same = [], {}, []
    for video in (video.made_by(made) for video in videos):
        differs = differences(video.out, video.made) if video.out.exists() else None
        if overwrite or differs is None:
            todo.append(video)
        elif differs:
            stale[video.out] = differs
        else:
            same.append(video.out)
    refuse_stale(stale, len(videos))
    warn_unrecorded(same, len(videos))
    logger.info("%d videos finished, %d to do", len(videos) - len(todo), len(todo))
    outcomes: dict[Path, Outcome] = {}
    for attempt in range(retries + 1):
        left = [v for v in todo if _may_help(outcomes.get(v.out))]
        if not left:
            break
        try:
            for index, outcome in run_jobs(track_video, tracker, left, workers, Video.size):
                outcomes[left[index].out] = outcome
                if outcome.error:
                    again = "not tried again" if outcome.final else f"try {attempt + 1}"
                    logger.warning("%s (%s)", outcome.error, again)
        except WorkerDiedError:
            logger.warning("a process was killed (try %d)", attempt + 1)
            for video in left:
                outcomes.setdefault(video.out, Outcome(0, f"{video.source}: its process died"))
    return outcomes


def track_video(tracker: Any, video: Video) -> Outcome:
    """Track one video; its result appears whole or not at all."""
    starts: dict[int, dict[int, tuple[float, ...]]] = {}
    for first, number, *box in video.boxes:
        starts.setdefault(int(first), {})[int(number)] = tuple(box)
    frames = 0
    try:
        video.out.parent.mkdir(parents=True, exist_ok=True)
        tracker.clear()
        with (
            recording(video.out, video.made),
            replacing(video.out) as part,
            open_video(video.source) as source,
            open_sink(part, format=video.format, fps=source.fps) as sink,
        ):
            sink.title = video.out.stem
            for frame, tracks in follow(source, starts, tracker):
                sink.write(frame, tracks)
                frames += 1
    except (SiamtrackError, ValueError, OSError) as error:
        return Outcome(frames, f"{video.source}: {error}", isinstance(error, ValueError))
    return Outcome(frames)


def _may_help(outcome: Outcome | None) -> bool:
    """Whether to try a video, of which this came before, again."""
    return outcome is None or bool(outcome.error and not outcome.final)


def _beside(boxes: Path) -> Path:
    found = [p for p in boxes.parent.glob(f"{boxes.stem}*") if p.stem == boxes.stem and p != boxes]
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise DatasetError(f"{boxes}: expected one video of that name beside it, found {names}")
    return found[0]


def _without_boxes(place: Path, out: Path, videos: Sequence[Video]) -> list[Path]:
    """Return the video files of a folder that nobody gave boxes for; results are none of them."""
    known, results = {video.source for video in videos}, out.resolve()
    return [
        path
        for path in sorted(place.rglob("*"))
        if is_video(path) and path not in known and results not in path.resolve().parents
    ]


def _starts(file: Path) -> tuple[tuple[float, ...], ...]:
    return tuple(
        (float(frame), float(number), *(float(value) for value in box))
        for frame, targets in read_boxes(file, 0).items()
        for number, box in targets.items()
    )


def _lines(place: Path) -> list[str]:
    try:
        return [line for line in text_of(place).splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(
            f"{place}: no folder and no list of videos, JSON Lines ({error}); one video alone goes "
            "to `siamtrack track`"
        ) from error


def _listed(
    line: str, place: Path, number: int
) -> tuple[Path, tuple[tuple[float, ...], ...], Path]:
    """Return source, starts and the file that they are in."""
    try:
        values = json.loads(line)
        if not isinstance(values, Mapping) or ("box" in values) == ("boxes" in values):
            raise ValueError("give `video` and one of `box` and `boxes`")
        if more := values.keys() - {"video", "box", "boxes"}:
            raise ValueError(
                f"nothing is known of {min(more)!r}; targets that start later go into a file of "
                "`boxes`, as `frame id left top width height`"
            )
        source = place.parent / values["video"]
        if "boxes" in values:
            boxes = place.parent / values["boxes"]
            return source, _starts(boxes), boxes
        left, top, width, height = (float(value) for value in values["box"])
    except (ValueError, TypeError, KeyError) as error:
        raise DatasetError(
            f"{place}: line {number} is no video ({error}); expected "
            '{"video": "a.mp4", "box": [left, top, width, height]}'
        ) from error
    if not source.exists():
        raise DatasetError(f"{place}: line {number}: {source} does not exist")
    return source, ((0.0, 0.0, left, top, width, height),), place
