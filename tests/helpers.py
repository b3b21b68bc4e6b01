"""Small real inputs for tests: pictures with texture, and a clip whose target moves."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np

SIZE = (192, 256)  # height, width


def texture(seed: int, height: int, width: int, grain: int = 9) -> np.ndarray:
    """Smooth random colors (height, width, 3)."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 255, (height // grain + 2, width // grain + 2, 3)).astype(np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def clip(frames: int = 20, speed: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Frames (N, H, W, 3) in which a textured square moves, and its boxes (N, 4) ltwh."""
    height, width = SIZE
    background = texture(1, height, width, grain=40) // 3 + 60
    target = texture(2, 40, 40)
    pictures, boxes = [], []
    for index in range(frames):
        x, y = round(60 + speed * index), round(70 + 0.5 * speed * index)
        picture = background.copy()
        picture[y : y + 40, x : x + 40] = target
        pictures.append(picture)
        boxes.append((x, y, 40, 40))
    return np.stack(pictures), np.array(boxes, dtype=np.float64)


def write_video(path: Path, frames: np.ndarray, fps: int = 25) -> Path:
    """Encode frames as H.264."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            for packet in stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path
