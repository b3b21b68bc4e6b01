"""What pages are told of errors: no place on the disk, and one sentence on what nobody foresaw."""

from __future__ import annotations

import logging
import re

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from siamtrack.core.boundary import FORESEEN, log, sentence

logger = logging.getLogger(__name__)

_FOLDERS = re.compile(
    r"""(?<![\w/\\:.])(?:[A-Za-z]:)?[/\\](?:[^/\\:;,'"()\n]*[^/\\\s:;,'"()\n][/\\]+)+(?=[^/\\\s])"""
)


def told(error: BaseException) -> str:
    """Return what a page may read of an error: files by their names, without their folders.

    Example:
        >>> told(ValueError("/home/me/my clips/a.mp4: no video, and '/tmp/x/b' neither"))
        "a.mp4: no video, and 'b' neither"
        >>> told(KeyError("box"))[:26]
        "unexpected KeyError: 'box'"
    """
    if isinstance(error, OSError) and error.strerror and not isinstance(error, FORESEEN[:1]):
        text = f"{error.filename or 'a file'}: {error.strerror}" if error.filename else str(error)
    else:
        text = str(error) if isinstance(error, (*FORESEEN, LookupError)) else sentence(error)
        text = sentence(error) if isinstance(error, KeyError) else text
    return _FOLDERS.sub("", text)


class Shield:
    """Middleware that answers what nobody foresaw with one sentence.

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
                await JSONResponse({"error": told(error)}, 500)(scope, receive, send)
