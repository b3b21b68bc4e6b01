"""What the scripts of this folder share: the clip of `siamtrack demo`, panels, small files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

import siamtrack
from siamtrack.cli.demo import demo_clip

HERE = Path(__file__).parent
LARGEST = 100_000
"""Bytes that a figure may have."""

Picture = NDArray[np.uint8]


def frames(first: int, last: int, step: int = 1) -> dict[int, Picture]:
    """Frames of the clip by their number, RGB (H, W, 3)."""
    with siamtrack.open_video(demo_clip(), start=first, end=last, stride=step) as video:
        return {frame.index: frame.image for frame in video}


def panels(columns: int, rows: int = 1, size: tuple[float, float] = (2.2, 2.2)) -> Figure:
    """Return a figure with a grid of axes in `figure.axes`, row by row."""
    figure = Figure(figsize=(columns * size[0], rows * size[1]), layout="constrained")
    FigureCanvasAgg(figure)
    figure.subplots(rows, columns)
    return figure


def show(axes: Axes, picture: NDArray[np.generic], title: str, **how: object) -> None:
    """Draw a picture or a map without ticks."""
    axes.imshow(picture, **how)  # type: ignore[arg-type]
    axes.set_title(title, fontsize=8)
    axes.set_xticks([])
    axes.set_yticks([])


def save(figure: Figure, name: str, quality: int = 80) -> None:
    """Write NAME.webp into this folder and say how large it is."""
    canvas = FigureCanvasAgg(figure)
    figure.set_dpi(140)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., 2::-1]
    path = HERE / f"{name}.webp"
    cv2.imwrite(str(path), pixels, [cv2.IMWRITE_WEBP_QUALITY, quality])
    size = path.stat().st_size
    if size > LARGEST:
        raise SystemExit(f"{path} has {size} bytes, more than {LARGEST}: lower the quality")
    print(f"{path.name}: {size} bytes")
