"""News of a project, for the pages that show it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocket, WebSocketDisconnect

from siamtrack.studio.asking import accepted_session
from siamtrack.studio.session import Session

SEND_TIMEOUT = 10.0
"""Seconds that a page may take to accept a message; then it counts as vanished."""


async def live(socket: WebSocket) -> None:
    """Send the news of a project to a page until it goes away."""
    session = await accepted_session(socket)
    if session is None:
        return
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
