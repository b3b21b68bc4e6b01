"""Pages that this machine serves: who may ask for them, and how they open in the browser.

The studio and the pages of `siamtrack track` keep to the same rules: a request comes from a page of
their own, and shows a random token, which the opened address carries once and a cookie afterwards.
"""

from __future__ import annotations

import contextlib
import hmac
import html
import ipaddress
import os
import sys
import threading
import webbrowser
from collections.abc import Callable, Collection, Iterator, Mapping
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
ONWARD = (
    '<!doctype html><meta http-equiv="refresh" content="0; url=/">'
    '<link rel="icon" href="data:,"><title>siamtrack</title>'
)
"""A page that leads to `/`.

A browser follows a redirect in the name of the page with the link, and such a request has no strict
cookie; a page of our own that leads on has it.
"""


def is_local(host: str) -> bool:
    """Whether nobody but this machine can reach an address.

    Example:
        >>> [is_local(host) for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "")]
        [True, True, True, False, False]
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def hardened(**allowed: str) -> dict[str, str]:
    """Return headers that forbid a page whatever it does not need.

    Args:
        **allowed: Sources of what it needs beyond scripts, styles, pictures and requests of its
            own, by kind: `media="'self'"`.
    """
    sources = {"connect": "'self'"} | allowed
    more = "".join(f"{kind}-src {source}; " for kind, source in sources.items())
    return {
        "content-security-policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
            f"{more}base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
    }


def from_own_page(
    headers: Mapping[str, str],
    host: str,
    method: str,
    path: str,
    schemes: Collection[str] = ("http",),
) -> bool:
    """Whether a request comes from a page of ours, or opens one.

    Args:
        headers: Of the request, by names in lower case.
        host: What it calls this server.
        method: GET and so on; empty for a WebSocket, whose origin has to be named.
        path: What is asked for.
        schemes: Those under which its pages may be reached.
    """
    origin = headers.get("origin")
    if origin is not None:
        try:
            parts = urlsplit(origin)
        except ValueError:  # such as http://[
            return False
        return parts.scheme in schemes and parts.netloc.lower() == host.lower()
    if not method:
        return False
    if headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none"):
        return True
    return headers.get("sec-fetch-mode") == "navigate" and path == "/" and method in SAFE


def is_secret(given: str, secret: str) -> bool:
    """Whether a token is the right one; the time that this takes does not tell how much of it."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode())


def cookie_of(headers: Mapping[str, str], name: str) -> str:
    """Return the value of a cookie; empty if there is none."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return "" if found is None else found.value


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
