"""`siamtrack track`: follow targets through a video."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
from numpy.typing import ArrayLike
from tqdm import tqdm
from tyro.conf import Positional, Suppress, UseAppendAction, arg

from siamtrack.api import load
from siamtrack.cli.options import Box, ModelName, PrecisionName, RuntimeName
from siamtrack.cli.outputs import Outputs, Style
from siamtrack.core.writing import check_outputs, naming, refuse_existing, write_whole
from siamtrack.packages.card import DEFAULT, Precision, model_paths
from siamtrack.runtimes import AUTO, choose_runtime, cores
from siamtrack.sinks.draw import ruled
from siamtrack.sinks.text import labels_file, numbered
from siamtrack.tracking.follow import Starts, follow, read_boxes
from siamtrack.video import AHEAD, VideoSource, open_video, source_files


@dataclass(frozen=True)
class Track:
    """Follow one or more targets through a video, a stream, a camera or images.

    Without an output file, one line of CSV per target and frame goes to standard output.
    """

    source: Annotated[Positional[str], arg(metavar="SOURCE")]
    """Video file, folder or glob of images, rtsp:// or http:// address, or camera number."""
    box: Annotated[
        UseAppendAction[tuple[Box, ...]],
        arg(
            metavar="L T W H [name=NAME] [class=CLASS]",
            help="Target in the first frame: left, top, width, height in pixels, 0-based; outputs "
            "carry its name and class. Repeat for more.",
        ),
    ] = ()
    called: Suppress[tuple[tuple[str, str], ...]] = ()
    """Name and class of each box, from its `name=` and `class=`; empty where it has none."""
    boxes: Path | None = None
    """File with one target a line: `left top width height` or `frame id left top width height`."""
    ruler: Annotated[
        Path | None,
        arg(
            help="Write the first frame to this .png with lines numbered in pixels, to read a box "
            "off, with any given boxes drawn in, and do not track."
        ),
    ] = None
    model: ModelName = DEFAULT
    out: Annotated[
        UseAppendAction[tuple[Path, ...]],
        arg(
            help="Output file. Its suffix chooses the format: .mp4 (annotated video), .csv, "
            ".jsonl, .json (COCO), .xml (CVAT) or .zip (YOLO). Repeat for more."
        ),
    ] = ()
    mot: Path | None = None
    """Output file in MOTChallenge text, 1-based."""
    otb: Path | None = None
    """Output file in OTB text, 1-based."""
    keyframes: Annotated[
        float | None,
        arg(
            metavar="PIXELS",
            help="For .xml (CVAT): only as many key frames as keep each side of a box within so "
            "many pixels when CVAT interpolates between them; by default every frame is one.",
        ),
    ] = None
    start: int = 0
    """First frame, counted from 0."""
    end: int | None = None
    """First frame to leave out."""
    stride: int = 1
    """Use every n-th frame."""
    latest: bool = False
    """For cameras and streams: always use the newest frame, and count the dropped ones."""
    runtime: RuntimeName = AUTO
    precision: PrecisionName = "auto"
    threads: int = 0
    """Threads of the network; 0 lets the engine choose, or takes half of the cores where an
    annotated video is written beside it."""
    redetect: bool = False
    """Search more of the frame while a target is lost."""
    codec: str | None = None
    """Codec of annotated videos: h264 (default), vp9 or av1 (without GPL libraries), mpeg4; in
    hardware h264-nvenc, -qsv, -amf, -videotoolbox or -v4l2m2m."""
    preset: str | None = None
    """Preset of h264: ultrafast, superfast, veryfast (default) ... veryslow for smaller files."""
    overwrite: bool = False
    """Replace existing outputs."""
    json: bool = False
    """Print the summary as JSON."""
    quiet: bool = False
    """Show no progress bar."""

    def run(self) -> None:
        """Track and print a summary."""
        if self.ruler is not None:
            check_outputs([self.ruler], self._inputs())
            print(write_ruler(self.ruler, self._open(), self.box, self.overwrite))
            return
        starts = self._starts()
        files: list[tuple[Path, str | None]] = [(path, None) for path in self.out]
        files += [(path, kind) for path, kind in ((self.mot, "mot"), (self.otb, "otb")) if path]
        self._check_files([path for path, _ in files], starts)
        summary = run_track(
            self._open(),
            starts,
            model=self.model,
            files=files,
            runtime=self.runtime,
            precision=self.precision,
            threads=self.threads,
            redetect=self.redetect,
            overwrite=self.overwrite,
            quiet=self.quiet,
            style=self._style(starts, [path for path, _ in files]),
        )
        if self.json:
            print(json.dumps(summary), file=sys.stdout if files else sys.stderr)
        else:
            print(as_text(summary), file=sys.stdout if files else sys.stderr)

    def _check_files(self, outputs: list[Path], starts: Starts) -> None:
        """Refuse to write to what is read, before anything is opened."""
        if self.mot is not None and any(kind for _, kind in self.called):
            outputs = [*outputs, labels_file(self.mot)]
        if self.otb is not None:
            targets = len({number for each in starts.values() for number in each})
            outputs = outputs + [numbered(self.otb, k) for k in range(2, targets + 1)]
        check_outputs(outputs, self._inputs())

    def _inputs(self) -> list[Path]:
        boxes = [] if self.boxes is None else [self.boxes]
        return [*source_files(self.source), *boxes, *model_paths(self.model)]

    def _open(self) -> VideoSource:
        source = int(self.source) if self.source.isdecimal() else self.source
        return open_video(
            source,
            start=self.start,
            end=self.end,
            stride=self.stride,
            latest=self.latest,
            ahead=AHEAD,
        )

    def _starts(self) -> Starts:
        starts = read_boxes(self.boxes, self.start) if self.boxes else {}
        first = starts.setdefault(self.start, {}) if self.box else {}
        taken = {number for targets in starts.values() for number in targets}
        for number, box in zip(self._free(taken), self.box, strict=True):
            first[number] = list(box)  # type: ignore[assignment]
        if not starts:
            raise ValueError(
                "no target: give --box LEFT TOP WIDTH HEIGHT, or --boxes FILE; --ruler first.png "
                "writes the first frame to read a box off, `siamtrack studio VIDEO` draws boxes in "
                "the browser"
            )
        return starts

    def _free(self, taken: Collection[int]) -> list[int]:
        """Return the ids of the targets of `--box`: the first that `--boxes` does not take."""
        numbers = range(len(taken) + len(self.box))
        return [number for number in numbers if number not in taken][: len(self.box)]

    def _style(self, starts: Starts, outputs: Iterable[Path]) -> Style:
        """Return how outputs show the targets.

        Raises:
            ValueError: If there are key frames to choose and no file that has them.
        """
        if self.keyframes is not None and not any(p.suffix.lower() == ".xml" for p in outputs):
            raise ValueError(
                f"--keyframes {self.keyframes:g}: no output has key frames; add --out NAME.xml "
                "(CVAT)"
            )
        first = starts.get(self.start, {})
        numbers = list(first)[len(first) - len(self.box) :]
        called = dict(zip(numbers, self.called, strict=False))
        return Style(
            {number: name for number, (name, _) in called.items() if name},
            {number: kind for number, (_, kind) in called.items() if kind},
            self.keyframes,
            self.codec,
            self.preset,
        )


