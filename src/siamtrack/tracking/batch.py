"""Thousands of videos: what there is to do, and one of them done."""

from __future__ import annotations

import contextlib
import glob
import itertools
import json
import logging
import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from siamtrack.core.config import shown
from siamtrack.core.files import text_of
from siamtrack.core.images import image_files
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
from siamtrack.sinks import SINKS, SUFFIXES, BehindSink, open_sink
from siamtrack.sinks.text import numbered
from siamtrack.tracking.follow import follow, read_boxes
from siamtrack.tracking.outline import Outliner, load_outliner
from siamtrack.tracking.tracker import SiamTracker
from siamtrack.video import AHEAD, open_video
from siamtrack.video.files import is_video, stated_frames

logger = logging.getLogger(__name__)

ENDINGS = {format: suffix for suffix, format in SUFFIXES.items()} | {
    "cvat-masks": ".xml",
    **dict.fromkeys(("yolo-seg", "yolo-obb", "davis"), ".zip"),
}
"""Format of the results to the ending of their files, where it is not `.txt`."""
FRAMES = frozenset({"img", "img1", "imgs", "images", "frames", "color"})
"""What data sets call the folder of a clip's images; the result is named after the one above it."""
BYTES = 20_000.0
"""Bytes of a frame of video, where its headers do not tell how many it has."""
NEWS = 0.5
"""Seconds between two reports of progress within a video."""

Tell = Callable[[Path, int, int | None], None]
"""Takes the source of a video, frames tracked, and frames of all, if known."""


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

    def length(self) -> float:
        """Return the number of frames, as the headers state it or the size suggests."""
        if self.source.is_dir():
            return float(len(image_files(self.source.iterdir())))
        return float(stated_frames(self.source) or files_state([self.source])["bytes"] / BYTES)

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
    masks: bool = False

    def made(self) -> dict[str, Any]:
        """Return what tells its results from those of others."""
        masks = {"masks": _outliner(self.threads).card.sha256} if self.masks else {}
        return {**model_made(self.model, self.runtime), "redetect": self.redetect, **masks}

    def __call__(self) -> SiamTracker:
        """Return a new tracker."""
        model = _loaded(self.model, self.runtime, self.threads)
        outliner = _outliner(self.threads) if self.masks else None
        return SiamTracker(model, redetect=self.redetect, outliner=outliner)


@lru_cache(maxsize=1)
def _loaded(model: str, runtime: str, threads: int) -> Model:
    return load_model(model, runtime=runtime, threads=threads)


@lru_cache(maxsize=1)
def _outliner(threads: int) -> Outliner:
    return load_outliner(threads=threads)


def find_videos(place: Path, out: Path, format: str = "csv") -> list[Video]:
    """Return the videos of a folder or a list.

    Args:
        place: Folder, searched to any depth for `NAME.txt` with boxes beside a video `NAME.*` or a
            folder of images `NAME`; or JSON Lines with `video` and either `box` (left, top, width,
            height in the first frame) or `boxes` (a file of them), paths relative to the list, and
            if wanted `name`.
        out: Folder for the results. Those of a folder have the places and names of its videos;
            those of a list have the names it gives, otherwise those of the videos, and for images
            in `Car/img` that of the folder above, `Car`.
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
            source, starts, read, name = _listed(line, place, number)
            videos.append(Video(source, starts, out / f"{name}{ending}", format, read))
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
                f"{video.source} and {seen[video.out]} would both write {video.out}: rename one, "
                'or give each a "name" in a list'
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
    tell: Tell | None = None,
    done: Callable[[Path, Outcome], None] | None = None,
) -> dict[Path, Outcome]:
    """Track all videos whose results are not there yet; one that fails stops no other.

    Args:
        videos: From `find_videos`.
        tracker: What to track with.
        workers: Number of processes, or a cluster.
        retries: How often what fails is tried again, a process that was killed included, unless
            its error is final.
        overwrite: Track those that have results, too.
        tell: Called with the progress within videos about twice a second, from any thread; not on
            a cluster.
        done: Called with each source and its outcome as it comes; again if it is tried again.

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
    with _told(tell, workers) as news:
        work = track_video if news is None else partial(track_video, tell=news)
        for attempt in range(retries + 1):
            left = [v for v in todo if _may_help(outcomes.get(v.out))]
            if not left:
                break
            try:
                for index, outcome in run_jobs(work, tracker, left, workers, Video.length):
                    outcomes[left[index].out] = outcome
                    if done is not None:
                        done(left[index].source, outcome)
                    if outcome.error:
                        again = "not tried again" if outcome.final else f"try {attempt + 1}"
                        logger.warning("%s (%s)", outcome.error, again)
            except WorkerDiedError:
                logger.warning("a process was killed (try %d)", attempt + 1)
                for video in left:
                    outcomes.setdefault(video.out, Outcome(0, f"{video.source}: its process died"))
    return outcomes


