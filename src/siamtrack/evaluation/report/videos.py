"""Short videos of several trackers on one sequence, small enough to lie inside the HTML page."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from siamtrack.core.boxes import Array, iou, ltwh_to_ltrb
from siamtrack.core.images import Image
from siamtrack.data.sequence import Dataset, Sequence
from siamtrack.errors import SiamtrackError
from siamtrack.evaluation.report.html import Video
from siamtrack.evaluation.report.plots import COLORS
from siamtrack.evaluation.report.report import Report
from siamtrack.evaluation.results import find_runs, fit_lengths, read_results

WIDTH, FRAMES, RATE, QUALITY = 384, 150, 15, 31
WHITE = (255, 255, 255)
FAILED, HELD = 0.5, 0.1
"""Success below which a sequence has failed; overlap from which a box is on the target."""


def comparison_videos(
    report: Report, dataset: Dataset, folders: Mapping[str, Path], *, count: int = 4
) -> list[Video]:
    """Return videos of the sequences that say most about the trackers, in the plots' colors.

    Those are `count` on which several trackers differ most, and further `count` on which even the
    best one has a success below 0.5; of a single tracker, those of its lowest success. A sequence
    that cannot be shown has the reason in place of its video.

    Args:
        report: What the trackers reach on each sequence.
        dataset: Its frames and true boxes.
        folders: Name of each tracker to its raw results.
        count: Number of videos of each kind.
    """
    values = {name: report.values(name) for name in report.trackers}
    shared = [s.name for s in dataset if all(s.name in row for row in values.values())]
    best = {name: max(row[name] for row in values.values()) for name in shared}
    spread = {name: best[name] - min(row[name] for row in values.values()) for name in shared}
    alone = len(values) == 1
    # Of a single tracker the worst are shown however good they are
    differ = [] if alone else sorted(shared, key=lambda name: -spread[name])[:count]
    worst = sorted(set(shared) - set(differ), key=lambda name: (best[name], name))
    failed = [name for name in worst if alone or best[name] < FAILED][:count]
    return [
        _video(name, values, report, dataset, folders, name in failed) for name in differ + failed
    ]


def _video(
    name: str,
    values: Mapping[str, Mapping[str, float]],
    report: Report,
    dataset: Dataset,
    folders: Mapping[str, Path],
    failed: bool,
) -> Video:
    figures = {tracker: row[name] for tracker, row in values.items()}
    sequence, boxes = dataset[name], {}
    try:
        for tracker in report.trackers:
            path = find_runs(folders[tracker], dataset)[name][0]
            raw = read_results(path, origin=dataset.origin, absent=True)
            boxes[tracker] = fit_lengths(raw, sequence, path, "align")[0]
        video = draw_video(sequence, boxes)
    except (SiamtrackError, OSError, ValueError) as error:  # ValueError: no such encoder
        return Video(name, figures, b"", failed, f"No video: {error}")
    top = max(figures, key=lambda tracker: figures[tracker])
    return Video(name, figures, video, failed, miss(sequence.boxes, boxes[top]) if failed else "")


def miss(truth: Array, boxes: Array) -> str:
    """Say from which frame on boxes (N, 4) no longer overlap the true ones (N, 4), both ltwh.

    Returns:
        A sentence, or "" where they overlap in the end.

    Example:
        >>> truth = np.tile([0.0, 0.0, 10.0, 10.0], (40, 1))
        >>> miss(truth, truth + np.where(np.arange(40) < 15, 0, 90)[:, None])
        'No overlap from frame 15 of 39 on.'
    """
    known = np.flatnonzero(np.isfinite(truth).all(axis=1))
    overlaps = np.nan_to_num(iou(truth[known], boxes[known]))
    held = known[overlaps >= HELD]
    last, end = int(held[-1]) if held.size else -1, int(known[-1])
    return f"No overlap from frame {last + 1} of {end} on." if last < end else ""


def draw_video(sequence: Sequence, boxes: Mapping[str, Array]) -> bytes:
    """Return an MP4 of a sequence with the boxes of trackers in the order of their colors.

    The true box is white and thin. Up to 150 frames are taken, evenly spread.
    """
    import av

    step = max(1, -(-len(sequence) // FRAMES))
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(QUALITY), "preset": "slow"}
        for index in range(sequence.init_frame, len(sequence), step):
            picture = draw_boxes(sequence[index], sequence.boxes[index], boxes, index)
            if not stream.width or index == sequence.init_frame:
                stream.height, stream.width = picture.shape[:2]
            if picture.shape[:2] != (stream.height, stream.width):
                picture = np.asarray(cv2.resize(picture, (stream.width, stream.height)), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def draw_boxes(frame: Image, truth: Array, boxes: Mapping[str, Array], index: int) -> Image:
    """Return the frame at the video's size, with even sides, and the boxes in it."""
    scale = min(1.0, WIDTH / frame.shape[1])
    size = tuple(max(2, round(side * scale / 2) * 2) for side in frame.shape[1::-1])
    picture = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    rows = [(truth, WHITE, 1)]
    for number, track in enumerate(boxes.values()):
        box = track[index] if index < len(track) else np.full(4, np.nan)
        rows.append((box, _rgb(COLORS[number % len(COLORS)]), 2))
    for box, color, line in reversed(rows):
        if np.isfinite(box).all():
            edges = np.rint(np.clip(ltwh_to_ltrb(box) * scale, -1e4, 1e4)).astype(int)
            cv2.rectangle(picture, edges[:2].tolist(), edges[2:].tolist(), color, line)
    return np.asarray(picture, np.uint8)


def _rgb(color: str) -> tuple[int, int, int]:
    red, green, blue = (int(color[k : k + 2], 16) for k in (1, 3, 5))
    return red, green, blue
