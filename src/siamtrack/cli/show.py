"""`track --show`: the result while it is tracked, in a window or on a page."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import cv2

from siamtrack.cli.local import Answer, LocalServer, as_json
from siamtrack.cli.options import Style
from siamtrack.core.images import Image, jpeg
from siamtrack.core.tracks import Track
from siamtrack.sinks.draw import draw_tracks
from siamtrack.video import Frame

QUALITY = 80
WIDEST = 1280
"""Pixels that pictures on the page are wide at most."""
RATE = 30.0
"""Pictures per second on the page at most."""


class Viewer(Protocol):
    """Shows frames with tracks."""

    def show(self, frame: Frame, tracks: Sequence[Track]) -> bool:
        """Show a frame; return whether to continue."""
        ...

    def close(self) -> None:
        """Show nothing more."""
        ...


def has_window(build: str, system: str, variables: Mapping[str, str]) -> bool:
    """Whether OpenCV can open windows here; the headless build that comes with siamtrack cannot.

    Args:
        build: From `cv2.getBuildInformation`.
        system: From `sys.platform`.
        variables: The environment.

    Example:
        >>> build = "  GUI:                           NONE"
        >>> has_window(build, "win32", {})
        False
        >>> has_window(build.replace("NONE", "GTK3"), "linux", {"DISPLAY": ":0"})
        True
    """
    found = re.search(r"^\s*GUI:\s*(\w*)", build, re.MULTILINE)
    if found is None or found[1] == "NONE":
        return False
    return system in ("win32", "darwin") or bool(variables.get("DISPLAY"))


def windowed() -> bool:
    """Whether OpenCV can open windows here."""
    return has_window(cv2.getBuildInformation(), sys.platform, os.environ)


class Window:
    """A window of OpenCV; Q, Escape or closing it ends the run.

    Args:
        title: What the window is called.
        style: Names and classes to show.
    """

    def __init__(self, title: str, style: Style) -> None:
        self._title, self._style = title, style
        cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        self._sized = False

    def show(self, frame: Frame, tracks: Sequence[Track]) -> bool:
        """Show a frame; return whether to continue."""
        picture = drawn(frame.image, tracks, self._style)
        if not self._sized:
            cv2.resizeWindow(self._title, picture.shape[1], picture.shape[0])
            self._sized = True
        cv2.imshow(self._title, picture[..., ::-1])
        pressed = cv2.waitKey(1) & 0xFF
        closed = cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1
        return not (closed or pressed in (27, ord("q"), ord("Q")))

    def close(self) -> None:
        """Close the window."""
        cv2.destroyWindow(self._title)


class PageViewer:
    """A page with the newest picture, as Motion JPEG.

    Pictures are drawn and encoded in the server's thread, and only for a page that is open, so that
    tracking is not held up by it.

    Args:
        server: Where the page is, at `/show`.

    Attributes:
        style: Names and classes to show.
    """

    def __init__(self, server: LocalServer) -> None:
        self.style = Style()
        self._changed = threading.Condition()
        self._newest: tuple[int, Frame, Sequence[Track]] | None = None
        self._count, self._stopped, self._ended = 0, False, False
        server.add_page("/show", "show.html")
        server.add("GET", "/live", self._live)
        server.add("POST", "/api/stop", self._stop)

    def show(self, frame: Frame, tracks: Sequence[Track]) -> bool:
        """Show a frame; return whether to continue."""
        with self._changed:
            self._count += 1
            self._newest = (self._count, frame, list(tracks))
            self._changed.notify_all()
        return not self._stopped

    def close(self) -> None:
        """End the pictures."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _stop(self, query: dict[str, str], sent: Any) -> Answer:
        self._stopped = True
        return as_json({})

    def _live(self, query: dict[str, str], sent: Any) -> Answer:
        return Answer(self._pictures(), "multipart/x-mixed-replace; boundary=frame")

    def _pictures(self) -> Iterator[bytes]:
        shown = 0
        yield b"--frame\r\n"
        while True:
            with self._changed:
                if not self._ended and (self._newest is None or self._newest[0] <= shown):
                    self._changed.wait(1.0)
                newest, ended = self._newest, self._ended
            if newest is not None and newest[0] > shown:
                shown, frame, tracks = newest
                data = jpeg(drawn(frame.image, tracks, self.style), WIDEST, QUALITY)
                head = f"content-type: image/jpeg\r\ncontent-length: {len(data)}\r\n\r\n"
                # A browser shows a picture when the next boundary comes, so that follows at once.
                yield head.encode() + data + b"\r\n--frame\r\n"
            if ended:
                return
            time.sleep(1 / RATE)


def drawn(image: Image, tracks: Sequence[Track], style: Style) -> Image:
    """Return a picture of a frame with its tracks."""
    return draw_tracks(image, tracks, labels=style.names, classes=style.classes)
