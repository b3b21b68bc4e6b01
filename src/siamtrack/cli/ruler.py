"""`siamtrack track --ruler`: a picture of the first frame to read a box off."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
from numpy.typing import ArrayLike

from siamtrack.core.writing import naming, refuse_existing, write_whole
from siamtrack.sinks.draw import ruled
from siamtrack.video import VideoSource


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
