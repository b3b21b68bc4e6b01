"""Start the server, say where it is, open the page."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import uvicorn

from siamtrack.core.browser import is_local, opened
from siamtrack.runtimes import AUTO
from siamtrack.studio.app import make_app
from siamtrack.studio.library import Library, Models
from siamtrack.studio.request import Settings
from siamtrack.studio.security import Access, PatientProtocol

PORT = 8765
TOKEN = "SIAMTRACK_STUDIO_TOKEN"
"""Environment variable with the token to ask for, in place of a random one."""
KEEP_ALIVE = 15
"""Seconds that a connection may wait between two requests."""


def serve(
    roots: Sequence[Path],
    home: Path,
    models: list[str],
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    names: Sequence[str] = (),
    upload: int = Settings.upload,
    runtime: str = AUTO,
    threads: int = 0,
    browser: bool = True,
    cameras: Sequence[int | str] = (),
) -> None:
    """Serve the studio until it is interrupted.

    Args:
        roots: Video files and folders to open.
        home: Folder of the projects.
        models: Names or folders of models, the default one first.
        host: Address to listen on.
        port: Port; None: 8765, or a free one if that is taken; 0: a free one.
        names: Further names under which the page may be opened.
        upload: Bytes of an upload at most.
        runtime: Engine of the network.
        threads: Threads of the network; 0: as many as help.
        browser: Whether to open the page.
        cameras: Cameras of the server that pages may use: numbers, or addresses of streams.

    Raises:
        OSError: If the address or the port cannot be had.
        VideoError: If a root does not exist, or is a file that is no video.
        SiamtrackError: If a model cannot be loaded.
    """
    local = is_local(host)
    token = os.environ.get(TOKEN) or secrets.token_urlsafe(24)
    known = {*names, host} if local else {*names, host, socket.gethostname()}
    access = Access(frozenset(known), addresses=not local, token=token)
    loaded = Models(models, threads, runtime)
    loaded(loaded.names[0])
    app = make_app(Library(roots, home), loaded, Settings(access, tuple(cameras), upload))
    listener = _listen(host, port)
    where = f"http://{_shown(host)}:{listener.getsockname()[1]}/"
    where += f"?token={quote(token)}"
    sys.stderr.write(f"siamtrack studio: {where}\nprojects: {home}\nCtrl-C ends it.\n")
    sys.stderr.flush()
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        ws_max_size=8 << 20,
        ws_max_queue=4,
        timeout_graceful_shutdown=2,
        timeout_keep_alive=KEEP_ALIVE,
        http=PatientProtocol,
        backlog=256,
    )
    with opened(where) if browser else contextlib.nullcontext():
        uvicorn.Server(config).run(sockets=[listener])


def _shown(host: str) -> str:
    if host in ("0.0.0.0", "::", ""):
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


def _listen(host: str, port: int | None) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for attempt in [PORT, 0] if port is None else [port]:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, attempt))
            listener.listen(64)
        except OSError as error:
            listener.close()
            if port is not None or attempt == 0:
                raise OSError(f"cannot listen on {host}:{attempt}: {error.strerror}") from error
            continue
        return listener
    raise AssertionError("unreachable")