def run_track(
    video: VideoSource,
    starts: Starts,
    *,
    model: str,
    files: list[tuple[Path, str | None]],
    runtime: str = AUTO,
    precision: Precision = "auto",
    threads: int = 0,
    redetect: bool = False,
    overwrite: bool = False,
    quiet: bool = False,
    style: Style | None = None,
) -> dict[str, object]:
    """Track, write all outputs and return a summary that JSON can hold."""
    frames, states, following = 0, Counter[str](), 0.0
    fps = None if video.fps is None else video.fps / video.span.stride
    with video:
        encoding = any(kind == "mp4" or path.suffix.lower() == ".mp4" for path, kind in files)
        threads = threads or (max(1, cores() // 2) if encoding else 0)  # the encoder needs some too
        tracker = load(
            model, runtime=runtime, precision=precision, threads=threads, redetect=redetect
        )
        results = follow(video, starts, tracker)
        # Frames are read ahead and slow outputs written behind, in threads: three clocks, one wall.
        begun = time.perf_counter()
        with Outputs(files, overwrite=overwrite, fps=fps, style=style) as outputs:
            bar = tqdm(
                total=video.frames_total, unit=" frames", disable=quiet or None, file=sys.stderr
            )
            with bar:
                clock = time.perf_counter()
                for frame, tracks in results:
                    following += time.perf_counter() - clock
                    outputs.write(frame, tracks)
                    frames += 1
                    states.update(track.state.value for track in tracks)
                    bar.update()
                    clock = time.perf_counter()
        seconds = time.perf_counter() - begun  # the files are finished
    busy = {"read": video.busy, "track": following - video.waited, "write": outputs.busy}
    return {
        "source": video.name,
        "model": model,
        "runtime": choose_runtime(runtime),
        "precision": tracker.model.precision,
        "targets": len({number for targets in starts.values() for number in targets}),
        "frames": frames,
        "dropped": video.dropped,
        "frames_per_second": round(frames / max(seconds, 1e-9), 1),
        "milliseconds": {part: round(1e3 * busy[part] / max(frames, 1), 2) for part in busy},
        "states": dict(states),
        "outputs": [str(path) for path, _ in files],
    }


def as_text(summary: dict[str, object]) -> str:
    """Return a summary in words."""
    states = summary["states"]
    assert isinstance(states, dict)
    words = ", ".join(f"{count} {state}" for state, count in states.items()) or "none"
    dropped = f", {summary['dropped']} dropped" if summary["dropped"] else ""
    lines = [
        f"{summary['frames']} frames{dropped}, {summary['targets']} target(s) with model "
        f"{summary['model']}: {words}; {summary['frames_per_second']} frames/s from the first "
        f"frame to finished files ({_shares(summary['milliseconds'])})"
    ]
    outputs = summary["outputs"]
    assert isinstance(outputs, list)
    return "\n".join(lines + [f"wrote {path}" for path in outputs])


def _shares(milliseconds: object) -> str:
    """Return what of the work, some of it side by side, was reading, tracking and writing."""
    assert isinstance(milliseconds, dict)
    whole = max(sum(milliseconds.values()), 1e-9)
    names = {"read": "reading", "track": "tracking", "write": "drawing and writing"}
    return ", ".join(f"{name} {milliseconds[key] / whole:.0%}" for key, name in names.items())


def write_ruler(
    path: Path, video: VideoSource, boxes: Iterable[ArrayLike] = (), overwrite: bool = False
) -> str:
    """Write the first frame with rulers, and return in words what was written.

    Raises:
        ValueError: If the path does not end in .png.
        FileExistsError: If it exists and `overwrite` is false.
        VideoError: If there is no frame.
    """
    if path.suffix.lower() != ".png":
        raise ValueError(f"--ruler {path}: expected an ending of .png")
    refuse_existing(path, overwrite)
    with video:
        frame = next(iter(video))
    height, width, _ = frame.image.shape
    picture = cv2.cvtColor(ruled(frame.image, boxes), cv2.COLOR_RGB2BGR)
    with naming(path, "no picture is left"):
        write_whole(path, cv2.imencode(".png", picture)[1].tobytes())
    return (
        f"wrote {path}: frame {frame.index} of {width}x{height} pixels; read LEFT TOP WIDTH HEIGHT "
        "off its lines, for --box"
    )
