"""Small trees in the official layouts of data sets."""

from pathlib import Path

import cv2
import numpy as np


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def rows(values, separator=",") -> str:
    return "".join(separator.join(f"{value:g}" for value in row) + "\n" for row in values)


def images(folder: Path, numbers, pattern="{:08d}.jpg", size=(48, 64)) -> None:
    """Write images whose gray value is their number, so that tests see which one they got."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        gray = np.full((*size, 3), number % 250, np.uint8)
        cv2.imwrite(str(folder / pattern.format(number)), gray, [cv2.IMWRITE_JPEG_QUALITY, 100])


def number(frame) -> int:
    return int(np.rint(frame.mean()))


def boxes(count: int, left: float = 10) -> list[list[float]]:
    return [[left + index, 20, 8, 6] for index in range(count)]
