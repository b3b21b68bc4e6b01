"""The machine-learning backend that Label Studio asks, over HTTP and with JSON.

The contract is that of `label-studio-ml`: GET / and /health, POST /setup, /predict and /webhook,
and /versions. Only the standard library serves it. What comes in is not trusted: a task names a
video, and which files and hosts may be read is said when the server starts.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import tempfile
import threading
import urllib.error
import urllib.request
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urljoin, urlsplit

from siamtrack.core.boundary import FORESEEN, log, sentence
from siamtrack.core.browser import is_local
from siamtrack.core.config import parse_json, shown
from siamtrack.errors import SiamtrackError, VideoError
from siamtrack.interop.label_studio import Limits, follow_regions, read_layout, regions_of
from siamtrack.packages.card import Model
from siamtrack.tracking.tracker import SiamTracker

logger = logging.getLogger(__name__)

MOST_JSON = 64 << 20
"""Bytes of a request at most."""
MOST_TASKS = 1000
"""Tasks of a request at most."""
TIMEOUT = 30.0
"""Seconds without a byte after which a download or a request is given up."""


class RefusedError(SiamtrackError, ValueError):
    """A video that this server may not read."""


@dataclass
class Media:
    """Where the videos of tasks may lie.

    Attributes:
        files: Folder that Label Studio serves as `/data/local-files/?d=...`; None: no such files.
        studio: Address of Label Studio, for files that were uploaded to it; None: no uploads.
        token: Access token of Label Studio; sent to `studio` alone.
        hosts: Further hosts from which videos may be downloaded, as `host` or `host:port`.
        most: Bytes of a download at most.
        kept: Downloads that are kept.
        folder: Where downloads go; None: a temporary folder.
    """

    files: Path | None = None
    studio: str | None = None
    token: str = ""
    hosts: tuple[str, ...] = ()
    most: int = 4 << 30
    kept: int = 8
    folder: Path | None = None
    _known: OrderedDict[str, Path] = field(default_factory=OrderedDict, repr=False)
    _temporary: tempfile.TemporaryDirectory[str] | None = field(default=None, repr=False)

    def find(self, address: object) -> Path:
        """Return the file of a video, downloaded if need be.

        Args:
            address: As a task has it.

        Raises:
            RefusedError: If it lies where this server may not read.
            VideoError: If it is not there, or larger than `most`.
        """
        if not isinstance(address, str) or not address.strip():
            raise RefusedError(f"video {shown(address)}: expected the address of a video")
        parts = urlsplit(address)
        if parts.path.rstrip("/").endswith("/data/local-files") and not self._is_foreign(parts):
            return self._local(parse_qs(parts.query).get("d", [""])[0])
        if parts.scheme in ("", "http", "https") and (parts.netloc or parts.path.startswith("/")):
            return self._downloaded(address)
        raise RefusedError(
            f"video {shown(address)}: expected an address of http or https, an upload of Label "
            "Studio or a local file of its; for cloud storage let Label Studio sign addresses"
        )

    def close(self) -> None:
        """Remove what was downloaded."""
        while self._known:
            self._known.popitem()[1].unlink(missing_ok=True)
        if self._temporary is not None:
            self._temporary.cleanup()
            self.folder = self._temporary = None

    def _is_foreign(self, parts: Any) -> bool:
        return bool(parts.netloc) and parts.netloc not in self._own()

    def _own(self) -> set[str]:
        return set() if self.studio is None else {urlsplit(self.studio).netloc}

    def _local(self, name: str) -> Path:
        if self.files is None:
            raise RefusedError(
                f"local file {shown(name)}: start the server with --files FOLDER, the folder that "
                "LOCAL_FILES_DOCUMENT_ROOT names for Label Studio"
            )
        root = self.files.resolve()
        try:
            path = (root / unquote(name).lstrip("/")).resolve()
        except (OSError, ValueError) as error:
            raise RefusedError(f"local file {shown(name)}: no path ({error})") from error
        if not path.is_relative_to(root):
            raise RefusedError(f"local file {shown(name)} lies outside the folder of --files")
        if not path.is_file():
            raise VideoError(f"local file {shown(name)} is not in the folder of --files")
        return path

    def _downloaded(self, address: str) -> Path:
        whole = address
        if not urlsplit(address).netloc:
            if self.studio is None:
                raise RefusedError(
                    f"video {shown(address)} is an upload of Label Studio: start the server with "
                    "--label-studio ADDRESS, and its access token in LABEL_STUDIO_API_KEY"
                )
            whole = urljoin(self.studio, address)
        self._check(whole)
        if whole in self._known:
            self._known.move_to_end(whole)
            return self._known[whole]
        name = hashlib.sha256(whole.encode()).hexdigest()[:24]
        if self.folder is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="siamtrack-")
            self.folder = Path(self._temporary.name)
        path = self.folder / f"{name}{Path(urlsplit(whole).path).suffix[:8]}"
        try:
            self._fetch(whole, path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        self._known[whole] = path
        while len(self._known) > self.kept:
            self._known.popitem(last=False)[1].unlink(missing_ok=True)
        return path

    def _fetch(self, address: str, path: Path) -> None:
        opener = urllib.request.build_opener(_Redirects(self))
        request = urllib.request.Request(address, headers=self._headers(address))
        try:
            with opener.open(request, timeout=TIMEOUT) as answer, path.open("wb") as file:
                size = 0
                while block := answer.read(1 << 20):
                    size += len(block)
                    if size > self.most:
                        raise VideoError(
                            f"video {shown(address)} is larger than {self.most / 1e9:g} GB, the "
                            "most of --max-download"
                        )
                    file.write(block)
        except RefusedError:
            raise
        except urllib.error.HTTPError as error:
            raise VideoError(
                f"video {shown(address)} cannot be downloaded: status {error.code}"
            ) from error
        except (OSError, ValueError) as error:
            if isinstance(error, VideoError):
                raise
            raise VideoError(f"video {shown(address)} cannot be downloaded ({error})") from error

    def _check(self, address: str) -> None:
        """Refuse addresses of other hosts than those that were named."""
        parts = urlsplit(address)
        allowed = self._own() | set(self.hosts)
        if parts.scheme not in ("http", "https") or parts.username is not None:
            raise RefusedError(f"video {shown(address)}: expected an address of http or https")
        if parts.netloc not in allowed:
            raise RefusedError(
                f"videos of the host {shown(parts.netloc)} are not downloaded: start the server "
                "with --allow-host HOST to permit that"
            )

    def _headers(self, address: str) -> dict[str, str]:
        if not self.token or urlsplit(address).netloc not in self._own():
            return {}
        if self.token.count(".") != 2:
            return {"Authorization": f"Token {self.token}"}
        # A personal access token is exchanged for one that holds for some minutes.
        request = urllib.request.Request(
            urljoin(str(self.studio), "/api/token/refresh"),
            json.dumps({"refresh": self.token}).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.build_opener(_Redirects(self)).open(
                request, timeout=TIMEOUT
            ) as got:
                short = json.loads(got.read(1 << 20))["access"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise VideoError(f"Label Studio did not accept the access token ({error})") from error
        return {"Authorization": f"Bearer {short}"}


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to permitted hosts, and takes no token to another host."""

    def __init__(self, media: Media) -> None:
        self._media = media

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        self._media._check(newurl)
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if request is not None and urlsplit(newurl).netloc != urlsplit(req.full_url).netloc:
            request.headers.pop("Authorization", None)
        return request


