"""The frames that everything is measured on: of a video, of a folder, or generated."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike

from siamtrack.core.boxes import Array, check_box
from siamtrack.core.images import Image
from siamtrack.data import open_dataset
from siamtrack.errors import DatasetError
from siamtrack.sinks import open_sink
from siamtrack.video import Frame, open_video

FEWEST, USUAL = 3, 100
"""Frames that a pass needs, and those it takes where nobody asks for a number."""
HEIGHT, WIDTH, TARGET = 480, 640, (72, 56)


@dataclass(frozen=True, eq=False)
class Footage:
    """Decoded frames (H, W, 3), the target ltwh (4,) in the first, and a way to read them again."""

    name: str
    box: Array
    frames: Sequence[Image]
    read: Callable[[], Iterator[Image]]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        height, width = self.frames[0].shape[:2]
        return width, height


def open_footage(source: str, box: ArrayLike | None = None, count: int | None = None) -> Footage:
    """Read `count` frames, at most 100 by default, and the first box.

    With `box`, `source` is anything that `siamtrack.open_video` takes, else a folder of frames with
    a file of boxes, as the data set `folder` describes it.

    Raises:
        ValueError: If `count` is below 3 or above what is there, or the box does not fit.
        VideoError: If the video cannot be read.
        DatasetError: If the folder cannot.
    """
    if count is not None and count < FEWEST:
        raise ValueError(
            f"frames {count}: expected {FEWEST} or more; the first starts the tracker, and of the "
            "updates the first is slower"
        )
    start: ArrayLike
    if box is None:
        name, start, read = _folder(source)
    else:
        name, start, read = Path(source).name or source, box, _video(source)
    frames = list(islice(read(), count or USUAL))
    if len(frames) < max(count or 0, FEWEST):
        wanted = count or FEWEST
        raise ValueError(
            f"{source} has {len(frames)} frames from the first box on, {wanted} are needed: give a "
            + (
                f"longer video, or --frames {len(frames)}"
                if len(frames) >= FEWEST
                else "longer one"
            )
        )
    height, width = frames[0].shape[:2]
    begin = check_box(start, width, height)
    return Footage(name, begin, frames, lambda: islice(read(), len(frames)))


def decoding(footage: Footage) -> list[float]:
    """Return the seconds that each frame but the first, which opens the file, takes to read."""
    seconds, frames = [], footage.read()
    clock = time.perf_counter()
    for _ in frames:
        seconds.append(time.perf_counter() - clock)
        clock = time.perf_counter()
    return seconds[1:]


def write_generated(path: Path, count: int) -> Array:
    """Write `count` frames as H.264: a textured target that moves over a textured background.

    Returns:
        The target in the first frame, ltwh (4,).
    """
    background = _texture(seed=1, height=HEIGHT, width=WIDTH, grain=24) // 2 + 40
    target = _texture(seed=2, height=TARGET[1], width=TARGET[0], grain=8)
    places = [_place(index) for index in range(count)]
    with open_sink(path, overwrite=True) as sink:
        for index, (x, y) in enumerate(places):
            picture = background.copy()
            picture[y : y + TARGET[1], x : x + TARGET[0]] = target
            sink.write(Frame(index, None, picture), [])
    return np.array([*places[0], *TARGET], dtype=np.float64)


def _place(index: int) -> tuple[int, int]:
    """Corner of the target: a closed curve of two waves, at most 4 px a frame."""
    angle = 2 * np.pi * index / 200
    x = (WIDTH - TARGET[0]) / 2 + 110 * np.sin(angle)
    y = (HEIGHT - TARGET[1]) / 2 + 50 * np.sin(2 * angle)
    return round(x), round(y)


def _texture(seed: int, height: int, width: int, grain: int) -> Image:
    """Smooth random colors (height, width, 3)."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (height // grain + 2, width // grain + 2, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def _video(source: str) -> Callable[[], Iterator[Image]]:
    def read() -> Iterator[Image]:
        with open_video(source) as video:
            for frame in video:
                yield frame.image

    return read


def _folder(source: str) -> tuple[str, Array, Callable[[], Iterator[Image]]]:
    if Path(source).is_file():
        raise ValueError(
            f"{source}: give the target's first place with --box LEFT TOP WIDTH HEIGHT"
        )
    sequences = list(open_dataset(f"folder:{source}"))
    if len(sequences) > 1:
        names = ", ".join(sequence.name for sequence in sequences)
        raise DatasetError(
            f"{source} holds {len(sequences)} targets ({names}): give the folder of one, or --box"
        )
    (sequence,) = sequences
    first = sequence.init_frame
    return (
        sequence.name,
        sequence.boxes[first],
        lambda: (sequence[index] for index in range(first, len(sequence))),
    )
