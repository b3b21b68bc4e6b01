"""Changes of appearance, drawn per sample. Images are uint8 RGB (H, W, 3); boxes do not move."""

from __future__ import annotations

import cv2
import numpy as np

from siamtrack.crops import Image


def colour(image: Image, rng: np.random.Generator, strength: float = 0.3) -> Image:
    """Scale brightness, contrast and each channel by factors within 1 +- `strength`."""
    gain = 1 + rng.uniform(-strength, strength)
    channel = gain * (1 + rng.uniform(-strength, strength, 3) / 2)
    offset = rng.uniform(-strength, strength) * 80 + (1 - gain) * float(image.mean()) * 0.5
    table = np.arange(256, dtype=np.float32)[:, None] * channel.astype(np.float32) + offset
    lookup = np.clip(table, 0, 255).astype(np.uint8)[None]
    return np.asarray(cv2.LUT(image, lookup), dtype=np.uint8)


def gray(image: Image) -> Image:
    """Remove all colour."""
    single = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.cvtColor(single, cv2.COLOR_GRAY2RGB), dtype=np.uint8)


def blur(image: Image, rng: np.random.Generator) -> Image:
    """Blur by defocus or by motion in a random direction, 3 to 13 pixels."""
    side = int(rng.integers(1, 7)) * 2 + 1
    if rng.random() < 0.5:
        return np.asarray(cv2.GaussianBlur(image, (side, side), 0), dtype=np.uint8)
    kernel = np.zeros((side, side), np.float32)
    angle = rng.uniform(0, np.pi)
    reach = np.array([np.cos(angle), np.sin(angle)]) * (side // 2)
    middle = np.array([side // 2, side // 2])
    start, end = np.rint(middle - reach).astype(int), np.rint(middle + reach).astype(int)
    cv2.line(kernel, (int(start[0]), int(start[1])), (int(end[0]), int(end[1])), (1.0,))
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), dtype=np.uint8)


def low_resolution(image: Image, rng: np.random.Generator) -> Image:
    """Lose detail as a small or strongly compressed target does: shrink 2 to 4 times and back."""
    rows, cols = image.shape[:2]
    factor = rng.uniform(2.0, 4.0)
    small = cv2.resize(
        image, (max(1, int(cols / factor)), max(1, int(rows / factor))),
        interpolation=cv2.INTER_AREA,
    )  # fmt: skip
    return np.asarray(
        cv2.resize(small, (cols, rows), interpolation=cv2.INTER_LINEAR), dtype=np.uint8
    )


def appearance(image: Image, rng: np.random.Generator) -> Image:
    """Apply a random selection of the above, as the search patch of a pair gets it."""
    if rng.random() < 0.8:
        image = colour(image, rng)
    if rng.random() < 0.15:
        image = blur(image, rng)
    if rng.random() < 0.15:
        image = low_resolution(image, rng)
    if rng.random() < 0.15:
        noise = rng.normal(0, rng.uniform(2, 10), image.shape)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    return image
