"""Taking a video from the page."""

from __future__ import annotations

import re

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from siamtrack.studio.asking import TooLargeError, sessions_of, settings_of
from siamtrack.studio.library import probe
from siamtrack.studio.partial import under_way


async def take_upload(request: Request) -> Response:
    """Take a video as the body of the request; its name is for showing only."""
    limits, sessions = settings_of(request).limits, sessions_of(request)
    if request.headers.get("content-type") != "application/octet-stream":
        raise ValueError("expected the content type application/octet-stream")
    room = min(limits.upload, sessions.library.room() - limits.spare)
    if int(request.headers.get("content-length", 0)) > room:
        raise TooLargeError(f"uploads may have {max(0, room)} bytes at most")
    name = _shown_name(request.query_params.get("name", ""))
    folder = sessions.library.new_folder()
    try:
        with under_way(folder):
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
        return Response(status_code=400)
    return JSONResponse({"project": session.id})


def _shown_name(text: str) -> str:
    clean = re.sub(r"[^\w .()\[\]-]", "", text.replace("\\", "/").rsplit("/", 1)[-1])
    return clean.strip(". ")[:80] or "upload"
