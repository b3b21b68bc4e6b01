"""Exports under way: with progress, cancelled when the page wants or goes away.

A page opens a WebSocket and sends `{"format": ..., "model": ...}`, for CVAT with `"keyframes":
PIXELS` to have only as many key frames as that takes, for a video with `"by_class": true` to have
the colors of classes, for COCO, CVAT, JSON Lines and video with `"masks": "polygons"`, of COCO also
"rle", to have the masks of targets. It hears the state "working" with `done` and `total`, then
"ready" with an `id`, fetches the file under that, and hears "sent". A data set with pictures is
made while it is fetched: it is ready at once, and hears "working" then.
An export lives as long as its socket: closing it, which the end of a page does as well, cancels it,
and no file stays.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import secrets
import shutil
import threading
from collections.abc import AsyncIterator, Generator
from pathlib import Path
from typing import Any, get_args

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from siamtrack.core.boundary import log, sentence
from siamtrack.core.config import parse_json, shown
from siamtrack.errors import SiamtrackError
from siamtrack.sinks.coco import MaskForm
from siamtrack.sinks.cvat import check_error
from siamtrack.studio.export_files import (
    FORMATS,
    PIECE,
    YOLO,
    Options,
    split,
    suffix_of,
    take_snapshot,
    write_export,
    zip_pieces,
)
from siamtrack.studio.library import choose
from siamtrack.studio.request import GONE, accepted_session, send, session_of, until_gone
from siamtrack.studio.security import public_message
from siamtrack.studio.session import Session

logger = logging.getLogger(__name__)

EVERY = 0.1
"""Seconds between two reports."""


class CancelledError(Exception):
    """Nobody wants the export any more."""


class Export:
    """One export.

    Args:
        session: Of what.
        format: One of `FORMATS`.
        model: Whose tracks; None: the first model's.
        options: What a person chose.

    Raises:
        ValueError: If there is no such format or model, or nothing to export.

    Attributes:
        id: Its name; hard to guess.
        state: working, ready, sent or failed.
    """

    def __init__(self, session: Session, format: str, model: str | None, options: Options) -> None:
        if format not in FORMATS:
            raise ValueError(f"format {format!r}: expected one of {', '.join(FORMATS)}")
        model = choose(model, session.models.names)
        session.settle()
        self.id, self.state, self.error = secrets.token_hex(16), "working", ""
        self.done = self.total = 0
        self._format, self._options = format, options
        self._result = take_snapshot(session.project, model, session.clip.fps, session.name)
        self._suffix, self.kind = suffix_of(format, self._result), FORMATS[format][2]
        if self._suffix == ".zip":
            self.kind = "application/zip"
        if format in YOLO:
            split(self._result)  # says so now if there is no frame for it
        self._read, self._outline = session.clip.reader(), session.models.outliner
        self._path = session.scratch / self.id / self.filename
        self._cancelled = threading.Event()
        self._taken = False

    @property
    def filename(self) -> str:
        """What the file is called where it is saved."""
        stem = re.sub(r"[^\w-]+", "_", Path(self._result.name).stem, flags=re.ASCII).strip("_")
        return f"{stem or 'tracks'}_{self._format}{self._suffix}"

    @property
    def status(self) -> dict[str, Any]:
        """What the page hears."""
        progress = {"state": self.state, "done": self.done, "total": self.total}
        return {**progress, "id": self.id, "error": self.error}

    def cancel(self) -> None:
        """End it before its next frame; from any thread."""
        self._cancelled.set()
        if self.state == "ready" and not self._taken:
            self._clear()

    def work(self) -> None:
        """Write the file, unless it is made while it is fetched."""
        if self._format in YOLO:
            self.state = "ready"
            return
        try:
            self._path.parent.mkdir(parents=True)
            write_export(
                self._format,
                self._path,
                self._result,
                self._read,
                self._tick,
                self._options,
                self._outline,
            )
            self._check()
            self.state = "ready"
        except BaseException as error:
            self._clear()
            self._fail(error)

    def pieces(self) -> Generator[bytes, None, None]:
        """Yield the bytes of the file, once; nothing of it is left then.

        Raises:
            LookupError: If it is not ready, or was taken already.
        """
        if self.state != "ready" or self._taken or self._cancelled.is_set():
            raise LookupError("no such export, or it was fetched already")
        self._taken = True
        return self._made() if self._format in YOLO else self._written()

    def _made(self) -> Generator[bytes, None, None]:
        self.state = "working"
        try:
            yield from zip_pieces(self._result, self._read, self._tick, self._format, self._outline)
        except BaseException as error:
            self._fail(error)
            raise
        self.state = "sent"

    def _written(self) -> Generator[bytes, None, None]:
        try:
            with self._path.open("rb") as file:
                while piece := file.read(PIECE):
                    yield piece
            self.state = "sent"
        finally:
            self._clear()

    def _clear(self) -> None:
        shutil.rmtree(self._path.parent, ignore_errors=True)

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, SiamtrackError | ValueError | CancelledError):
            self.error = public_message(error)
        elif isinstance(error, OSError):  # its text names a path, which pages must not see
            self.error = f"the export cannot be written: {error.strerror}"
        elif isinstance(error, GeneratorExit):
            self.error = "the fetching broke off"
        else:
            log(error)
            logger.warning("an export failed: %s", sentence(error))
            self.error = public_message(error)
        self.state = "failed"

    def _tick(self, done: int, total: int) -> None:
        self.done, self.total = done, total
        self._check()

    def _check(self) -> None:
        if self._cancelled.is_set():
            raise CancelledError("cancelled")


async def export(socket: WebSocket) -> None:
    """Make an export for a page; see above."""
    session = await accepted_session(socket)
    if session is None:
        return
    try:
        hello = parse_json(await socket.receive_text())
        format, model = str(hello.get("format")), hello.get("model")
        options = _options(hello)
        made = await run_in_threadpool(Export, session, format, model, options)
    except (SiamtrackError, ValueError, TypeError, AttributeError) as error:
        with contextlib.suppress(*GONE):
            await send(socket, {"state": "failed", "error": public_message(error)})
        return
    except (WebSocketDisconnect, KeyError):
        return
    session.exports[made.id] = made
    work = asyncio.create_task(run_in_threadpool(made.work))
    gone = asyncio.create_task(until_gone(socket))
    try:
        await _report(socket, made, gone)
    finally:
        made.cancel()
        session.exports.pop(made.id, None)
        gone.cancel()
        with contextlib.suppress(Exception):
            await work
        made.cancel()  # it may have become ready in the same moment


def _options(hello: dict[str, Any]) -> Options:
    """Return the options that a page gives.

    Raises:
        ValueError: If one is of another type.
    """
    pixels = hello.get("keyframes")
    if pixels is not None and type(pixels) not in (int, float):
        raise ValueError(f"keyframes {shown(pixels)}: expected pixels, or null for all frames")
    if pixels is not None:
        check_error(pixels)
    masks = hello.get("masks")
    if masks is not None and masks not in get_args(MaskForm):
        raise ValueError(f"masks {shown(masks)}: expected polygons or rle, or null for none")
    return Options(pixels, hello.get("by_class") is True, masks)


async def _report(socket: WebSocket, made: Export, gone: asyncio.Task[None]) -> None:
    reported: dict[str, Any] = {}
    with contextlib.suppress(*GONE):
        while not gone.done():
            if (status := made.status) != reported:
                reported = status
                await send(socket, status)
                if status["state"] in ("sent", "failed"):
                    return
            await asyncio.wait([gone], timeout=EVERY)


class _Abortable(StreamingResponse):
    """A response that breaks off when its export does: the browser keeps no half file."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(CancelledError, SiamtrackError):
            await super().__call__(scope, receive, send)


async def fetch(request: Request) -> Response:
    """Give the file of an export that is ready."""
    session = await run_in_threadpool(session_of, request)
    made = session.exports.get(request.path_params["export"])
    if made is None:
        raise LookupError("no such export, or it was fetched already")
    pieces = made.pieces()

    async def body() -> AsyncIterator[bytes]:
        try:
            while (piece := await run_in_threadpool(next, pieces, None)) is not None:
                yield piece
        finally:
            with contextlib.suppress(ValueError):  # the thread is still at it
                pieces.close()

    disposition = f'attachment; filename="{made.filename}"'
    return _Abortable(body(), media_type=made.kind, headers={"content-disposition": disposition})
