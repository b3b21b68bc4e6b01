"""What flows while it happens: news of a project, and the camera."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

import cv2
import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocket, WebSocketDisconnect

from siamtrack.config import parse_json
from siamtrack.decoding import decode, stated_size
from siamtrack.errors import SiamtrackError
from siamtrack.studio.clip import encode
from siamtrack.studio.session import Session, Sessions
from siamtrack.tracker import SiamTracker
from siamtrack.tracks import Track
from siamtrack.video import open_video

SEND_TIMEOUT = 10.0
"""Seconds that a page may take to accept a message; then it counts as vanished."""
MOST_PICTURE = 4 << 20
MOST_SIDE = 4096


async def live(socket: WebSocket) -> None:
    """Send the news of a project to a page until it goes away."""
    sessions: Sessions = socket.app.state.sessions
    try:
        session = await run_in_threadpool(sessions.get, socket.path_params["project"])
    except (LookupError, SiamtrackError):
        await socket.close(1008)
        return
    await socket.accept()
    subscriber = session.hub.subscribe()
    sender = asyncio.create_task(_send_news(socket, session, subscriber))
    try:
        while True:  # pages send nothing; this waits for the end
            await socket.receive_text()
    except (WebSocketDisconnect, KeyError, RuntimeError):
        pass
    finally:
        session.hub.unsubscribe(subscriber)
        sender.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sender


async def _send_news(socket: WebSocket, session: Session, subscriber: Any) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError, TimeoutError, asyncio.TimeoutError):
        first = await run_in_threadpool(session.summary)
        await _send(socket, {"type": "project", **first})
        while True:
            for message in await subscriber.get():
                await _send(socket, message)
    with contextlib.suppress(RuntimeError):
        await socket.close(1011)


async def _send(socket: WebSocket, message: dict[str, Any]) -> None:
    await asyncio.wait_for(socket.send_text(json.dumps(message)), SEND_TIMEOUT)


async def camera(socket: WebSocket) -> None:
    """Track live: pictures from the page's camera, or from one of the server's.

    The page sends JSON: `{"model": ..., "source": null or the number of a server's camera}` once,
    then `{"box": [l, t, w, h]}` to start a target on the next picture and `{"clear": true}` to
    forget all. With its own camera it sends a JPEG for each answer that it got, so that no queue
    builds up. Answers are JSON with the tracks; with the server's camera a JPEG comes before each.
    """
    await socket.accept()
    try:
        hello = parse_json(await socket.receive_text())
        models = socket.app.state.sessions.models
        model = await run_in_threadpool(models, str(hello.get("model", models.names[0])))
        tracker = SiamTracker(model, redetect=True)
        source = hello.get("source")
        if source is None:
            await _from_page(socket, tracker)
        elif type(source) is int and 0 <= source < 64 and socket.app.state.settings.cameras:
            await _from_server(socket, tracker, source)
        else:
            raise ValueError(f"source {source!r}: expected null or the number of a camera")
    except (SiamtrackError, ValueError, TypeError, AttributeError) as error:
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            await socket.send_text(json.dumps({"error": str(error)}))
            await socket.close(1003)
    except (WebSocketDisconnect, KeyError, RuntimeError, TimeoutError, asyncio.TimeoutError):
        return


class Live:
    """A tracker and the boxes that wait for the next picture."""

    def __init__(self, tracker: SiamTracker) -> None:
        self._tracker = tracker
        self.waiting: list[list[float]] = []

    def order(self, text: str) -> None:
        """Take a message of the page.

        Raises:
            ValueError: If it is none.
        """
        message = parse_json(text)
        if message.get("clear"):
            self._tracker.clear()
            self.waiting.clear()
        elif "box" in message:
            self.waiting = [*self.waiting, [float(value) for value in message["box"]]][-16:]

    def step(self, picture: Any) -> str:
        """Track one picture and return the answer; a box that does not fit is named in it."""
        tracks: list[Track] = []
        try:
            tracks = self._tracker.update_all(picture) if self._tracker.ids else []
        except ValueError:  # the camera was turned: other frames
            self._tracker.clear()
        answer: dict[str, Any] = {}
        while self.waiting:
            try:
                tracks.append(self._tracker.add(picture, self.waiting.pop(0)))
            except ValueError as error:
                answer["error"] = str(error)
        answer["tracks"] = [
            {
                "id": track.id,
                "box": [round(float(value), 2) for value in track.box],
                "score": round(track.score, 3),
                "state": track.state.value,
            }
            for track in tracks
        ]
        answer["size"] = [picture.shape[1], picture.shape[0]]
        return json.dumps(answer)


async def _from_page(socket: WebSocket, tracker: SiamTracker) -> None:
    state = Live(tracker)
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return
        if message.get("text") is not None:
            state.order(message["text"])
        elif message.get("bytes") is not None:
            answer = await run_in_threadpool(_decode_and_step, state, message["bytes"])
            await asyncio.wait_for(socket.send_text(answer), SEND_TIMEOUT)


def _decode_and_step(state: Live, data: bytes) -> str:
    if len(data) > MOST_PICTURE or data[:2] != b"\xff\xd8":
        raise ValueError("expected a JPEG of at most 4 MiB")
    size = stated_size(data)
    picture = None
    if size is not None and max(size) <= MOST_SIDE:
        picture = decode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if picture is None or max(picture.shape) > MOST_SIDE:
        raise ValueError("expected a JPEG of at most 4096 pixels a side")
    return state.step(np.ascontiguousarray(picture[..., ::-1]))


async def _from_server(socket: WebSocket, tracker: SiamTracker, number: int) -> None:
    state = Live(tracker)
    video = await run_in_threadpool(open_video, number, latest=True)

    async def listen() -> None:
        while True:
            state.order(await socket.receive_text())

    listening = asyncio.create_task(listen())
    try:
        frames = iter(video)
        while not listening.done():
            frame = await run_in_threadpool(next, frames, None)
            if frame is None:
                return
            answer = await run_in_threadpool(state.step, frame.image)
            data = await run_in_threadpool(encode, frame.image, 1280)
            await asyncio.wait_for(socket.send_bytes(data), SEND_TIMEOUT)
            await asyncio.wait_for(socket.send_text(answer), SEND_TIMEOUT)
    finally:
        listening.cancel()
        with contextlib.suppress(BaseException):
            await listening
        await run_in_threadpool(video.close)
