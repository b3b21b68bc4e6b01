"""Outlines of the targets in a frame, found when a page asks for them.

A mask depends on the frame and the box in it alone, so nothing of it is kept: a corrected box has
another mask at once, and a project in which nobody looks at outlines has none.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from siamtrack.sinks.base import flat_polygons
from siamtrack.studio.export_files import tracks_at
from siamtrack.studio.request import frame_of, model_of, session_of
from siamtrack.studio.session import Session


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
        tables = {t.id: session.project.known(t.id, model) for t in session.project.shown()}
        total = session.project.total
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
