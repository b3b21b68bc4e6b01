"""Opening a page in the browser, without showing its token to others on the machine."""

from __future__ import annotations

import contextlib
import html
import os
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory


def has_browser() -> bool:
    """Whether this machine has a screen and a browser that pages can be opened in.

    The environment variable BROWSER names one in any case.
    """
    if os.environ.get("BROWSER"):
        return True
    screen = sys.platform in ("win32", "darwin")
    screen = screen or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    with contextlib.suppress(webbrowser.Error):
        return screen and webbrowser.get() is not None
    return False


@contextlib.contextmanager
def opened(
    address: str,
    open_page: Callable[[str], object] = webbrowser.open,
    delay: float = 0.8,
    seconds: float = 60.0,
    title: str = "siamtrack studio",
) -> Iterator[None]:
    """Open an address in the browser soon after the block begins, and keep its token a secret.

    Everybody on a machine can read the arguments of its processes. So the browser is not given the
    address but a file that leads there, which only this user can read and which is soon removed.

    Args:
        address: What to open; it has the token.
        open_page: Opens an address in a browser.
        delay: Seconds until then: the server begins to answer meanwhile.
        seconds: Seconds until the file is removed, if the block does not end before.
        title: What the file calls the page.
    """
    with TemporaryDirectory(prefix="siamtrack-", ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "studio.html"
        file.touch(mode=0o600)
        goal = html.escape(address)
        file.write_text(
            f'<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer">'
            f'<meta http-equiv="refresh" content="0; url={goal}"><title>{html.escape(title)}'
            f'</title><a href="{goal}">Open the page</a>\n',
            encoding="utf-8",
        )
        timers = [
            threading.Timer(delay, open_page, [file.as_uri()]),
            threading.Timer(seconds, file.unlink, [True]),
        ]
        for timer in timers:
            timer.daemon = True
            timer.start()
        try:
            yield
        finally:
            for timer in timers:
                timer.cancel()