class Backend:
    """Answers what Label Studio asks.

    Args:
        model: Follows the rectangles.
        media: Where videos may lie.
        limits: When following ends.
        redetect: Search more of the frame while a target is lost.
    """

    def __init__(
        self, model: Model, media: Media, limits: Limits | None = None, *, redetect: bool = False
    ) -> None:
        self.model, self.media, self.redetect = model, media, redetect
        self.limits = limits or Limits()
        self.version = model.card.version or model.card.name
        self._one = threading.Lock()

    def health(self) -> dict[str, Any]:
        """Say that the server is up."""
        return {"status": "UP", "model_class": "siamtrack", "model_version": self.version}

    def setup(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Take a project on if its labeling interface has rectangles in a video.

        Raises:
            ValueError: If it has none.
        """
        read_layout(body.get("schema") or "")
        return {"model_version": self.version}

    def predict(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Follow the rectangles of each task.

        Raises:
            ValueError, VideoError: If the request, a video or a box cannot be used.
        """
        tasks = body.get("tasks")
        if not isinstance(tasks, list) or not all(isinstance(each, Mapping) for each in tasks):
            raise ValueError(f"tasks {shown(tasks)}: expected a list of tasks")
        if len(tasks) > MOST_TASKS:
            raise ValueError(f"{len(tasks)} tasks: expected at most {MOST_TASKS} in a request")
        layout = read_layout(body.get("label_config") or "")
        params = body.get("params")
        context = params.get("context") if isinstance(params, Mapping) else None
        results = []
        for task in tasks:
            regions = regions_of(task, context if isinstance(context, Mapping) else None)
            found: list[dict[str, Any]] = []
            score = 0.0
            if regions:
                data = task.get("data")
                address = data.get(layout.key) if isinstance(data, Mapping) else None
                tracker = SiamTracker(self.model, redetect=self.redetect)
                with self._one:  # downloads and the network: one request at a time
                    video = self.media.find(address)
                    found, score = follow_regions(video, regions, layout, tracker, self.limits)
            results.append({"result": found, "score": score, "model_version": self.version})
        return {"results": results, "model_version": self.version}

    def answer(self, method: str, path: str, body: Mapping[str, Any]) -> tuple[int, Any]:
        """Return status and JSON for a request."""
        match method, path.rstrip("/"):
            case "GET", "" | "/health":
                return 200, self.health()
            case "GET", "/metrics":
                return 200, {}
            case "POST", "/setup":
                return 200, self.setup(body)
            case "POST", "/predict":
                return 200, self.predict(body)
            case "POST", "/versions":
                return 200, {"versions": [self.version]}
            case "POST", "/webhook" | "/train":  # nothing is learned from annotations
                return 201, {}
        return 404, {"error": f"nothing answers {method} {path}"}


class BackendServer(ThreadingHTTPServer):
    """Serves a `Backend`.

    Args:
        backend: Answers.
        host: Address to listen on.
        port: Port; 0: a free one.
        user: Name that Label Studio has to give (Basic authentication).
        password: Its password; empty: none is asked for, which only this machine may use.

    Raises:
        ValueError: If others could reach it and there is no password.
        OSError: If the port is taken.
    """

    daemon_threads = True

    def __init__(
        self,
        backend: Backend,
        host: str = "127.0.0.1",
        port: int = 9090,
        *,
        user: str = "siamtrack",
        password: str = "",
    ) -> None:
        if not password and not is_local(host):
            raise ValueError(
                f"host {host!r} can be reached by others: set a password in the environment "
                "variable SIAMTRACK_SERVE_PASSWORD, and give it to Label Studio with the user "
                f"{user!r} (Basic authentication)"
            )
        self.backend = backend
        self.secret = f"{user}:{password}".encode() if password else b""
        super().__init__((host, port), _Handler)

    @property
    def address(self) -> str:
        """Where it listens."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"


class _Handler(BaseHTTPRequestHandler):
    server: BackendServer
    timeout = TIMEOUT
    server_version, sys_version = "siamtrack", ""

    def do_GET(self) -> None:
        self._respond("GET")

    def do_POST(self) -> None:
        self._respond("POST")

    def _respond(self, method: str) -> None:
        try:
            status, answer = self._answer(method)
        except FORESEEN as error:
            log(error)
            status, answer = 400, {"error": str(error)}
        except Exception as error:
            log(error)
            status, answer = 500, {"error": sentence(error)}
        data = json.dumps(answer).encode()
        with suppress(OSError):  # whoever asked has gone
            self.send_response(status)
            if status == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="siamtrack"')
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(data)
        self.close_connection = True

    def _answer(self, method: str) -> tuple[int, Any]:
        if not self._may_ask():
            return 401, {"error": "user and password are wrong or missing"}
        body: Any = {}
        if method == "POST":
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal():
                return 411, {"error": "a request without its length"}
            if int(length) > MOST_JSON:
                return 413, {"error": f"more than {MOST_JSON >> 20} MB of JSON"}
            # pages of other sites can post forms here, but no JSON
            if self.headers.get_content_type() != "application/json":
                return 415, {"error": "expected application/json"}
            body = parse_json(self.rfile.read(int(length)).decode())
            if not isinstance(body, Mapping):
                raise ValueError(f"{shown(body)}: expected an object")
        return self.server.backend.answer(method, urlsplit(self.path).path, body)

    def _may_ask(self) -> bool:
        secret = self.server.secret
        if not secret:
            return True
        kind, _, given = (self.headers.get("Authorization") or "").partition(" ")
        try:
            told = base64.b64decode(given, validate=True)
        except ValueError:
            return False
        return kind.lower() == "basic" and hmac.compare_digest(told, secret)

    def log_message(self, format: str, *words: Any) -> None:
        """Log to this package's logger; addresses of tasks stay out of it."""
        logger.info("%s %s", self.command, urlsplit(self.path).path)
