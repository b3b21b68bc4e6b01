"""Drawing into pictures: tracks, and rulers to read a box off."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from siamtrack.core.images import Image
from siamtrack.core.masks import Mask

GRAY = (150, 150, 150)
"""Color of lost targets."""
LONGEST = 1280
"""Pixels that the longer side of a picture with rulers has at least: small frames are magnified."""
MOST_LINES = 16
"""Lines across the longer side at most."""
LIGHT, DARK, GREEN = (255, 255, 255), (0, 0, 0), (0, 255, 0)
Rectangle = tuple[int, int, int, int]


class TrackLike(Protocol):
    """What drawing and sinks need of a `siamtrack.core.tracks.Track`."""

    @property
    def id(self) -> int:
        """Number of the target."""
        ...

    @property
    def box(self) -> NDArray[np.floating]:
        """Box (4,): left, top, width, height."""
        ...

    @property
    def score(self) -> float:
        """Confidence."""
        ...

    @property
    def state(self) -> Enum:
        """Its value is "tracked", "uncertain" or "lost"."""
        ...


def color(number: int) -> tuple[int, int, int]:
    """Return the RGB color of a target; neighboring numbers look unlike each other.

    Example:
        >>> color(1) == color(1), color(1) == color(2)
        (True, False)
    """
    red, green, blue = colorsys.hsv_to_rgb((0.33 + number * 0.618034) % 1.0, 0.85, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def draw_tracks(
    image: Image,
    tracks: Iterable[TrackLike],
    *,
    show_score: bool = True,
    labels: Mapping[int, str] | None = None,
    colors: Mapping[int, tuple[int, int, int]] | None = None,
    classes: Mapping[int, str] | None = None,
) -> Image:
    """Return a copy of a picture with boxes and labels, such as "Anna tracked 0.93".

    Masks are tinted and outlined. A box is dashed while its target is uncertain, and dashed and
    gray while it is lost.

    Args:
        image: RGB picture (H, W, 3); it is not changed.
        tracks: Targets; one whose box is not finite is left out.
        show_score: Whether labels show the score, where the picture is wide enough.
        labels: Id to a name, in place of "target 0"; OpenCV draws ASCII only, so that other names
            are left out.
        colors: Id to RGB, in place of `color`.
        classes: Id to a class: "car 0" in place of "target 0" where there is no name.

    Returns:
        RGB picture (H, W, 3).
    """
    canvas = np.array(image, dtype=np.uint8, order="C")
    paint_tracks(
        canvas, tracks, show_score=show_score, labels=labels, colors=colors, classes=classes
    )
    return canvas


def paint_tracks(
    canvas: Image,
    tracks: Iterable[TrackLike],
    *,
    show_score: bool = True,
    labels: Mapping[int, str] | None = None,
    colors: Mapping[int, tuple[int, int, int]] | None = None,
    classes: Mapping[int, str] | None = None,
) -> list[Rectangle]:
    """Draw into a picture itself, otherwise as `draw_tracks` does.

    Returns:
        Rectangles of the picture outside of which no pixel has changed: left, top, right, bottom
        each, with the last two excluded.
    """
    height, width = canvas.shape[:2]
    line = max(1, round((height + width) / 600))
    touched: list[Rectangle] = []
    margin = line + 2  # lines are wider than their middle, and smooth at their edges
    for track in tracks:
        box = np.asarray(track.box, dtype=np.float64)
        if not np.isfinite(box).all():
            continue
        lost = track.state.value == "lost"
        paint = GRAY if lost else (colors or {}).get(track.id) or color(track.id)
        mask = getattr(track, "mask", None)
        if mask is not None and not lost:
            _outlined(canvas, mask, paint, line)
            rows, columns = mask.pixels.shape
            ends = mask.left + columns, mask.top + rows
            touched.append(_around((mask.left, mask.top, *ends), margin, width, height))
        # Continuous edges to pixel indices; the clip keeps OpenCV's integers in range.
        edges = np.array([box[0], box[1], box[0] + box[2] - 1, box[1] + box[3] - 1])
        left, top, right, bottom = (int(v) for v in np.rint(np.clip(edges, -16000, 16000)))
        if track.state.value != "tracked":
            _dashed(canvas, (left, top, right, bottom), paint, line)
        else:
            cv2.rectangle(canvas, (left, top), (right, bottom), paint, line)
        sides = [(left, top, right, top), (left, bottom, right, bottom)]
        sides += [(left, top, left, bottom), (right, top, right, bottom)]
        touched += (_around(side, margin, width, height) for side in sides)
        name = _ascii((labels or {}).get(track.id))
        name = name or f"{_ascii((classes or {}).get(track.id)) or 'target'} {track.id}"
        texts = [f"{name} {track.state.value}", name]
        if show_score:
            texts.insert(0, f"{texts[0]} {track.score:.2f}")
        label = _label(canvas, texts, (left, top), paint, line)
        touched.append(_around(label, margin, width, height))
    return [each for each in touched if each[0] < each[2] and each[1] < each[3]]


def _around(edges: Rectangle, margin: int, width: int, height: int) -> Rectangle:
    """Return the part of the picture that lies within a margin of a rectangle."""
    left, top, right, bottom = edges
    return (
        max(left - margin, 0),
        max(top - margin, 0),
        min(right + margin + 1, width),
        min(bottom + margin + 1, height),
    )


def _outlined(canvas: Image, mask: Mask, paint: tuple[int, int, int], line: int) -> None:
    """Tint the pixels of a mask and draw its outline."""
    height, width = mask.pixels.shape
    if not mask.area or mask.shape != canvas.shape[:2]:
        return
    part = canvas[mask.top : mask.top + height, mask.left : mask.left + width]
    tinted = cv2.addWeighted(part, 0.65, np.full_like(part, paint), 0.35, 0)
    part[mask.pixels] = np.asarray(tinted)[mask.pixels]
    bits = mask.pixels.astype(np.uint8)
    outlines, _ = cv2.findContours(bits, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(canvas, outlines, -1, paint, line, cv2.LINE_AA, offset=(mask.left, mask.top))


def _dashed(
    canvas: Image, ltrb: tuple[int, int, int, int], paint: tuple[int, int, int], line: int
) -> None:
    height, width = canvas.shape[:2]
    left, top, right, bottom = ltrb
    dash = 4 * line + 2
    for x in range(max(left, -2 * dash), min(right, width) + 1, 2 * dash):
        for y in (top, bottom):
            cv2.line(canvas, (x, y), (min(x + dash, right), y), paint, line)
    for y in range(max(top, -2 * dash), min(bottom, height) + 1, 2 * dash):
        for x in (left, right):
            cv2.line(canvas, (x, y), (x, min(y + dash, bottom)), paint, line)


def _ascii(name: str | None) -> str:
    return name if name and name.isascii() else ""


def _label(
    canvas: Image,
    texts: Sequence[str],
    corner: tuple[int, int],
    paint: tuple[int, int, int],
    line: int,
) -> Rectangle:
    """Draw the first of some texts that fits into the width of the picture; return where."""
    height, width = canvas.shape[:2]
    scale = max(0.35, 0.3 * line)
    font, weight = cv2.FONT_HERSHEY_SIMPLEX, max(1, line // 2)
    for text in texts:
        (wide, high), below = cv2.getTextSize(text, font, scale, weight)
        if wide + 4 <= width:
            break
    x = min(max(corner[0], 0), max(0, width - wide - 4))
    bottom = corner[1] if corner[1] >= high + below + 4 else corner[1] + high + below + 4
    bottom = min(max(bottom, high + below + 4), height)
    top = bottom - high - below - 4
    cv2.rectangle(canvas, (x, top), (x + wide + 4, bottom), paint, cv2.FILLED)
    ink = (0, 0, 0) if sum(paint) > 330 else (255, 255, 255)
    cv2.putText(canvas, text, (x + 2, bottom - below - 1), font, scale, ink, weight, cv2.LINE_AA)
    return x, top, x + wide + 4, bottom


def ruled(image: Image, boxes: Iterable[ArrayLike] = ()) -> Image:
    """Return a picture of a frame with grid lines, numbered in pixels at its top and left.

    Args:
        image: RGB frame (H, W, 3). The numbers count its pixels, however large the picture is.
        boxes: Boxes (4,) ltwh to draw, to see whether they are right.

    Returns:
        RGB picture, a whole number of times as large as the frame.

    Example:
        >>> ruled(np.zeros((144, 176, 3), np.uint8)).shape
        (1152, 1408, 3)
    """
    height, width = image.shape[:2]
    factor = -(-LONGEST // max(height, width))
    canvas = np.array(image, dtype=np.uint8).repeat(factor, axis=0).repeat(factor, axis=1)
    step = spacing(max(height, width))
    lines = canvas.copy()
    for beside, paint in ((1, DARK), (0, LIGHT)):  # one of them shows on any ground
        lines[beside :: step * factor] = paint
        lines[:, beside :: step * factor] = paint
    canvas = np.asarray(cv2.addWeighted(lines, 0.5, canvas, 0.5, 0), dtype=np.uint8)
    size = max(canvas.shape) / 2400
    for left, top, wide, high in (np.asarray(box, np.float64) * factor for box in boxes):
        corners = np.rint([left, top, left + wide - 1, top + high - 1]).astype(int).tolist()
        cv2.rectangle(canvas, corners[:2], corners[2:], GREEN, max(2, round(4 * size)))
    for x in range(0, width, step):
        _number(canvas, x, (x * factor + 3, round(30 * size)), size)
    for y in range(step, height, step):
        _number(canvas, y, (3, y * factor + round(30 * size)), size)
    return canvas


def spacing(length: int) -> int:
    """Return how many pixels lines are apart: 1, 2 or 5 times a power of ten.

    Example:
        >>> spacing(640), spacing(1920), spacing(100)
        (50, 200, 10)
    """
    step = 1
    while step * MOST_LINES < length:
        step = step * 5 // 2 if str(step)[0] == "2" else step * 2
    return step


def _number(canvas: Image, number: int, place: tuple[int, int], size: float) -> None:
    """Draw a number on a dark plate: outlined digits alone vanish on a bright sky."""
    font, thick = cv2.FONT_HERSHEY_SIMPLEX, max(1, round(2 * size))
    (wide, high), below = cv2.getTextSize(str(number), font, size, thick)
    x, y = place
    cv2.rectangle(canvas, (x - 2, y - high - 3), (x + wide + 2, y + below), DARK, cv2.FILLED)
    cv2.putText(canvas, str(number), place, font, size, LIGHT, thick, cv2.LINE_AA)
