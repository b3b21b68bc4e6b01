"""What requests are read with: settings, sessions, JSON bodies."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.websockets import WebSocket

from siamtrack.core.config import parse_json, shown
from siamtrack.errors import SiamtrackError
from siamtrack.studio.session import Session
from siamtrack.studio.sessions import Sessions

MOST_JSON = 1 << 20


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
    """Everything that the application needs to know.

    Attributes:
        limits: What pages may do.
        access: Who may ask.
        cameras: The server's cameras that pages may use: numbers and addresses. Pages name them by
            their place here.
    """

    limits: Limits = field(default_factory=Limits)
    access: Access = field(default_factory=Access)
    cameras: tuple[int | str, ...] = (0,)


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


async def accepted_session(socket: WebSocket) -> Session | None:
    """Accept a socket and return its project; close it and return None where there is none."""
    try:
        session = await run_in_threadpool(session_of, socket)
    except (LookupError, SiamtrackError):
        await socket.close(1008)
        return None
    await socket.accept()
    return session


def model_of(request: HTTPConnection, session: Session) -> str:
    """Return the name of the model that the query names, or the first.

    Raises:
        ValueError: If there is no such model.
    """
    name = request.query_params.get("model", session.models.names[0])
    if name not in session.models.names:
        raise ValueError(f"no model {name!r} here")
    return name


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
