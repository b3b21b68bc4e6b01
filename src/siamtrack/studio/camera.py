"""Tracking live, with the camera of the page or with one of the server's."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocket

from siamtrack.core.boundary import FORESEEN
from siamtrack.core.config import parse_json
from siamtrack.core.images import Image, decode, jpeg, stated_size
from siamtrack.core.tracks import Track
from siamtrack.errors import VideoError
from siamtrack.studio.library import choose
from siamtrack.studio.request import GONE, send, settings_of, track_record
from siamtrack.studio.security import public_message
from siamtrack.tracking.tracker import SiamTracker
from siamtrack.video import Frame, VideoSource, open_video
from siamtrack.video.source import Span
from siamtrack.video.streams import CaptureReader

MOST_PICTURE = 4 << 20
MOST_SIDE = 4096


def camera_name(target: int | str) -> str:
    """Return what pages call a camera: of an address neither user nor password.

    Example:
        >>> camera_name(0), camera_name("rtsp://me:secret@10.0.0.7:554/yard?key=1")
        ("The server's camera 0", '10.0.0.7/yard')
    """
    if isinstance(target, int):
        return f"The server's camera {target}"
    parts = urlsplit(target)
    return f"{parts.hostname or ''}{parts.path}"


async def camera(socket: WebSocket) -> None:
    """Track live: pictures from the page's camera, or from one of the server's.

    The page sends JSON: `{"model": ..., "source": ...}` once, the source null or the place of one
    of the server's cameras, then `{"box": [l, t, w, h]}` to start a target on the next picture and
    `{"remove": id}` or `{"clear": true}` to forget one or all. With its own camera it sends a JPEG
    for each answer that it got, so that no queue builds up. Answers are JSON with the tracks; with
    the server's camera a JPEG comes before each, and `{"stalled": seconds}` while no picture comes.
    A page that says `"paced": true` in its first message gets the next of these when it has sent
    `{"next": true}`: all pictures are tracked, and a page that is slow is not sent all of them.
    """
    await socket.accept()
    try:
        hello = parse_json(await socket.receive_text())
        models = socket.app.state.sessions.models
        model = await run_in_threadpool(models, choose(hello.get("model"), models.names))
        tracker = SiamTracker(model, redetect=True)
        cameras = settings_of(socket).cameras
        source = hello.get("source")
        if source is None:
            await _from_page(socket, tracker)
        elif type(source) is int and 0 <= source < len(cameras):
            with _discreet(cameras[source]):
                state = LiveTracker(tracker, paced=hello.get("paced") is True)
                await _from_server(socket, state, cameras[source])
        else:
            raise ValueError(f"source {source!r}: expected null or the place of a camera")
    except (*FORESEEN, AttributeError, ArithmeticError) as error:
        with contextlib.suppress(*GONE):
            await send(socket, {"error": public_message(error)})
            await socket.close(1003)
    except GONE:
        return


class LiveTracker:
    """A tracker and the boxes that wait for the next picture.

    Args:
        tracker: The tracker.
        paced: Whether the page asks for each answer.

    Attributes:
        paced: Whether the page asks for each answer.
        waiting: Boxes for the next picture.
        wanted: Whether the page is ready for an answer.
    """

    def __init__(self, tracker: SiamTracker, paced: bool = False) -> None:
        self._tracker, self.paced = tracker, paced
        self.wanted = True
        self.waiting: list[list[float]] = []
        self._leaving: list[int] = []

    def order(self, text: str) -> None:
        """Take a message of the page.

        Raises:
            ValueError: If it is none.
        """
        message = parse_json(text)
        if message.get("clear"):
            self._tracker.clear()
            self.waiting.clear()
        elif message.get("next"):
            self.wanted = True
        elif "remove" in message:
            self._leaving.append(int(message["remove"]))
        elif "box" in message:
            self.waiting = [*self.waiting, [float(value) for value in message["box"]]][-16:]

    def step(self, picture: Image) -> dict[str, Any]:
        """Track one picture and return the answer; a box that does not fit is named in it."""
        tracks: list[Track] = []
        while self._leaving:
            if (number := self._leaving.pop()) in self._tracker.ids:
                self._tracker.remove(number)
        try:
            tracks = self._tracker.update_all(picture) if self._tracker.ids else []
        except ValueError:  # the camera was turned: other frames
            self._tracker.clear()
        answer: dict[str, Any] = {}
        while self.waiting:
            try:
                tracks.append(self._tracker.add(picture, self.waiting.pop(0)))
            except ValueError as error:
                answer["error"] = public_message(error)
        answer["tracks"] = list(map(track_record, tracks))
        answer["size"] = [picture.shape[1], picture.shape[0]]
        return answer


async def _from_page(socket: WebSocket, tracker: SiamTracker) -> None:
    state = LiveTracker(tracker)
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return
        if message.get("text") is not None:
            state.order(message["text"])
        elif message.get("bytes") is not None:
            answer = await run_in_threadpool(_decode_and_step, state, message["bytes"])
            await send(socket, answer)


def _decode_and_step(state: LiveTracker, data: bytes) -> dict[str, Any]:
    if len(data) > MOST_PICTURE or data[:2] != b"\xff\xd8":
        raise ValueError("expected a JPEG of at most 4 MiB")
    size = stated_size(data)
    picture = None
    if size is not None and max(size) <= MOST_SIDE:
        picture = decode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if picture is None or max(picture.shape) > MOST_SIDE:
        raise ValueError("expected a JPEG of at most 4096 pixels a side")
    return state.step(np.ascontiguousarray(picture[..., ::-1]))


def _camera(target: int | str, first_wait: float) -> VideoSource:
    """Open a camera of the server; a stream that breaks is opened again after `first_wait`."""
    if isinstance(target, str) and "://" not in target:
        return open_video(target, latest=True)
    return VideoSource(CaptureReader(target, first_wait=first_wait), Span(), latest=True)


async def _from_server(socket: WebSocket, state: LiveTracker, target: int | str) -> None:
    video = await run_in_threadpool(_camera, target, settings_of(socket).first_wait)
    listening = asyncio.create_task(_listen(socket, state))
    frames = iter(video)
    coming: asyncio.Task[Frame | None] | None = None
    try:
        while True:
            coming = asyncio.create_task(run_in_threadpool(next, frames, None))
            if not await _arrives(socket, coming, listening):
                return
            frame, coming = coming.result(), None
            if frame is None:
                raise ValueError("the camera gives no more pictures")
            answer = await run_in_threadpool(state.step, frame.image)
            if not state.wanted and "error" not in answer:
                continue
            state.wanted = not state.paced
            data = await run_in_threadpool(jpeg, frame.image, 1280)
            await send(socket, data)
            await send(socket, answer)
    finally:
        listening.cancel()
        with contextlib.suppress(BaseException):
            await listening
        if coming is None or coming.done():
            await run_in_threadpool(video.close)
        else:  # a thread waits for the camera, the page need not
            closing = asyncio.create_task(_close_later(video, coming))
            _CLOSING.add(closing)
            closing.add_done_callback(_CLOSING.discard)


async def _arrives(
    socket: WebSocket, coming: asyncio.Task[Frame | None], listening: asyncio.Task[None]
) -> bool:
    """Wait for a picture and tell the page if it is late; False if the page has gone away."""
    since, stall = time.monotonic(), settings_of(socket).stall
    while not coming.done():
        await asyncio.wait([coming, listening], timeout=stall, return_when="FIRST_COMPLETED")
        if listening.done():
            listening.result()  # what the page sent may have been nonsense
            return False
        if not coming.done():
            await send(socket, {"stalled": round(time.monotonic() - since, 1)})
    return True


_CLOSING: set[asyncio.Task[None]] = set()


async def _close_later(video: VideoSource, coming: asyncio.Task[Frame | None]) -> None:
    with contextlib.suppress(ValueError):  # its iterator is running: this only ends the reader
        await run_in_threadpool(video.close)
    with contextlib.suppress(Exception):
        await coming
    await run_in_threadpool(video.close)


async def _listen(socket: WebSocket, state: LiveTracker) -> None:
    while True:
        state.order(await socket.receive_text())


@contextlib.contextmanager
def _discreet(target: int | str) -> Iterator[None]:
    """Call a camera in errors by its name for pages: its address may hold a password."""
    try:
        yield
    except VideoError as error:
        raise VideoError(str(error).replace(str(target), camera_name(target))) from None