@contextlib.contextmanager
def _told(tell: Tell | None, workers: Workers) -> Iterator[Tell | None]:
    """Give what workers call to report progress: through a queue from other processes."""
    if tell is None or not isinstance(workers, int) or workers < 2:
        yield tell if isinstance(workers, int) else None
        return
    with multiprocessing.get_context("spawn").Manager() as manager:
        queue = manager.Queue()
        thread = threading.Thread(target=_pass_on, args=(queue, tell), daemon=True)
        thread.start()
        try:
            yield _ToQueue(queue)
        finally:
            queue.put(None)
            thread.join(5.0)


def _pass_on(queue: Any, tell: Tell) -> None:
    with contextlib.suppress(EOFError, OSError):  # the manager ends with an interrupted run
        while (news := queue.get()) is not None:
            tell(*news)


@dataclass(frozen=True)
class _ToQueue:
    queue: Any

    def __call__(self, source: Path, frames: int, total: int | None) -> None:
        with contextlib.suppress(EOFError, OSError):  # progress is no reason to fail
            self.queue.put((source, frames, total))


def track_video(tracker: Any, video: Video, tell: Tell | None = None) -> Outcome:
    """Track one video; its result appears whole or not at all."""
    starts: dict[int, dict[int, tuple[float, ...]]] = {}
    for first, number, *box in video.boxes:
        starts.setdefault(int(first), {})[int(number)] = tuple(box)
    frames, told = 0, time.monotonic()
    try:
        video.out.parent.mkdir(parents=True, exist_ok=True)
        tracker.clear()
        with (
            recording(video.out, video.made),
            replacing(video.out) as part,
            _others(part, video.out),
            open_video(video.source, ahead=AHEAD, planes=video.format == "mp4") as source,
            BehindSink(open_sink(part, format=video.format, fps=source.fps)) as sink,
        ):
            sink.sink.title = video.out.stem
            for frame, tracks in follow(source, starts, tracker):
                sink.write(frame, tracks)
                frames += 1
                if tell is not None and time.monotonic() - told >= NEWS:
                    told = time.monotonic()
                    tell(video.source, frames, source.frames_total)
    except (SiamtrackError, ValueError, OSError) as error:
        return Outcome(frames, f"{video.source}: {error}", isinstance(error, ValueError))
    return Outcome(frames)


@contextlib.contextmanager
def _others(part: Path, out: Path) -> Iterator[None]:
    """Put the files of further targets, as OTB and VOT have them, beside that of the first."""
    try:
        yield
        for number in itertools.count(2):
            if not numbered(part, number).exists():
                break
            numbered(part, number).replace(numbered(out, number))
    finally:
        for left in part.parent.glob(f"{glob.escape(part.stem)}_*{part.suffix}"):
            left.unlink(missing_ok=True)


def _may_help(outcome: Outcome | None) -> bool:
    """Whether to try a video, of which this came before, again."""
    return outcome is None or bool(outcome.error and not outcome.final)


def _beside(boxes: Path) -> Path:
    found = [p for p in boxes.parent.glob(f"{boxes.stem}*") if p.stem == boxes.stem and p != boxes]
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise DatasetError(
            f"{boxes}: expected one video of that name beside it, found {names}; folders such as "
            'Car/img go by a list of lines {"video": "Car/img", "box": [left, top, width, height]}'
        )
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
) -> tuple[Path, tuple[tuple[float, ...], ...], Path, str]:
    """Return source, starts, the file that they are in, and the name of the result."""
    try:
        values = json.loads(line)
        if not isinstance(values, Mapping) or ("box" in values) == ("boxes" in values):
            raise ValueError("give `video` and one of `box` and `boxes`")
        if more := values.keys() - {"video", "box", "boxes", "name"}:
            raise ValueError(
                f"nothing is known of {min(more)!r}; targets that start later go into a file of "
                "`boxes`, as `frame id left top width height`"
            )
        source = place.parent / values["video"]
        name = values.get("name") or _name(source)
        if not isinstance(name, str) or name in (".", "..") or set(name) & set("/\\\0"):
            raise ValueError(f"name {name!r}: expected the name of a file without its ending")
        if "boxes" in values:
            boxes = place.parent / values["boxes"]
            return source, _starts(boxes), boxes, name
        left, top, width, height = (float(value) for value in values["box"])
    except (ValueError, TypeError, KeyError) as error:
        raise DatasetError(
            f"{place}: line {number} is no video ({error}); expected "
            '{"video": "a.mp4", "box": [left, top, width, height]}'
        ) from error
    if not source.exists():
        raise DatasetError(f"{place}: line {number}: {source} does not exist")
    return source, ((0.0, 0.0, left, top, width, height),), place, name


def _name(source: Path) -> str:
    """Return the name of a video's result: its own, or that of the folder of an OTB sequence."""
    return source.parent.name if source.name in FRAMES and source.parent.name else source.stem
