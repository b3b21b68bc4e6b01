"""Who may talk to the studio, for how long, and what they learn from errors.

`Guard` lets only the studio's own page in, from the places it was opened for, and nobody else:

- The Host header must name this machine, or a web site could point its own name at it (DNS
  rebinding) and read everything.
- Requests that another site's page makes are refused: by Origin, and by Sec-Fetch-Site where
  there is no Origin. A WebSocket without Origin is refused, since CORS does not cover those.
- Each request needs the random token, also from this machine, which other people may use as well.
  The address that is opened carries it once; the page gets it as a cookie.

`Shield` answers unforeseen errors with one sentence, `public_message` keeps places on the disk out
of all messages, and `PatientProtocol` closes connections that nobody uses.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from siamtrack.core.boundary import FORESEEN, log, sentence
from siamtrack.core.browser import ONWARD, cookie_of, from_own_page, hardened, is_secret
from siamtrack.errors import SiamtrackError

logger = logging.getLogger(__name__)

COOKIE = "siamtrack_studio"
LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})
HOST = re.compile(r"(?:(?P<name>[a-z0-9._-]+)|\[(?P<six>[0-9a-f:.]+)\])(?::[0-9]{1,5})?")
_FOLDERS = re.compile(
    r"""(?<![\w/\\:.])(?:[A-Za-z]:)?[/\\](?:[^/\\:;,'"()\n]*[^/\\\s:;,'"()\n][/\\]+)+(?=[^/\\\s])"""
)


@dataclass(frozen=True)
class Access:
    """Who may talk to the studio.

    Attributes:
        hosts: Names under which it may be asked for, besides those of this machine itself.
        addresses: Whether any IP address is accepted too; a rebound name is never one.
        token: What requests must show; None: nothing.
    """

    hosts: frozenset[str] = frozenset()
    addresses: bool = False
    token: str | None = None


class Guard:
    """Middleware that lets only rightful requests through and adds headers to what comes back.

    Args:
        app: What is guarded.
        access: Who may ask.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access
        self._hosts = LOCAL | {host.lower() for host in access.hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = headers.get("host", "")

        async def add_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = MutableHeaders(scope=message)
                added.update(hardened(**_needed(host)))
                added.setdefault("cache-control", "no-store")
            await send(message)

        answer = self._answer(scope, headers, host)
        if answer is None:
            await self._app(scope, receive, add_headers)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await answer(scope, receive, add_headers)

    def _answer(self, scope: Scope, headers: Headers, host: str) -> Response | None:
        """Return a refusal, or the way on for who brings the token; None: let it through."""
        if not self._knows(host):
            return PlainTextResponse(f"The studio is not called {host[:80]!r} here.\n", 421)
        method = "" if scope["type"] == "websocket" else scope["method"]
        if not from_own_page(headers, host, method, scope["path"], ("http", "https")):
            return PlainTextResponse("The request comes from another site.\n", 403)
        token = self._access.token
        if token is None:
            return None
        given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
        if scope["type"] == "http" and scope["path"] == "/" and is_secret(given, token):
            answer: Response = RedirectResponse("/", 303)
            if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
                answer = HTMLResponse(ONWARD)
            name = cookie_name(host)
            answer.set_cookie(name, token, httponly=True, samesite="strict", path="/")
            return answer
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        cookie = cookie_of(headers, cookie_name(host))
        if is_secret(cookie, token) or is_secret(bearer, token):
            return None
        return PlainTextResponse("Open the address that the studio printed: it has a token.\n", 401)

    def _knows(self, host: str) -> bool:
        parts = HOST.fullmatch(host.lower())
        if parts is None:
            return False
        name = parts["name"] or parts["six"]
        if name in self._hosts or not self._access.addresses:
            return name in self._hosts
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _needed(host: str) -> dict[str, str]:
    """Return sources of what the studio's page needs: sockets, clips, and its manifest."""
    sockets = f"'self' ws://{host} wss://{host}"
    return {"connect": sockets, "media": "'self' blob:", "manifest": "'self'"}


def cookie_name(host: str) -> str:
    """Return the name of the cookie: browsers keep those of all ports of a machine together.

    Example:
        >>> cookie_name("localhost:8765"), cookie_name("studio.example")
        ('siamtrack_studio_8765', 'siamtrack_studio')
    """
    port = re.search(r":([0-9]{1,5})$", host)
    return COOKIE + (f"_{port[1]}" if port else "")


def public_message(error: BaseException) -> str:
    """Return what a page may read of an error: files by their names, without their folders.

    Example:
        >>> public_message(ValueError("/home/me/my clips/a.mp4: no video, and '/tmp/x/b' neither"))
        "a.mp4: no video, and 'b' neither"
        >>> public_message(KeyError("box"))[:26]
        "unexpected KeyError: 'box'"
    """
    ours = isinstance(error, SiamtrackError)
    if isinstance(error, OSError) and error.filename and error.strerror and not ours:
        text = f"{error.filename}: {error.strerror}"
    elif isinstance(error, KeyError) or not isinstance(error, (*FORESEEN, LookupError)):
        text = sentence(error)
    else:
        text = str(error)
    return _FOLDERS.sub("", text)


class Shield:
    """Middleware that answers unforeseen errors with one sentence.

    Args:
        app: What is asked.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        begun = False

        async def watch(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception as error:
            if scope["type"] not in ("http", "websocket"):
                raise
            log(error)
            logger.warning("%s: %s", scope.get("path"), sentence(error))
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1011})
            elif not begun:
                await JSONResponse({"error": public_message(error)}, 500)(scope, receive, send)


class PatientProtocol(H11Protocol):
    """HTTP/1.1 with a limit of time for each head and body, and a limit of idle connections.

    This is what uvicorn lacks against half-open sockets. A connection that waits between two
    requests is closed by uvicorn itself, `timeout_keep_alive`.

    Attributes:
        head_seconds: Seconds from the start of a connection, or from the first byte of a request,
            to the end of its head.
        body_seconds: Seconds without any byte of a body that is still to come.
        most_waiting: Connections without a request; of more, the one that has waited longest is
            closed.
    """

    head_seconds = 10.0
    body_seconds = 60.0
    most_waiting = 128

    _timer: asyncio.TimerHandle | None = None
    _since: float | None = None
    """When it began to wait for a request; None while there is one."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection; close the one that has waited longest if too many wait."""
        super().connection_made(transport)
        self._since = self.loop.time()
        self._set_timer(self.head_seconds)
        waiting = {
            each: each._since
            for each in self.connections
            if isinstance(each, PatientProtocol) and each._since is not None
        }
        if len(waiting) > self.most_waiting:
            min(waiting, key=waiting.__getitem__)._give_up()

    def data_received(self, data: bytes) -> None:
        """Take bytes; the time for a head does not begin again with each of them."""
        began = self._is_busy()
        super().data_received(data)
        if self.transport.get_protocol() is not self:  # it is a WebSocket's now
            return
        if self._is_busy():
            self._since = None
            self._set_timer(self.body_seconds if self.cycle.more_body else None)
        elif began or self._timer is None:
            self._set_timer(self.head_seconds)

    def on_response_complete(self) -> None:
        """Wait for the next request, which uvicorn limits."""
        self._set_timer(None)
        super().on_response_complete()
        if not self._is_busy():
            self._since = self.loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._set_timer(None)
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: Any) -> None:
        """Hand the connection over; WebSockets have pings of their own."""
        self._set_timer(None)
        super().handle_websocket_upgrade(event)

    def _is_busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _set_timer(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self.loop.call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        self._since = None
        if not self.transport.is_closing():
            self.transport.abort()
