"""Who may talk to the studio: its own page, from the places it was opened for, and nobody else.

- The Host header must name this machine, or a web site could point its own name at it (DNS
  rebinding) and read everything.
- Requests that another site's page makes are refused: by Origin, and by Sec-Fetch-Site where
  there is no Origin. A WebSocket without Origin is refused, since CORS does not cover those.
- Each request needs the random token, also from this machine, which other people may use as well.
  The address that is opened carries it once; the page gets it as a cookie.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "siamtrack_studio"
LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})
HOST = re.compile(r"(?:(?P<name>[a-z0-9._-]+)|\[(?P<six>[0-9a-f:.]+)\])(?::[0-9]{1,5})?")
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Guard:
    """Middleware that lets only rightful requests through and adds headers to what comes back.

    Args:
        app: What is guarded.
        hosts: Names under which the studio may be asked for, besides those of this machine itself.
        addresses: Whether any IP address will do as well; a rebound name is never one.
        token: What requests must show; None: nothing.
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: frozenset[str] = frozenset(),
        *,
        addresses: bool = False,
        token: str | None = None,
    ) -> None:
        self._app, self._addresses, self._token = app, addresses, token
        self._hosts = LOCAL | {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        refusal = self._refusal(scope, headers, host)
        if refusal is not None:
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1008})
            else:
                _harden(MutableHeaders(raw=refusal.raw_headers), host)
                await refusal(scope, receive, send)
            return

        async def add_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                _harden(MutableHeaders(scope=message), host)
            await send(message)

        await self._app(scope, receive, add_headers)

    def _refusal(self, scope: Scope, headers: Headers, host: str) -> Response | None:
        if not self._knows(host):
            return PlainTextResponse(f"The studio is not called {host[:80]!r} here.\n", 421)
        if not _same_origin(scope, headers, host):
            return PlainTextResponse("The request comes from another site.\n", 403)
        if self._token is None:
            return None
        given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
        if scope["type"] == "http" and scope["path"] == "/" and self._right(given):
            answer = RedirectResponse("/", 303)
            answer.set_cookie(
                cookie_name(host), self._token, httponly=True, samesite="strict", path="/"
            )
            return answer
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        if self._right(_cookie(headers, host)) or self._right(bearer):
            return None
        return PlainTextResponse("Open the address that the studio printed: it has a token.\n", 401)

    def _right(self, given: str) -> bool:
        assert self._token is not None
        return hmac.compare_digest(given.encode(), self._token.encode())

    def _knows(self, host: str) -> bool:
        parts = HOST.fullmatch(host.lower())
        if parts is None:
            return False
        name = parts["name"] or parts["six"]
        if name in self._hosts:
            return True
        if not self._addresses:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _same_origin(scope: Scope, headers: Headers, host: str) -> bool:
    origin = headers.get("origin")
    if origin is not None:
        try:
            parts = urlsplit(origin)
        except ValueError:  # such as http://[
            return False
        return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()
    if scope["type"] == "websocket":
        return False
    site = headers.get("sec-fetch-site", "same-origin")
    if site in ("same-origin", "none"):
        return True
    opened = headers.get("sec-fetch-mode") == "navigate" and scope["path"] == "/"
    return opened and scope["method"] in SAFE


def cookie_name(host: str) -> str:
    """Return the name of the cookie: browsers keep those of all ports of a machine together.

    Example:
        >>> cookie_name("localhost:8765"), cookie_name("studio.example")
        ('siamtrack_studio_8765', 'siamtrack_studio')
    """
    port = re.search(r":([0-9]{1,5})$", host)
    return COOKIE + (f"_{port[1]}" if port else "")


def _cookie(headers: Headers, host: str) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(cookie_name(host))
    except CookieError:
        return ""
    return "" if found is None else found.value


def _harden(headers: MutableHeaders, host: str) -> None:
    """Forbid everything that the page does not need."""
    headers["content-security-policy"] = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        f"connect-src 'self' ws://{host} wss://{host}; media-src 'self' blob:; "
        "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers["x-content-type-options"] = "nosniff"
    headers["referrer-policy"] = "no-referrer"
    headers["cross-origin-resource-policy"] = "same-origin"
    headers["cross-origin-opener-policy"] = "same-origin"
    headers.setdefault("cache-control", "no-store")
