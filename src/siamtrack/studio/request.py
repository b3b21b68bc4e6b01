"""What pages send, read and checked: numbers, JSON, edits of a project, orders to track.

And how they are answered: `send`, and tracks as JSON, `track_record`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.websockets import WebSocket, WebSocketDisconnect

from siamtrack.core.config import parse_json, shown
from siamtrack.core.tracks import Track
from siamtrack.errors import SiamtrackError
from siamtrack.studio.jobs import Order
from siamtrack.studio.journal import LARGE
from siamtrack.studio.library import Models, choose
from siamtrack.studio.project import Project
from siamtrack.studio.security import Access
from siamtrack.studio.session import Session, Sessions
from siamtrack.studio.timeline import Box, Step
from siamtrack.video.streams import FIRST_WAIT

Change = Callable[[Project], Any]
DIRECTIONS: dict[str, tuple[Step, ...]] = {"forward": (1,), "backward": (-1,), "both": (1, -1)}
MOST_JSON = 1 << 20
SEND_TIMEOUT = 10.0
"""Seconds that a page may take to accept a message; then it counts as vanished."""
GONE = (WebSocketDisconnect, RuntimeError, KeyError, TimeoutError, asyncio.TimeoutError)
"""What a socket raises whose page has gone away, or sends something else than text."""


@dataclass(frozen=True)
class Settings:
    """Everything that the application needs to know.

    Attributes:
        access: Who may ask.
        cameras: The server's cameras that pages may use: numbers and addresses. Pages name them by
            their place here.
        upload: Bytes of an upload at most.
        spare: Bytes that stay free on the disk.
        journal: Bytes from which the journal of a project is compacted.
        stall: Seconds without a picture of a camera between two messages about that.
        first_wait: Seconds before a broken stream is opened again; see `CaptureReader`.
    """

    access: Access = field(default_factory=Access)
    cameras: tuple[int | str, ...] = (0,)
    upload: int = 8 << 30
    spare: int = 1 << 30
    journal: int = LARGE
    stall: float = 1.5
    first_wait: float = FIRST_WAIT


class TooLargeError(Exception):
    """More bytes than allowed."""


def settings_of(request: HTTPConnection) -> Settings:
    """Return the settings of the application."""
    found: Settings = request.app.state.settings
    return found


def sessions_of(request: HTTPConnection) -> Sessions:
    """Return the open projects."""
    found: Sessions = request.app.state.sessions
    return found


def session_of(request: HTTPConnection) -> Session:
    """Return the project that the address names, opened if need be.

    Raises:
        LookupError: If there is none.
        ProjectError: If it is damaged or open elsewhere.
    """
    return sessions_of(request).get(request.path_params["project"])


def model_of(request: HTTPConnection, session: Session) -> str:
    """Return the name of the model that the query names, or the first.

    Raises:
        ValueError: If there is no such model.
    """
    return choose(request.query_params.get("model"), session.models.names)


def frame_of(request: HTTPConnection) -> int:
    """Return the frame that the address names.

    Raises:
        LookupError: If no clip has so many.
    """
    index = int(request.path_params["frame"])
    if not 0 <= index < 1 << 31:
        raise LookupError("no such frame")
    return index


def number_of(request: HTTPConnection, name: str, default: int | None = None) -> int:
    """Return a whole number of the query.

    Raises:
        ValueError: If it is none, or there is none and no default.
    """
    text = request.query_params.get(name)
    if text is None and default is not None:
        return default
    if text is None or not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError(f"{name} {shown(text)}: expected a whole number from 0")
    return int(text)


async def json_of(request: Request) -> dict[str, Any]:
    """Read a JSON object; other types of content, which forms can send, are refused.

    Raises:
        ValueError: If it is something else.
        TooLargeError: If it is too long.
    """
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


async def accepted_session(socket: WebSocket) -> Session | None:
    """Accept a socket and return its project; close it and return None where there is none."""
    try:
        session = await run_in_threadpool(session_of, socket)
    except (LookupError, SiamtrackError):
        await socket.close(1008)
        return None
    await socket.accept()
    return session


async def send(socket: WebSocket, message: dict[str, Any] | bytes) -> None:
    """Send bytes, or anything else as JSON.

    Raises:
        WebSocketDisconnect: Or another of `GONE`, if the page does not take it.
    """
    if isinstance(message, bytes):
        sending = socket.send_bytes(message)
    else:
        sending = socket.send_text(json.dumps(message))
    await asyncio.wait_for(sending, SEND_TIMEOUT)


async def until_gone(socket: WebSocket) -> None:
    """Wait until the page goes away; what it sends is ignored."""
    with contextlib.suppress(*GONE):
        while True:
            await socket.receive_text()


def track_record(track: Track) -> dict[str, Any]:
    """Return a track as pages and other programs get it."""
    return {
        "id": track.id,
        "box": [round(float(side), 3) for side in track.box],
        "score": round(track.score, 4),
        "state": track.state.value,
    }


def change_of(values: Mapping[str, Any]) -> Change:
    """Return the change that a page asks for.

    Raises:
        ValueError: If it is none, or something of it is missing or of another type.

    Example:
        >>> project = Project(10, (64, 48))
        >>> change_of({"do": "draw", "frame": 3, "box": [1, 2, 30, 20]})(project)
        0
        >>> project.targets[0].keys[3].box
        (1.0, 2.0, 30.0, 20.0)
    """
    kind = values.get("do")
    if not isinstance(kind, str) or kind not in EDITS:
        raise ValueError(f"do {shown(kind)}: no edit is called so")
    edit, names = EDITS[kind]
    values = {"color" if name == "colour" else name: value for name, value in values.items()}
    given = [READERS[name](values, name) for name in names]
    return lambda project: edit(project, *given)


def order_of(values: Mapping[str, Any], models: Models) -> Order:
    """Return the order that a page gives.

    Raises:
        ValueError: If something of it is missing or of another type.
    """
    steps = steps_of(values)
    model = choose(values.get("model"), models.names)
    frame, targets = whole_of(values, "frame"), values.get("targets")
    if targets is not None and not (isinstance(targets, list) and all(map(_is_whole, targets))):
        raise ValueError("targets: expected a list of numbers, or null for all")
    chosen = None if targets is None else tuple(targets)
    bounds: dict[Step, tuple[int, int]] | None = None
    if values.get("count") is not None:
        many = whole_of(values, "count")
        bounds = {1: (frame + 1, frame + many), -1: (frame - many, frame - 1)}
    redetect = values.get("redetect", True) is True
    if values.get("do") == "check":
        return Order((-1,), frame, model, chosen, None, redetect, check=True)
    return Order(steps, frame, model, chosen, bounds, redetect)


def steps_of(values: Mapping[str, Any]) -> tuple[Step, ...]:
    """Return in which directions to track.

    Raises:
        ValueError: If it is none of `DIRECTIONS`.
    """
    direction = values.get("direction", "forward")
    if not isinstance(direction, str) or direction not in DIRECTIONS:
        raise ValueError(f"direction {shown(direction)}: expected {', '.join(DIRECTIONS)}")
    return DIRECTIONS[direction]


def _is_whole(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 31


def whole_of(values: Mapping[str, Any], name: str) -> int:
    """Return a whole number; ValueError if it is none."""
    value: Any = values.get(name)
    if not _is_whole(value):
        raise ValueError(f"{name} {shown(value)}: expected a whole number from 0")
    return int(value)


def _text(values: Mapping[str, Any], name: str) -> str | None:
    value = values.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name} {shown(value)}: expected text")
    return value


def box_of(value: Any, name: str = "box") -> Box:
    """Return a box; ValueError if it is none."""
    if not (isinstance(value, list) and len(value) == 4 and all(map(_is_side, value))):
        raise ValueError(f"{name} {shown(value)}: expected left, top, width, height")
    left, top, width, height = (float(each) for each in value)
    return left, top, width, height


def _is_side(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e6  # NaN is not


EDITS: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "undo": (Project.undo, ()),
    "redo": (Project.redo, ()),
    "draw": (Project.draw, ("frame", "box", "name", "class")),
    "remove": (Project.remove, ("target",)),
    "rename": (Project.rename, ("target", "name", "color")),
    "classify": (Project.classify, ("target", "class")),
    "class": (Project.set_class, ("class", "name", "color")),
    "unclass": (Project.remove_class, ("class",)),
    "key": (Project.set_key, ("target", "frame", "box")),
    "absent": (partial(Project.set_key, box=None), ("target", "frame")),
    "unkey": (Project.remove_key, ("target", "frame")),
}
"""What pages call an edit: what does it, and the values that they send with it."""
READERS: dict[str, Callable[[Mapping[str, Any], str], Any]] = {
    **dict.fromkeys(("target", "frame"), whole_of),
    **dict.fromkeys(("name", "color", "class"), _text),
    "box": lambda values, name: box_of(values.get(name), name),
}
