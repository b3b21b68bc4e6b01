"""`siamtrack batch`: track the videos of a folder or a list, on as many processes as there are."""

from __future__ import annotations

import json
import logging
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tqdm import tqdm
from tyro.conf import Positional, arg

from siamtrack.cli.options import ModelName, Ray, RuntimeName
from siamtrack.core.parallel import RayCluster
from siamtrack.core.writing import check_outputs, owning, write_text
from siamtrack.errors import SiamtrackError
from siamtrack.packages.card import DEFAULT, model_paths
from siamtrack.runtimes import AUTO
from siamtrack.sinks import SINKS
from siamtrack.tracking.batch import Outcome, SharedModel, Video, find_videos, track_videos
from siamtrack.video import source_files

logger = logging.getLogger(__name__)

FAILED = "failed.jsonl"


@dataclass(frozen=True)
class Batch:
    """Track many videos, longest first, with one result file each. Run it again to resume.

    A video that fails does not stop the others: `failed.jsonl` lists it, and the exit code is 2.
    """

    place: Annotated[
        Positional[Path],
        arg(
            help="Folder of any depth with NAME.txt (as for --boxes of `siamtrack track`) beside "
            'each NAME.mp4; or a list in JSON Lines: {"video": "a.mp4", "box": [left, top, width, '
            'height]}, or "boxes": "a.txt" in place of the box; "name": "b" names the result.'
        ),
    ]
    out: Path
    """Folder for the results."""
    format: str = "csv"
    """Format of the results: csv, jsonl, coco, mp4, mot, otb, cvat or yolo; with --masks also
    cvat-masks, yolo-seg, yolo-obb, davis, vot or vot-rotated."""
    model: ModelName = DEFAULT
    workers: int = 1
    """Number of processes."""
    ray: Ray = None
    runtime: RuntimeName = AUTO
    threads: int = 1
    """Threads of the network in each process."""
    redetect: bool = False
    """Search more of the frame while a target is lost."""
    masks: bool = False
    """Outline targets: mp4, coco, cvat and jsonl hold masks then."""
    retries: int = 2
    """Number of further attempts at a video that fails."""
    overwrite: bool = False
    """Also track videos that already have results."""
    json: bool = False
    """Print the summary as JSON."""
    quiet: bool = False
    """Show no progress."""

    def run(self) -> None:
        """Track and print a summary."""
        needs = self.format in SINKS and getattr(SINKS[self.format], "needs_masks", False)
        if needs and not self.masks:
            raise ValueError(f"--format {self.format} holds nothing but masks: add --masks")
        logging.getLogger("siamtrack").setLevel(logging.INFO)
        with owning(self.out):
            self._run(find_videos(self.place, self.out, self.format))

    def _run(self, videos: list[Video]) -> None:
        self._check_files(videos)
        clock = time.perf_counter()
        with Progress(len(videos), quiet=self.quiet) as progress:
            outcomes = track_videos(
                videos,
                SharedModel(self.model, self.runtime, self.threads, self.redetect, self.masks),
                workers=self.workers
                if self.ray is None
                else RayCluster(self.ray, cpus=self.threads),
                retries=self.retries,
                overwrite=self.overwrite,
                tell=progress.within,
                done=progress.finished,
            )
        seconds = time.perf_counter() - clock
        failed = {str(out): each.error for out, each in outcomes.items() if each.error}
        file = self.out / FAILED
        lines = [json.dumps({"out": out, "error": error}) + "\n" for out, error in failed.items()]
        if lines:
            write_text(file, "".join(lines), "results that are finished stay")
        else:
            file.unlink(missing_ok=True)
        frames = sum(each.frames for each in outcomes.values())
        summary = {
            "videos": len(videos),
            "there": len(videos) - len(outcomes),
            "frames": frames,
            "tracked": len(outcomes) - len(failed),
            "failed": len(failed),
            "frames_per_second": round(frames / max(seconds, 1e-9), 1),
        }
        print(json.dumps(summary) if self.json else as_text(summary))
        if failed:
            raise SiamtrackError(
                f"{len(failed)} of {len(videos)} videos failed; {file} says why, and the same "
                "command tries them again"
            )

    def _check_files(self, videos: list[Video]) -> None:
        """Refuse to write to what is read."""
        read = [file for video in videos for file in (*source_files(video.source), video.given)]
        outputs = [*(video.out for video in videos), self.out / FAILED]
        check_outputs(outputs, [*read, *model_paths(self.model)])


class Progress:
    """How far a batch is: a bar on a terminal, otherwise a line of the log every few seconds.

    Args:
        videos: How many there are.
        quiet: Whether to show nothing.
        every: Seconds between two lines of the log.
    """

    def __init__(self, videos: int, *, quiet: bool, every: float = 10.0) -> None:
        self._quiet, self._every = quiet, every
        self._bar = tqdm(total=videos, unit=" videos", disable=quiet or None, file=sys.stderr)
        self._videos, self._done, self._told = videos, 0, time.monotonic()
        self._under_way: dict[Path, str] = {}

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def within(self, source: Path, frames: int, total: int | None) -> None:
        """Take in how many frames of a video are tracked, out of how many."""
        name = f"{source.parent.name}/{source.name}"
        self._under_way[source] = f"{name} {frames}/{total or '?'}"
        words = ", ".join(list(self._under_way.values())[-2:])
        if not self._bar.disable:
            self._bar.set_postfix_str(words)
        elif not self._quiet and time.monotonic() - self._told >= self._every:
            self._told = time.monotonic()
            logger.info("%d of %d videos done; frames: %s", self._done, self._videos, words)

    def finished(self, source: Path, outcome: Outcome) -> None:
        """Take in that a video is done, or failed for this time."""
        self._under_way.pop(source, None)
        self._done += not outcome.error
        self._bar.update(not outcome.error)


def as_text(summary: dict[str, float]) -> str:
    """Return a summary in words."""
    return (
        f"{summary['tracked']} videos tracked, {summary['there']} were there, {summary['failed']} "
        f"failed; {summary['frames']} frames, {summary['frames_per_second']} frames/s"
    )
