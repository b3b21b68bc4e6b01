"""What a page lays over a frame when it asks: outlines of the targets, and what the network saw.

A mask depends on the frame and the box in it alone, so nothing of it is kept: a corrected box has
another mask at once, and a project in which nobody looks at outlines has none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from siamtrack.core.boxes import centers
from siamtrack.core.images import Image, jpeg
from siamtrack.packages.card import Model
from siamtrack.sinks.base import flat_polygons
from siamtrack.studio.export_files import tracks_at
from siamtrack.studio.request import frame_of, model_of, number_of, session_of
from siamtrack.studio.session import Session
from siamtrack.studio.timeline import Key, Table
from siamtrack.tracking.crops import cut, mean_color, square_window, template_side
from siamtrack.tracking.target import Target


def overlay(request: Request) -> Response:
    """Give the template (`what=template`) or the response of a target in a frame, as JPEG."""
    session, index = session_of(request), frame_of(request)
    model, number = model_of(request, session), number_of(request, "target")
    with session.project.lock:
        target, known = session.project.target(number), session.project.known(number, model)
        if index >= len(known.owner):
            raise LookupError("no such frame")
        stamp = int(known.stamp[index])
        keys = [key for key in target.ordered() if key.box is not None]
    if not keys:
        raise LookupError("the target has no box")
    # The key that the frame depends on, or else the nearest one
    key = min(keys, key=lambda each: (each.stamp != stamp, abs(each.frame - index)))
    loaded, read = session.models(model), session.clip.image
    if request.query_params.get("what") == "template":
        picture = template_picture(loaded, read, key)
    else:
        picture = response_picture(loaded, read, key, known, index)
    return Response(jpeg(picture), media_type="image/jpeg")


def template_picture(model: Model, read: Callable[[int], Image], key: Key) -> Image:
    """Return the patch (T, T, 3) that shows the network what the target looks like."""
    assert key.box is not None
    frame, box, card = read(key.frame), np.array(key.box), model.card
    cx, cy = centers(box)
    side = template_side(box[2], box[3], card.tracker.context, card.tracker.area)
    return cut(frame, square_window(cx, cy, side, card.template), mean_color(frame))


def response_picture(
    model: Model, read: Callable[[int], Image], key: Key, known: Table, index: int
) -> Image:
    """Return the search patch (S, S, 3) of a frame with the response laid over it.

    The window lies around the target's box in the frame before, seen from the key.

    Raises:
        ValueError: If no box is known there.
    """
    assert key.box is not None
    step = 1 if index >= key.frame else -1
    last = known.rows[index - step, :4] if 0 <= index - step < len(known.rows) else known.rows[0]
    if index == key.frame or not np.isfinite(last[:4]).all():
        last = known.rows[index]
    if not np.isfinite(last[:4]).all():
        raise ValueError(f"nothing is known of the target around frame {index}")
    target = Target(model, read(key.frame), key.box)
    target.move(last[:4])
    windows = target.windows()
    middle = len(windows) // 2
    patch = target.patches(read(index), windows[middle : middle + 1])
    score = model.runtime.respond(target.kernel, patch).map[0]
    return _colored(patch[0], score, model.card.stride)


def _colored(patch: Image, score: np.ndarray, stride: int) -> Image:
    """Color a patch by a response map whose cells lie `stride` pixels apart, in the middle."""
    low, high = float(np.nanmin(score)), float(np.nanmax(score))
    share = np.nan_to_num((score - low) / max(high - low, 1e-6)).astype(np.float32)
    side = patch.shape[0]
    rows, columns = (min(side, count * stride) for count in share.shape)
    heat = np.zeros((side, side), dtype=np.float32)
    top, left = (side - rows) // 2, (side - columns) // 2
    grown = cv2.resize(share, (columns, rows), interpolation=cv2.INTER_LINEAR)
    heat[top : top + rows, left : left + columns] = grown
    paint = cv2.applyColorMap((255 * heat).astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1]
    weight = 0.15 + 0.5 * heat[..., None]
    gray = cv2.cvtColor(cv2.cvtColor(patch, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return np.asarray((1 - weight) * gray + weight * paint, dtype=np.uint8)


def outlines(request: Request) -> Response:
    """Give the outlines of all targets in a frame, as JSON."""
    session = session_of(request)
    return JSONResponse(outlines_in(session, model_of(request, session), frame_of(request)))


def outlines_in(session: Session, model: str, index: int) -> dict[str, Any]:
    """Return the outlines of all targets that are not lost in a frame.

    Each is a list of the target's id, the box (left, top, width, height) that it was found in, by
    which a page tells whether it is still that of the box it shows, and polygons [x, y, x, y, ...].

    Raises:
        LookupError: If there is no such frame.
    """
    with session.project.lock:
        tables, total = session.project.tables(model), session.project.total
    if index >= total:
        raise LookupError("no such frame")
    tracks = list(tracks_at(tables, index))
    masked = (
        session.models.outliner().with_masks(session.clip.image(index), tracks) if tracks else []
    )
    found = [
        [track.id, [round(side, 3) for side in track.box.tolist()], flat_polygons(track.mask)]
        for track in masked
        if track.mask is not None and track.mask.area
    ]
    return {"model": model, "frame": index, "outlines": found}
