"""A small server for the pages of one command: on this machine only, and gone with the command.

It needs nothing but Python. Who may ask is said in `siamtrack.core.browser`.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import siamtrack
from siamtrack.core.browser import ONWARD, cookie_of, from_own_page, hardened, is_secret
from siamtrack.core.config import parse_json

PACKAGE = Path(siamtrack.__file__).parent
FOLDERS = (PACKAGE / "cli" / "static", PACKAGE / "studio" / "static")
"""Where the files of pages are; the studio's style and geometry serve here, too."""
TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".html": "text/html",
}
MOST_JSON = 1 << 16
MOST_CONNECTIONS = 64
IDLE = 20.0
"""Seconds that a connection may wait for bytes."""


@dataclass(frozen=True)
class Answer:
    """What a request gets: bytes, or parts of a body that has no end."""

    body: bytes | Iterator[bytes]
    type: str = "application/json"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


Handle = Callable[[dict[str, str], Any], Answer]
"""Takes the query and, for POST, the JSON object sent, and answers; ValueError becomes 400."""


def as_json(value: Any, status: int = 200) -> Answer:
    """Return an answer of JSON."""
    return Answer(json.dumps(value).encode(), status=status)


class LocalServer:
    """Serve pages to this machine, in threads, until the block ends.

    Attributes:
        address: What to open; it has the token.
        state: What `GET /api/state` tells; a command replaces its values while it works.
        asked: When a page asked for something last, by the monotonic clock; None: never.
    """

    def __init__(self) -> None:
        self.state: dict[str, Any] = {"state": "waiting", "frames": 0, "total": None}
        self.asked: float | None = None
        self.token = secrets.token_urlsafe(24)
        self._routes: dict[tuple[str, str], Handle] = {}
        self._last_told = threading.Event()
        self.add("GET", "/api/state", self._tell)
        server = self

        class Handler(_Handler):
            local = server

        self._server = _Server(("127.0.0.1", 0), Handler)
        port = self._server.server_address[1]
        self.hosts = (f"127.0.0.1:{port}", f"localhost:{port}")
        self.cookie = f"siamtrack_{port}"
        self.address = f"http://{self.hosts[0]}/?token={self.token}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="siamtrack-page", daemon=True
        )

    def add(self, method: str, path: str, handle: Handle) -> None:
        """Answer a path."""
        self._routes[method, path] = handle

    def add_page(self, path: str, file: str) -> None:
        """Answer a path with a file of the package."""
        self.add("GET", path, lambda query, sent: static(file))

    def answer(self, method: str, path: str, query: dict[str, str], sent: Any) -> Answer:
        """Return the answer to a request that may be made."""
        if method == "GET" and path.startswith("/static/"):
            return static(path.removeprefix("/static/"))
        handle = self._routes.get((method, path))
        if handle is None:
            return as_json({"error": "there is no such page"}, 404)
        try:
            return handle(query, sent)
        except ValueError as error:
            return as_json({"error": str(error)}, 400)

    def _tell(self, query: dict[str, str], sent: Any) -> Answer:
        state = dict(self.state)
        if state["state"] == "done":
            self._last_told.set()
        return as_json(state)

    def finish(self, seconds: float = 2.0, **state: Any) -> None:
        """Tell an open page that all is done, and wait until it has heard, at most so long."""
        self.state |= {"state": "done", **state}
        if self.asked is not None and time.monotonic() - self.asked < 5.0:
            self._last_told.wait(seconds)

    def __enter__(self) -> LocalServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def static(name: str) -> Answer:
    """Return a file of the package's pages."""
    kind = TYPES.get(Path(name).suffix)
    plain = name.replace(".", "").replace("-", "").isalnum() and not name.startswith(".")
    for folder in FOLDERS if kind and plain else ():
        with contextlib.suppress(FileNotFoundError):
            return Answer((folder / name).read_bytes(), f"{kind}; charset=utf-8")
    return as_json({"error": "there is no such file"}, 404)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, *arguments: Any) -> None:
        self._free = threading.BoundedSemaphore(MOST_CONNECTIONS)
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take a connection, unless too many are open."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over connections that break off."""


class _Handler(BaseHTTPRequestHandler):
    local: LocalServer
    protocol_version = "HTTP/1.1"
    timeout = IDLE

    def do_GET(self) -> None:
        """Answer a GET."""
        self._respond("GET", None)

    def do_POST(self) -> None:
        """Answer a POST of JSON."""
        length = self.headers.get("content-length", "")
        kind = self.headers.get("content-type", "").partition(";")[0]
        if not length.isdecimal() or int(length) > MOST_JSON or kind != "application/json":
            self.close_connection = True
            self._send(as_json({"error": f"expected JSON of at most {MOST_JSON} bytes"}, 400))
            return
        try:
            sent = parse_json(self.rfile.read(int(length)))
        except ValueError:
            sent = None
        if not isinstance(sent, dict):
            self._send(as_json({"error": "expected a JSON object"}, 400))
            return
        self._respond("POST", sent)

    def _respond(self, method: str, sent: Any) -> None:
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        answer = self._refusal(method, parts.path, query)
        if answer is None:
            self.local.asked = time.monotonic()
            answer = self.local.answer(method, parts.path, query, sent)
        self._send(answer)

    def _refusal(self, method: str, path: str, query: dict[str, str]) -> Answer | None:
        """Return the answer to who may not ask, or brings the token; None for who has it."""
        host = self.headers.get("host", "").lower()
        if host not in self.local.hosts:
            return _text("This page is not called so here.\n", HTTPStatus.MISDIRECTED_REQUEST)
        headers = {name.lower(): value for name, value in self.headers.items()}
        if not from_own_page(headers, host, method, path):
            return _text("The request comes from another site.\n", HTTPStatus.FORBIDDEN)
        if method == "GET" and path == "/" and is_secret(query.get("token", ""), self.local.token):
            cookie = f"{self.local.cookie}={self.local.token}; HttpOnly; SameSite=Strict; Path=/"
            return Answer(ONWARD.encode(), "text/html; charset=utf-8", 200, {"set-cookie": cookie})
        if is_secret(cookie_of(headers, self.local.cookie), self.local.token):
            return None
        return _text("Open the address that siamtrack printed.\n", HTTPStatus.UNAUTHORIZED)

    def _send(self, answer: Answer) -> None:
        whole = isinstance(answer.body, bytes)
        self.send_response(answer.status)
        headers = {"content-type": answer.type, "cache-control": "no-store", **answer.headers}
        for name, value in {**hardened(), **headers}.items():
            self.send_header(name, value)
        if isinstance(answer.body, bytes):
            self.send_header("content-length", str(len(answer.body)))
        else:
            self.close_connection = True
            self.send_header("connection", "close")
        self.end_headers()
        for part in [answer.body] if isinstance(answer.body, bytes) else answer.body:
            self.wfile.write(part)
        self.close_connection = self.close_connection or not whole

    def version_string(self) -> str:
        """Return what the server calls itself."""
        return "siamtrack"

    def log_message(self, format: str, *values: Any) -> None:
        """Log nothing: addresses carry the token."""


def _text(text: str, status: int) -> Answer:
    return Answer(text.encode(), "text/plain; charset=utf-8", int(status))
