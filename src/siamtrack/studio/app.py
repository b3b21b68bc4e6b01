"""The studio's HTTP and WebSocket interface."""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from siamtrack import __version__
from siamtrack.config import parse_json
from siamtrack.errors import SiamtrackError, VideoError
from siamtrack.studio import look
from siamtrack.studio.clip import encode
from siamtrack.studio.edits import change_of, order_of
from siamtrack.studio.exports import FORMATS, write_export
from siamtrack.studio.guard import Guard
from siamtrack.studio.library import Library, probe
from siamtrack.studio.live import camera, live
from siamtrack.studio.session import Models, Session, Sessions
from siamtrack.writing import FULL

STATIC = Path(__file__).parent / "static"
MOST_JSON = 1 << 20
WIDTHS = (0, 320, 640, 960, 1280, 1920)


@dataclass(frozen=True)
class Limits:
    """What pages may do.

    Attributes:
        upload: Bytes of an upload at most.
        spare: Bytes that stay free on the disk.
    """

    upload: int = 8 << 30
    spare: int = 1 << 30


@dataclass(frozen=True)
class Access:
    """Who may talk to the studio; see `siamtrack.studio.guard`."""

    hosts: frozenset[str] = frozenset()
    addresses: bool = False
    token: str | None = None


@dataclass(frozen=True)
class Settings:
    """Everything that the application needs to know."""

    limits: Limits = field(default_factory=Limits)
    access: Access = field(default_factory=Access)
    cameras: bool = True


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
            Route("/api/uploads", _upload, methods=["POST"]),
            Route(project, _summary),
            Route(project + "/tracks", _tracks),
            Route(project + "/frames/{frame:int}", _frame),
            Route(project + "/edits", _edit, methods=["POST"]),
            Route(project + "/job", _job, methods=["POST"]),
            Route(project + "/look/{frame:int}", _look),
            Route(project + "/export/{format}", _export),
            WebSocketRoute(project + "/live", live),
            WebSocketRoute("/api/camera", camera),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[
            Middleware(Guard, hosts=access.hosts, addresses=access.addresses, token=access.token)
        ],
        exception_handlers={
            LookupError: _failed(404),
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


class TooLargeError(Exception):
    """More bytes than allowed."""


def _failed(status: int) -> Any:
    async def handler(request: Request, error: Exception) -> Response:
        return JSONResponse({"error": str(error)}, status)

    return handler


async def _full(request: Request, error: Exception) -> Response:
    """Tell of a full disk; other errors of the system are defects."""
    if isinstance(error, OSError) and error.errno in FULL:
        return JSONResponse({"error": str(error)}, 507)
    raise error


def _sessions(request: Request) -> Sessions:
    found: Sessions = request.app.state.sessions
    return found


def _session(request: Request) -> Session:
    return _sessions(request).get(request.path_params["project"])


async def _json(request: Request) -> dict[str, Any]:
    """Read a JSON object; other types of content, which forms can send, are refused."""
    if request.headers.get("content-type", "").split(";")[0] != "application/json":
        raise ValueError("expected the content type application/json")
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > MOST_JSON:
            raise TooLargeError(f"more than {MOST_JSON} bytes of JSON")
    value = parse_json(data)
    if not isinstance(value, dict):
        raise ValueError("expected a JSON object")
    return value


def _page(request: Request) -> Response:
    return FileResponse(STATIC / "index.html")


def _studio(request: Request) -> Response:
    """Tell what there is: clips, projects, models, formats."""
    sessions = _sessions(request)
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
            "upload": request.app.state.settings.limits.upload,
        }
    )


async def _open(request: Request) -> Response:
    values = await _json(request)
    session = await run_in_threadpool(_sessions(request).open, str(values.get("clip")))
    return JSONResponse({"project": session.id})


async def _upload(request: Request) -> Response:
    """Take a video as the body of the request; its name is for showing only."""
    limits: Limits = request.app.state.settings.limits
    sessions = _sessions(request)
    if request.headers.get("content-type") != "application/octet-stream":
        raise ValueError("expected the content type application/octet-stream")
    room = min(limits.upload, sessions.library.room() - limits.spare)
    if int(request.headers.get("content-length", 0)) > room:
        raise TooLargeError(f"uploads may have {max(0, room)} bytes at most")
    name = _shown_name(request.query_params.get("name", ""))
    folder = sessions.library.new_folder()
    try:
        size = 0
        with (folder / "upload.part").open("wb") as file:
            async for chunk in request.stream():
                size += len(chunk)
                if size > room:
                    raise TooLargeError(f"uploads may have {max(0, room)} bytes at most")
                await run_in_threadpool(file.write, chunk)
        await run_in_threadpool(probe, folder / "upload.part")
        (folder / "upload.part").rename(folder / "upload")
        session = await run_in_threadpool(sessions.adopt, folder, name)
    except ClientDisconnect:
        shutil.rmtree(folder, ignore_errors=True)
        return Response(status_code=400)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return JSONResponse({"project": session.id})


def _shown_name(text: str) -> str:
    clean = re.sub(r"[^\w .()\[\]-]", "", text.replace("\\", "/").rsplit("/", 1)[-1])
    return clean.strip(". ")[:80] or "upload"


def _summary(request: Request) -> Response:
    return JSONResponse(_session(request).summary())


def _tracks(request: Request) -> Response:
    session = _session(request)
    return JSONResponse(session.tracks(_model(request, session)))


def _model(request: Request, session: Session) -> str:
    name = request.query_params.get("model", session.models.names[0])
    if name not in session.models.names:
        raise ValueError(f"no model {name!r} here")
    return name


def _frame(request: Request) -> Response:
    """Give a frame as JPEG; `w` is the width that it will be shown at."""
    session = _session(request)
    asked = int(request.query_params.get("w", 0))
    width = next((each for each in WIDTHS if each >= asked), 0) if asked else 0
    data = session.clip.jpeg(request.path_params["frame"], width)
    kept = "private, max-age=3600" if session.clip.exact else "no-store"
    return Response(data, media_type="image/jpeg", headers={"cache-control": kept})


async def _edit(request: Request) -> Response:
    values = await _json(request)
    session = await run_in_threadpool(_session, request)
    change = change_of(values)
    follow = order_of(values["follow"], session.models) if values.get("follow") else None
    result = await run_in_threadpool(session.edit, change, follow)
    return JSONResponse({"result": result, "project": session.summary()})


async def _job(request: Request) -> Response:
    values = await _json(request)
    session = await run_in_threadpool(_session, request)
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
    session, index = _session(request), request.path_params["frame"]
    model = _model(request, session)
    number = int(request.query_params["target"])
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


def _export(request: Request) -> Response:
    session, format = _session(request), request.path_params["format"]
    if format not in FORMATS:
        raise LookupError(f"format {format!r}: expected one of {', '.join(FORMATS)}")
    session.settle()
    _, suffix, kind = FORMATS[format]
    folder = session.journal.path.parent / "exports"
    folder.mkdir(exist_ok=True)
    path = folder / (secrets.token_hex(8) + suffix)
    try:
        write_export(
            format, path, session.project, _model(request, session), fps=session.clip.fps,
            read=session.clip.reader(), name=session.name,
        )  # fmt: skip
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    stem = re.sub(r"[^\w-]+", "_", Path(session.name).stem).strip("_") or "tracks"
    return FileResponse(
        path, media_type=kind, filename=f"{stem}_{format}{suffix}",
        background=BackgroundTask(path.unlink, missing_ok=True),
    )  # fmt: skip
