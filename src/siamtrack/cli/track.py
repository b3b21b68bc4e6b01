"""`siamtrack track`: follow targets through a video."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tqdm import tqdm
from tyro.conf import Positional, UseAppendAction, arg

from siamtrack.api import load
from siamtrack.cli.outputs import Outputs
from siamtrack.cli.ruler import write_ruler
from siamtrack.core.writing import check_outputs
from siamtrack.packages.card import DEFAULT, Precision, model_paths
from siamtrack.runtimes import AUTO, choose_runtime
from siamtrack.sinks.text import numbered
from siamtrack.tracking.follow import Starts, follow, read_boxes
from siamtrack.video import VideoSource, open_video, source_files

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Track:
    """Follow one or more targets through a video, a stream, a camera or images.

    Without any output, one line of CSV per target and frame goes to standard output.
    """

    source: Annotated[Positional[str], arg(metavar="SOURCE")]
    """Video file, folder or glob of images, rtsp:// or http:// address, or camera number."""
    box: Annotated[UseAppendAction[tuple[Box, ...]], arg(metavar="L T W H")] = ()
    """Target in the first frame: left, top, width, height in pixels, 0-based. Repeat for more."""
    boxes: Path | None = None
    """File of targets: a line each, `left top width height` or `frame id left top width height`."""
    ruler: Path | None = None
    """Only write the first frame to this picture (.png), with lines that are numbered in pixels, to
    read a box off; the boxes that were given are drawn on it."""
    model: str = DEFAULT
    """Model: a name that `siamtrack models` shows, or a folder written by `siamtrack export`."""
    out: UseAppendAction[tuple[Path, ...]] = ()
    """Output by its suffix: .mp4 (annotated), .csv, .jsonl, .json (COCO), .xml (CVAT), .zip (YOLO).
    Repeat for more."""
    mot: Path | None = None
    """File to write as MOTChallenge text, 1-based."""
    otb: Path | None = None
    """File to write as OTB text, 1-based."""
    start: int = 0
    """First frame to take, from 0."""
    end: int | None = None
    """Frame to stop before."""
    stride: int = 1
    """Take every Nth frame."""
    latest: bool = False
    """Cameras and streams: always take the newest frame and count the dropped ones."""
    runtime: str = AUTO
    """Engine of the network: auto (onnx), onnx, openvino, openvino-bf16, torch and others; see
    docs/runtimes.md."""
    precision: Precision = "auto"
    """Of the network: int8 is faster where the processor can, float32 is the same everywhere."""
    threads: int = 0
    """Threads of the network; 0: as many as help."""
    redetect: bool = False
    """Search more of the frame while a target is lost."""
    codec: str | None = None
    """Of annotated videos: h264 (default), vp9 or av1 (no library under the GPL), mpeg4."""
    preset: str | None = None
    """Of h264: ultrafast, superfast, veryfast (default) to veryslow: smaller files, more time."""
    overwrite: bool = False
    """Replace outputs that exist."""
    json: bool = False
    """Print the summary as JSON."""
    quiet: bool = False
    """No progress bar."""

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
            codec=self.codec,
            preset=self.preset,
        )
        if self.json:
            print(json.dumps(summary), file=sys.stdout if files else sys.stderr)
        else:
            print(as_text(summary), file=sys.stdout if files else sys.stderr)

    def _check_files(self, outputs: list[Path], starts: Starts) -> None:
        """Refuse to write to what is read, before anything is opened."""
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
            source, start=self.start, end=self.end, stride=self.stride, latest=self.latest
        )

    def _starts(self) -> Starts:
        starts = read_boxes(self.boxes, self.start) if self.boxes else {}
        first = starts.setdefault(self.start, {}) if self.box else {}
        taken = {number for targets in starts.values() for number in targets}
        free = (number for number in range(len(taken) + len(self.box)) if number not in taken)
        for box in self.box:
            first[next(free)] = list(box)  # type: ignore[assignment]
        if not starts:
            raise ValueError(
                "no target: give --box LEFT TOP WIDTH HEIGHT, or --boxes FILE; --ruler first.png "
                "writes the first frame to read a box off, `siamtrack studio VIDEO` draws boxes in "
                "the browser"
            )
        return starts


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
    codec: str | None = None,
    preset: str | None = None,
) -> dict[str, object]:
    """Track, write all outputs and return a summary that JSON can hold."""
    frames, states, seconds = 0, Counter[str](), 0.0
    fps = None if video.fps is None else video.fps / video.span.stride
    with video:
        tracker = load(
            model, runtime=runtime, precision=precision, threads=threads, redetect=redetect
        )
        results = follow(video, starts, tracker)
        with Outputs(files, overwrite=overwrite, fps=fps, codec=codec, preset=preset) as outputs:
            bar = tqdm(
                total=video.frames_total, unit=" frames", disable=quiet or None, file=sys.stderr
            )
            with bar:
                clock = time.perf_counter()
                for frame, tracks in results:
                    seconds += time.perf_counter() - clock
                    outputs.write(frame, tracks)
                    frames += 1
                    states.update(track.state.value for track in tracks)
                    bar.update()
                    clock = time.perf_counter()
    return {
        "source": video.name,
        "model": model,
        "runtime": choose_runtime(runtime),
        "precision": tracker.model.precision,
        "targets": len({number for targets in starts.values() for number in targets}),
        "frames": frames,
        "dropped": video.dropped,
        "frames_per_second": round(frames / max(seconds, 1e-9), 1),
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
        f"{summary['model']}: {words}; {summary['frames_per_second']} frames/s with reading"
    ]
    outputs = summary["outputs"]
    assert isinstance(outputs, list)
    return "\n".join(lines + [f"wrote {path}" for path in outputs])
