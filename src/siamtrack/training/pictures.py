"""Pictures for people: what the sampler makes, and what the network answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from siamtrack.core.boxes import Array
from siamtrack.core.writing import write_whole
from siamtrack.data.pairs import Pair
from siamtrack.packages.card import Model
from siamtrack.runtimes.base import Response
from siamtrack.tracking.crops import Image, Window
from siamtrack.tracking.decode import DECODERS
from siamtrack.training.batches import Batch, Draws

TRUE, FOUND, ABSENT = (60, 220, 60), (255, 60, 60), (150, 150, 150)
"""Colors (RGB) of true boxes, found boxes, and of the frame of a patch without the target."""


def pair_picture(pair: Pair) -> Image:
    """Draw K templates and search patch side by side, (S, K T + S, 3).

    A gray frame says that the target is not there.
    """
    side = pair.search.shape[0]
    search, columns = np.array(pair.search), []
    for template, share in pair.templates:
        template, size = np.array(template), np.asarray(share) * template.shape[0]
        _draw(template, np.concatenate([template.shape[0] / 2 - size / 2, size]), TRUE)
        columns.append(_column(template, side))
    if pair.present:
        _draw(search, pair.box, TRUE)
    else:
        cv2.rectangle(search, (0, 0), (side - 1, side - 1), ABSENT, 5)
    return np.concatenate([*columns, search], axis=1)


def sheet(sampler: Draws, count: int = 24, columns: int = 4, first: int = 0) -> Image:
    """Draw `count` pairs that a run would train on, in a grid, from the pair `first` on."""
    pictures = [pair_picture(sampler.draw(first + index)) for index in range(count)]
    return grid(pictures, columns)


def answers(model: Model, batch: Batch, count: int = 6) -> Image:
    """Draw `count` pairs of a batch with what the network finds in them, one pair in each row.

    Left to right: the first template; search patch with the true box (green) and the found one
    (red); the search patch under the response. The model is that of
    `siamtrack.training.monitor.live_model`.
    """
    count, each = min(count, len(batch.search)), batch.templates
    templates, searches = _pixels(batch.template[::each][:count]), _pixels(batch.search[:count])
    size, side = batch.size[::each][:count].cpu().numpy(), searches.shape[1]
    response = model.runtime.respond(model.runtime.embed(templates, size), searches)
    rows, stride = [], model.card.stride
    for index in range(count):
        box = batch.boxes[index].cpu().numpy().astype(np.float64)
        present = bool(batch.present[index] > 0)
        pair = Pair(templates[index], searches[index], size[index], box, present)
        picture = pair_picture(pair)
        found = _found(model, size[index], response.part(index, 1), side)
        if found is not None:
            _draw(picture[:, -side:], found, FOUND)
        rows.append(
            np.concatenate([picture, heat(searches[index], response.map[index], stride)], axis=1)
        )
    return grid(rows, 1)


def heat(search: Image, response: NDArray[np.floating], stride: int) -> Image:
    """Lay a response (H, W) over its search patch (S, S, 3), in colors from its least to most.

    Each cell covers the `stride` pixels that it stands for; where the patch has no cell it is dark.
    """
    spread = float(np.ptp(response))
    level = ((response - response.min()) / max(spread, 1e-9) * 255).astype(np.uint8)
    colors = cv2.applyColorMap(level, cv2.COLORMAP_JET)[..., ::-1]
    height, width = search.shape[:2]
    rows, columns = response.shape
    move = np.array(
        [
            [stride, 0.0, (width - columns * stride + stride - 1) / 2],
            [0.0, stride, (height - rows * stride + stride - 1) / 2],
        ]
    )
    laid = cv2.warpAffine(np.ascontiguousarray(colors), move, (width, height))
    return np.asarray(search * 0.4 + laid * 0.6, dtype=np.uint8)


def grid(pictures: Sequence[Image], columns: int, gap: int = 4) -> Image:
    """Set pictures of one shape (H, W, 3) in rows on white."""
    height, width = pictures[0].shape[:2]
    rows = -(-len(pictures) // columns)
    columns = min(columns, len(pictures))
    canvas = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, 3), 255, np.uint8)
    for index, picture in enumerate(pictures):
        top = index // columns * (height + gap) + gap
        left = index % columns * (width + gap) + gap
        canvas[top : top + height, left : left + width] = picture
    return canvas


def write_picture(path: Path, picture: Image) -> None:
    """Write an RGB picture; the suffix says in which format.

    Raises:
        ValueError: If OpenCV knows no format of this suffix.
        OSError: If it cannot be written.
    """
    try:
        good, data = cv2.imencode(path.suffix, picture[..., ::-1])
    except cv2.error:
        good = False
    if not good:
        raise ValueError(f"{path}: no format for pictures; name it .png or .jpg")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, data.tobytes())


def _found(model: Model, size: NDArray[np.floating], response: Response, side: int) -> Array | None:
    """Box in search pixels, as the tracker reads it when the target was in the middle."""
    extent = np.asarray(size, dtype=np.float64) * model.card.template
    middle = np.concatenate([side / 2 - extent / 2, extent])
    window = Window(side / 2, side / 2, float(side), float(side), side)
    found = DECODERS[model.card.kind](model.card).decode(middle, [window], response)
    return None if found is None else found.box


def _pixels(images: Tensor) -> Image:
    return np.asarray(images.permute(0, 2, 3, 1).round().cpu().numpy(), dtype=np.uint8)


def _column(template: Image, height: int) -> Image:
    """Set the template on gray, in the middle of a column of the search patch's height."""
    side = template.shape[0]
    column = np.full((height, side, 3), 60, np.uint8)
    top = (height - side) // 2
    column[top : top + side] = template
    return column


def _draw(image: Image, box: Array, color: tuple[int, int, int]) -> None:
    if not np.isfinite(box).all():
        return
    left, top = np.rint(np.clip(box[:2], -4096, 4096)).astype(int)
    right, bottom = np.rint(np.clip(box[:2] + box[2:] - 1, -4096, 4096)).astype(int)
    canvas = np.ascontiguousarray(image)
    cv2.rectangle(canvas, (int(left), int(top)), (int(right), int(bottom)), color, 2)
    image[...] = canvas
