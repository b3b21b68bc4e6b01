"""The studio's HTTP and WebSocket interface."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

from siamtrack import __version__
from siamtrack.core.config import shown
from siamtrack.core.writing import FULL
from siamtrack.errors import SiamtrackError, VideoError
from siamtrack.studio import overview
from siamtrack.studio.camera import camera, camera_name
from siamtrack.studio.export_files import FORMATS
from siamtrack.studio.export_jobs import export, fetch
from siamtrack.studio.library import Library, Models, probe, under_way
from siamtrack.studio.news import Subscriber
from siamtrack.studio.overlay import outlines, overlay
from siamtrack.studio.propagate import propagate
from siamtrack.studio.request import (
    GONE,
    Settings,
    TooLargeError,
    accepted_session,
    change_of,
    frame_of,
    json_of,
    model_of,
    number_of,
    order_of,
    send,
    session_of,
    sessions_of,
    settings_of,
    until_gone,
)
from siamtrack.studio.security import Guard, Shield, public_message
from siamtrack.studio.session import Session, Sessions

STATIC = Path(__file__).parent / "static"
NOWHERE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>siamtrack studio</title>'
    '<link rel="icon" href="/static/icon.svg"><link rel="stylesheet" href="/static/base.css">'
    '<main class="nowhere"><h1>There is no page at this address</h1>'
    '<p><a class="button primary" href="/">To the clips</a></p></main>'
)
WIDTHS = (0, 320, 640, 960, 1280, 1920)


def make_app(library: Library, models: Models, settings: Settings | None = None) -> Starlette:
    """Return the application.

    Args:
        library: Where clips and projects are.
        models: What can be tracked with.
        settings: Limits, access and cameras; the defaults serve this machine only.
    """
    settings = settings or Settings()
    sessions = Sessions(library, models, settings.journal)

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
            Route("/api/uploads", _upload, methods=["POST"]),
            Route("/api/propagate", propagate, methods=["POST"]),
            Route(project, _summary),
            Route(project, overview.delete, methods=["DELETE"]),
            Route(project + "/name", overview.rename, methods=["POST"]),
            Route(project + "/card", overview.card),
            Route(project + "/thumbnail", overview.thumbnail),
            Route("/api/clips/{clip}/card", overview.card),
            Route("/api/clips/{clip}/thumbnail", overview.thumbnail),
            Route(project + "/tracks", _tracks),
            Route(project + "/doubts", _doubts),
            Route(project + "/frames/{frame:int}", _frame),
            Route(project + "/edits", _edit, methods=["POST"]),
            Route(project + "/job", _job, methods=["POST"]),
            Route(project + "/look/{frame:int}", overlay),
            Route(project + "/outlines/{frame:int}", outlines),
            Route(project + "/exports/{export}", fetch),
            WebSocketRoute(project + "/exports", export),
            WebSocketRoute(project + "/live", _live),
            WebSocketRoute("/api/camera", camera),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[Middleware(Guard, access=settings.access), Middleware(Shield)],
        exception_handlers={
            404: _nowhere,
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
        return JSONResponse({"error": public_message(error)}, status)

    return handler


async def _full(request: Request, error: Exception) -> Response:
    """Tell of a full disk; other errors of the system are defects."""
    if isinstance(error, OSError) and error.errno in FULL:
        return JSONResponse({"error": public_message(error)}, 507)
    raise error


async def _nowhere(request: Request, error: Exception) -> Response:
    """Say that there is nothing at an address, and lead a person back."""
    if "text/html" in request.headers.get("accept", ""):
        return HTMLResponse(NOWHERE, 404)
    return JSONResponse({"error": f"nothing is called {shown(request.url.path)} here"}, 404)


def _page(request: Request) -> Response:
    return FileResponse(STATIC / "index.html")


def _studio(request: Request) -> Response:
    """List the clips, projects, models, formats and cameras."""
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
            "upload": settings.upload,
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


def _doubts(request: Request) -> Response:
    session = session_of(request)
    return JSONResponse(session.doubts(model_of(request, session)))


def _frame(request: Request) -> Response:
    """Give a frame as JPEG; `w` is the width that it will be shown at."""
    session = session_of(request)
    asked = number_of(request, "w", 0)
    width = next((each for each in WIDTHS if each >= asked), 0) if asked else 0
    data = session.clip.jpeg(frame_of(request), width)
    kept = "private, max-age=3600" if session.clip.exact else "no-store"
    return Response(data, media_type="image/jpeg", headers={"cache-control": kept})


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
    if action in ("start", "check"):
        order = order_of(values, session.models)
        await run_in_threadpool(session.jobs.start, order)
    elif action in ("pause", "resume", "stop"):
        await run_in_threadpool(getattr(session.jobs, action))
    else:
        raise ValueError(f"do {action!r}: expected start, check, pause, resume or stop")
    return JSONResponse(session.jobs.status)


async def _live(socket: WebSocket) -> None:
    """Send the news of a project to a page until it goes away."""
    session = await accepted_session(socket)
    if session is None:
        return
    subscriber = session.hub.subscribe()
    sender = asyncio.create_task(_send_news(socket, session, subscriber))
    try:
        await until_gone(socket)
    finally:
        session.hub.unsubscribe(subscriber)
        sender.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sender


async def _send_news(socket: WebSocket, session: Session, subscriber: Subscriber) -> None:
    with contextlib.suppress(*GONE):
        first = await run_in_threadpool(session.summary)
        await send(socket, {"type": "project", **first})
        while True:
            for message in await subscriber.get():
                await send(socket, message)
    with contextlib.suppress(RuntimeError):
        await socket.close(1011)


async def _upload(request: Request) -> Response:
    """Take a video as the body of the request; its name is for showing only."""
    settings, sessions = settings_of(request), sessions_of(request)
    if request.headers.get("content-type") != "application/octet-stream":
        raise ValueError("expected the content type application/octet-stream")
    room = min(settings.upload, sessions.library.room() - settings.spare)
    too_large = TooLargeError(f"uploads may have {max(0, room)} bytes at most")
    if int(request.headers.get("content-length", 0)) > room:
        raise too_large
    name = _upload_name(request.query_params.get("name", ""))
    folder = sessions.library.new_folder()
    try:
        with under_way(folder):
            size = 0
            with (folder / "upload.part").open("wb") as file:
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > room:
                        raise too_large
                    await run_in_threadpool(file.write, chunk)
            await run_in_threadpool(probe, folder / "upload.part")
            (folder / "upload.part").rename(folder / "upload")
            session = await run_in_threadpool(sessions.adopt, folder, name)
    except ClientDisconnect:
        return Response(status_code=400)
    return JSONResponse({"project": session.id})


def _upload_name(text: str) -> str:
    clean = re.sub(r"[^\w .()\[\]-]", "", text.replace("\\", "/").rsplit("/", 1)[-1])
    return clean.strip(". ")[:80] or "upload"
