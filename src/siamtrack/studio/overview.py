"""What the first page shows of clips and projects: a picture, how long, how many targets, when."""

from __future__ import annotations

import contextlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from siamtrack.core.images import Image, image_files, jpeg
from siamtrack.errors import VideoError
from siamtrack.studio.events import State
from siamtrack.studio.journal import NAME, read_head
from siamtrack.studio.request import json_of, session_of, sessions_of
from siamtrack.video.decode import decoded, duration, frame_count, rgb, video_stream
from siamtrack.video.images import read_image

THUMBNAIL = 480
"""Width of a thumbnail in pixels."""
PLACE = 0.1
"""Share of a clip after which its thumbnail is taken: many begin black."""


def clip_path(request: Request) -> Path:
    """Return where the clip is that the address names, by itself or by a project.

    Raises:
        LookupError: If there is none, or it may not be opened.
    """
    library = sessions_of(request).library
    project = request.path_params.get("project")
    if project is None:
        return library.clip(request.path_params["clip"]).path
    folder = library.folder(project)
    path = library.path_of(project, read_head(folder) or {})
    if path is None:
        raise LookupError("the clip of this project is not in the opened folders")
    return path


def thumbnail(request: Request) -> Response:
    """Give a picture of a clip as JPEG."""
    path = clip_path(request)
    data = _thumbnail(path, path.stat().st_mtime_ns)
    return Response(data, media_type="image/jpeg", headers={"cache-control": "private, max-age=60"})


def card(request: Request) -> Response:
    """Give the size and length of a clip; of a project also its targets and its last change."""
    path = clip_path(request)
    found = dict(_measures(path, path.stat().st_mtime_ns))
    if (project := request.path_params.get("project")) is not None:
        sessions = sessions_of(request)
        journal = sessions.library.folder(project) / NAME
        facts = journal.stat()
        found["changed"] = facts.st_mtime
        found["targets"] = count_targets(journal, facts.st_mtime_ns, facts.st_size)
    return JSONResponse(found)


async def rename(request: Request) -> Response:
    """Give a project another name."""
    name = (await json_of(request)).get("name")
    if not isinstance(name, str):
        raise ValueError(f"name {name!r}: expected text")
    session = await run_in_threadpool(session_of, request)
    return JSONResponse({"name": await run_in_threadpool(session.rename, name)})


async def delete(request: Request) -> Response:
    """Delete a project, and the upload that is its own; a clip in an opened folder stays."""
    await run_in_threadpool(sessions_of(request).delete, request.path_params["project"])
    return JSONResponse({})


@lru_cache(maxsize=512)
def _thumbnail(path: Path, changed: int) -> bytes:
    if path.is_dir():
        files = image_files(path.iterdir())
        return jpeg(read_image(files[int(PLACE * len(files))]), THUMBNAIL)
    return jpeg(_early(path), THUMBNAIL)


def _early(path: Path) -> Image:
    """Return a frame near the beginning of a video.

    Raises:
        VideoError: If none can be decoded.
    """
    for share in (PLACE, 0.0):
        with contextlib.suppress(FFmpegError), av.open(str(path)) as container:
            stream = video_stream(container, path.name)
            seconds = duration(container, stream) or 0.0
            if share and seconds:
                container.seek(int(share * seconds * av.time_base), backward=True)
            for frame in decoded(container, stream, path.name, cut=True):
                return rgb(frame)
    raise VideoError(f"{path.name}: no frame of it can be decoded")


@lru_cache(maxsize=4096)
def _measures(path: Path, changed: int) -> tuple[tuple[str, Any], ...]:
    """Return frames, seconds, width and height as far as the head of the file tells them."""
    if path.is_dir():
        files = image_files(path.iterdir())
        height, width, _ = read_image(files[0]).shape
        return ("frames", len(files)), ("seconds", None), ("width", width), ("height", height)
    try:
        with av.open(str(path)) as container:
            stream = video_stream(container, path.name)
            context, seconds = stream.codec_context, duration(container, stream)
            frames = frame_count(container, stream)
            size = ("width", context.width), ("height", context.height)
            return ("frames", frames), ("seconds", seconds), *size
    except FFmpegError as error:
        raise VideoError(f"{path.name} is not a video that can be read") from error


@lru_cache(maxsize=1024)
def count_targets(journal: Path, changed: int, size: int) -> int | None:
    """Return how many targets a project has, from its file; None if that is damaged.

    Args:
        journal: The file.
        changed: When it was changed, and
        size: its bytes: the result is kept for these.
    """
    state = State()
    try:
        with journal.open("rb") as file:
            next(file)
            for line in file:
                # Most lines are tracked rows, which add no target
                if not line.startswith((b'{"do":"rows"', b'{"do":"run"')) and line[-1:] == b"\n":
                    state.apply(json.loads(line))
    except (OSError, LookupError, ValueError, TypeError, AttributeError, StopIteration):
        return None
    return sum(not target.gone for target in state.targets.values())
