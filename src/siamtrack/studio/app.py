"""The studio's HTTP and WebSocket interface."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from siamtrack import __version__
from siamtrack.core.config import shown
from siamtrack.core.writing import FULL
from siamtrack.errors import SiamtrackError, VideoError
from siamtrack.studio import look
from siamtrack.studio.asking import (
    Settings,
    TooLargeError,
    json_of,
    model_of,
    number_of,
    session_of,
    sessions_of,
    settings_of,
)
from siamtrack.studio.camera import camera, camera_name
from siamtrack.studio.clip import encode
from siamtrack.studio.edits import change_of, order_of
from siamtrack.studio.exporting import export, fetch
from siamtrack.studio.exports import FORMATS
from siamtrack.studio.guard import Guard
from siamtrack.studio.library import Library
from siamtrack.studio.live import live
from siamtrack.studio.models import Models
from siamtrack.studio.sessions import Sessions
from siamtrack.studio.shield import Shield, told
from siamtrack.studio.uploads import take_upload

STATIC = Path(__file__).parent / "static"
WIDTHS = (0, 320, 640, 960, 1280, 1920)


def make_app(library: Library, models: Models, settings: Settings | None = None) -> Starlette:
    """Return the application.

    Args:
        library: Where clips and projects are.
        models: What can be tracked with.
        settings: Limits and access; the defaults serve this machine only.
    """
    settings = settings or Settings()
    access = settings.access
    sessions = Sessions(library, models)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(sessions.close)

    project = "/api/projects/{project}"
    app = Starlette(
        routes=[
            Route("/", _page),
            Route("/api/studio", _studio),
            Route("/api/open", _open, methods=["POST"]),
            Route("/api/uploads", take_upload, methods=["POST"]),
            Route(project, _summary),
            Route(project + "/tracks", _tracks),
            Route(project + "/frames/{frame:int}", _frame),
            Route(project + "/edits", _edit, methods=["POST"]),
            Route(project + "/job", _job, methods=["POST"]),
            Route(project + "/look/{frame:int}", _look),
            Route(project + "/exports/{export}", fetch),
            WebSocketRoute(project + "/exports", export),
            WebSocketRoute(project + "/live", live),
            WebSocketRoute("/api/camera", camera),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[
            Middleware(Guard, hosts=access.hosts, addresses=access.addresses, token=access.token),
            Middleware(Shield),
        ],
        exception_handlers={
            LookupError: _failed(404),
            ArithmeticError: _failed(400),
            ValueError: _failed(400),
            TypeError: _failed(400),
            OSError: _full,
            SiamtrackError: _failed(409),
            VideoError: _failed(422),
            TooLargeError: _failed(413),
        },
        lifespan=lifespan,
    )
    app.state.sessions, app.state.settings = sessions, settings
    return app


def _failed(status: int) -> Any:
    async def handler(request: Request, error: Exception) -> Response:
        return JSONResponse({"error": told(error)}, status)

    return handler


async def _full(request: Request, error: Exception) -> Response:
    """Tell of a full disk; other errors of the system are defects."""
    if isinstance(error, OSError) and error.errno in FULL:
        return JSONResponse({"error": told(error)}, 507)
    raise error


def _page(request: Request) -> Response:
    return FileResponse(STATIC / "index.html")


def _studio(request: Request) -> Response:
    """Tell what there is: clips, projects, models, formats, cameras."""
    settings = settings_of(request)
    sessions = sessions_of(request)
    library = sessions.library
    clips = library.clips()
    projects = [
        {"id": name, "name": head.get("name", name), "clip": head.get("clip")}
        for name, head in library.folders()
    ]
    return JSONResponse(
        {
            "version": __version__,
            "models": sessions.models.names,
            "formats": list(FORMATS),
            "clips": [{"id": clip.id, "name": clip.name} for clip in clips],
            "projects": projects,
            "single": len(library.roots) == 1 and len(clips) == 1,
            "upload": settings.limits.upload,
            "cameras": [camera_name(camera) for camera in settings.cameras],
        }
    )


async def _open(request: Request) -> Response:
    values = await json_of(request)
    session = await run_in_threadpool(sessions_of(request).open, str(values.get("clip")))
    return JSONResponse({"project": session.id})


def _summary(request: Request) -> Response:
    return JSONResponse(session_of(request).summary())


def _tracks(request: Request) -> Response:
    session = session_of(request)
    return JSONResponse(session.tracks(model_of(request, session)))


def _frame(request: Request) -> Response:
    """Give a frame as JPEG; `w` is the width that it will be shown at."""
    session = session_of(request)
    asked = number_of(request, "w", 0)
    width = next((each for each in WIDTHS if each >= asked), 0) if asked else 0
    data = session.clip.jpeg(_index(request), width)
    kept = "private, max-age=3600" if session.clip.exact else "no-store"
    return Response(data, media_type="image/jpeg", headers={"cache-control": kept})


def _index(request: Request) -> int:
    """Return the frame that the address names, of those that there are."""
    index = int(request.path_params["frame"])
    if not 0 <= index < 1 << 31:
        raise LookupError("no such frame")
    return index


async def _edit(request: Request) -> Response:
    values = await json_of(request)
    session = await run_in_threadpool(session_of, request)
    change = change_of(values)
    wanted = values.get("follow")
    if wanted is not None and not isinstance(wanted, dict):
        raise ValueError(f"follow {shown(wanted)}: expected an order to track, or null")
    follow = order_of(wanted, session.models) if wanted else None
    result = await run_in_threadpool(session.edit, change, follow)
    return JSONResponse({"result": result, "project": session.summary()})


async def _job(request: Request) -> Response:
    values = await json_of(request)
    session = await run_in_threadpool(session_of, request)
    action = values.get("do")
    if action == "start":
        order = order_of(values, session.models)
        await run_in_threadpool(session.jobs.start, order)
    elif action in ("pause", "resume", "stop"):
        await run_in_threadpool(getattr(session.jobs, action))
    else:
        raise ValueError(f"do {action!r}: expected start, pause, resume or stop")
    return JSONResponse(session.jobs.status)


def _look(request: Request) -> Response:
    """Give the template (`what=template`) or the response of a target in a frame, as JPEG."""
    session = session_of(request)
    index = _index(request)
    model = model_of(request, session)
    number = number_of(request, "target")
    with session.project.lock:
        target, known = session.project.target(number), session.project.known(number, model)
        if not 0 <= index < len(known.owner):
            raise LookupError("no such frame")
        stamp = int(known.stamp[index])
        keys = [key for key in target.keys.values() if key.box is not None]
        key = next((key for key in keys if key.stamp == stamp), None)
        key = key or min(keys, key=lambda each: abs(each.frame - index), default=None)
    if key is None:
        raise LookupError("the target has no box")
    loaded, read = session.models(model), session.clip.image
    if request.query_params.get("what") == "template":
        picture = look.template_picture(loaded, read, key)
    else:
        picture = look.response_picture(loaded, read, key, known, index)
    return Response(encode(picture), media_type="image/jpeg")
