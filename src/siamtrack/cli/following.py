"""Tracking with a progress bar, all outputs and a summary; and the frame with rulers."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
from numpy.typing import ArrayLike
from tqdm import tqdm

from siamtrack.cli.options import Outputs, Style
from siamtrack.cli.show import Viewer
from siamtrack.core.writing import naming, refuse_existing, write_whole
from siamtrack.runtimes import cores
from siamtrack.sinks.draw import ruled
from siamtrack.tracking.detections import Detections
from siamtrack.tracking.detector import Detect
from siamtrack.tracking.follow import Starts, follow
from siamtrack.tracking.smooth import smoothed
from siamtrack.tracking.tracker import SiamTracker
from siamtrack.video import VideoSource


def run_track(
    video: VideoSource,
    starts: Starts,
    tracker: SiamTracker,
    *,
    model: str,
    files: list[tuple[Path, str | None]],
    smooth: int = 0,
    detections: Detections | Detect | None = None,
    overwrite: bool = False,
    quiet: bool = False,
    style: Style | None = None,
    table: bool = True,
    viewer: Viewer | None = None,
    state: dict[str, Any] | None = None,
) -> dict[str, object]:
    """Track, write all outputs and return a summary that JSON can hold.

    Args:
        video: What to track in; it is closed.
        starts: Where targets start.
        tracker: From `siamtrack.load`, without targets.
        model: Its name or folder, for the summary.
        files: (path, format or None) of each output.
        smooth: Frames on either side over which each box is averaged.
        detections: What a detector sees in each frame, or the detector; None: there is none.
        overwrite: Whether files that exist may be replaced.
        quiet: Whether to show no progress bar.
        style: How outputs show what is tracked.
        table: Whether lines of CSV are printed where there are no files.
        viewer: Shows the frames, and may end the run.
        state: Is told `frames`, `total` and `speed`.
    """
    frames, states, following = 0, Counter[str](), 0.0
    fps = None if video.fps is None else video.fps / video.span.stride
    with video:
        results = follow(video, starts, tracker, detections=detections)
        results = smoothed(results, smooth) if smooth else results
        # Frames are read ahead and slow outputs written behind, in threads: three clocks, one wall.
        begun = time.perf_counter()
        with Outputs(files, overwrite=overwrite, fps=fps, style=style, table=table) as outputs:
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
                    if state is not None:
                        speed = frames / max(time.perf_counter() - begun, 1e-9)
                        state.update(frames=frames, total=video.frames_total, speed=speed)
                    if viewer is not None and not viewer.show(frame, tracks):
                        break
                    clock = time.perf_counter()
        seconds = time.perf_counter() - begun  # the files are finished
    busy = {"read": video.busy, "track": following - video.waited, "write": outputs.busy}
    return {
        "source": video.name,
        "model": model,
        "runtime": tracker.model.loaded and tracker.model.loaded.runtime,
        "precision": tracker.model.precision,
        "targets": len({number for targets in starts.values() for number in targets}),
        "frames": frames,
        "dropped": video.dropped,
        "frames_per_second": round(frames / max(seconds, 1e-9), 1),
        "milliseconds": {part: round(1e3 * busy[part] / max(frames, 1), 2) for part in busy},
        "states": dict(states),
        "outputs": [str(path) for path, _ in files],
    }


def writes_video(files: Iterable[tuple[Path, str | None]]) -> bool:
    """Whether one of the outputs, (path, format or None) each, is an annotated video."""
    return any(kind == "mp4" or path.suffix.lower() == ".mp4" for path, kind in files)


def network_threads(threads: int, files: Iterable[tuple[Path, str | None]]) -> int:
    """Return the threads of the network: half of the cores, or the encoder would have none."""
    return threads if threads or not writes_video(files) else max(1, cores() // 2)


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
