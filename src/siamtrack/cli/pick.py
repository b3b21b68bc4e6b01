"""`track --pick`: a page on which people draw the targets, before the command tracks them."""

from __future__ import annotations

import contextlib
import math
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from siamtrack.cli.local import Answer, LocalServer, as_json
from siamtrack.core.browser import has_browser
from siamtrack.core.config import shown
from siamtrack.core.images import Image, jpeg
from siamtrack.errors import VideoError
from siamtrack.studio.clip import open_clip
from siamtrack.video import Frame, VideoSource
from siamtrack.video.source import Span

MOST_TARGETS = 256
SERVED = 4
"""Pictures of a camera that are kept for a page: others may be on the way while it is drawn on."""
LONGEST_NAME = 100
WIDEST = 1920
WAIT = 3.0
"""Seconds until a file whose head does not list its frames offers the first one alone."""
ADVICE = "draw the targets on the page that opens; Ctrl-C gives up"


@dataclass(frozen=True)
class Picked:
    """A box that somebody drew.

    Attributes:
        frame: Number of its frame.
        box: Left, top, width, height in pixels, 0-based.
        name: What the target is called, or "".
        label: Its class, or "".
    """

    frame: int
    box: tuple[float, float, float, float]
    name: str = ""
    label: str = ""


class Pictures:
    """Frames to draw on, from a source that was opened; what it gives depends on the source.

    A file or a folder gives any frame. A camera or a stream gives the newest one, until somebody
    draws on it; of anything else there is the first frame alone.

    Args:
        video: The source, which nobody has iterated yet.
        path: The file or folder that it reads, if it is one.
    """

    def __init__(self, video: VideoSource, path: Path | None = None) -> None:
        self.video, self.live = video, video.live
        self._lock = threading.Lock()
        self._clip = None
        self._served: dict[int, Frame] = {}  # what pages have of a source without a clip
        self._frames: Iterator[Frame] = iter(())
        if path is not None and not self.live:
            self._clip = open_clip(path)
            self._clip.wait(WAIT)
        else:
            self._frames = iter(video)
            self._newest = next(self._frames)
            self._served[self._newest.index] = self._newest
        self._stop = threading.Event()
        self._error = ""
        self._thread = threading.Thread(target=self._read, name="siamtrack-pick", daemon=True)
        if self.live:
            self._thread.start()

    def facts(self) -> dict[str, Any]:
        """Return what the page needs to know."""
        span = self.video.span
        first = last = span.start if self._clip else self._newest.index
        if self._clip is not None and self._clip.exact:
            numbers = range(span.start, min(span.end or self._clip.total, self._clip.total))
            last = numbers[:: span.stride][-1] if numbers else first
        height, width = self._newest.image.shape[:2] if self._clip is None else (0, 0)
        size = (width, height) if self._clip is None else self._clip.size
        return {
            "name": Path(self.video.name).name,
            "live": self.live,
            "first": first,
            "last": last,
            "stride": span.stride,
            "width": size[0],
            "height": size[1],
            "known": self._clip is None or self._clip.exact,
        }

    def picture(self, index: int | None) -> tuple[int, Image]:
        """Return the number and the picture of a frame; None: the newest.

        Raises:
            ValueError: If there is none of that number, or the camera broke off.
        """
        if self._clip is not None and index is not None:
            try:
                return index, self._clip.image(index)
            except VideoError as error:
                raise ValueError(str(error)) from error
        if self._error:
            raise ValueError(self._error)
        with self._lock:
            frame = self._newest if index is None else self._served.get(index)
            if frame is None:
                raise ValueError("the picture has moved on: draw again")
            self._served[frame.index] = frame
            while len(self._served) > SERVED:
                del self._served[next(iter(self._served))]
        return frame.index, frame.image

    def offers(self, index: object) -> bool:
        """Whether a page can have drawn on the frame of this number."""
        if not isinstance(index, int) or isinstance(index, bool):
            return False
        if self._clip is None:
            return index in self._served
        facts = self.facts()
        return facts["first"] <= index <= facts["last"] and self.video.span.wants(index)

    def chosen(self, frame: int) -> VideoSource:
        """Return the source to track in: it begins, or continues, with the frame drawn on."""
        if self._clip is not None:
            self._clip.close()
            return self.video
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        resumed = _Resumed(self.video, self._served[frame], self._frames)
        return VideoSource(resumed, self.video.span)

    def close(self) -> None:
        """End the reading of a camera."""
        self._stop.set()

    def _read(self) -> None:
        """Take the frames of a camera as they come, so that the picture is never old."""
        try:
            for frame in self._frames:
                with self._lock:
                    self._newest = frame
                if self._stop.is_set():
                    return
            self._error = f"{self.video.name} has ended"
        except VideoError as error:
            self._error = str(error)


class _Resumed:
    """A source from which a frame was taken already; `Reader` tells what the attributes mean."""

    total: int | None = None

    def __init__(self, video: VideoSource, first: Frame, rest: Iterator[Frame]) -> None:
        self.name, self.fps, self.size, self.live = video.name, video.fps, video.size, video.live
        self._video, self._first, self._rest = video, first, rest

    def frames(self, span: Span) -> Iterator[Frame]:
        """Yield the frame that was taken, then those that come."""
        yield self._first
        yield from self._rest

    def close(self) -> None:
        """Close the source."""
        self._video.close()


@dataclass
class _Choice:
    """What the page says."""

    targets: tuple[Picked, ...] = ()
    given_up: bool = False
    made: threading.Event = field(default_factory=threading.Event)


def pick(
    pictures: Pictures,
    server: LocalServer,
    *,
    given: Sequence[Picked] = (),
    onward: str = "",
    say: Callable[[str], object] = lambda text: sys.stderr.write(text + "\n"),
) -> tuple[tuple[Picked, ...], VideoSource]:
    """Let somebody draw targets on a page, and wait for it.

    Args:
        pictures: What to draw on.
        server: Where the page is, at `/`.
        given: Boxes that are there already.
        onward: Path of the page to which this one leads afterwards; empty: it stays.
        say: Tells people where the page is.

    Returns:
        The boxes, and what to track in: the given source, or one that continues from the frame
        drawn on.

    Raises:
        ValueError: If it is given up on the page.
    """
    choice = _Choice()

    def clip(query: Mapping[str, str], sent: Any) -> Answer:
        boxes = [
            {"frame": each.frame, "box": each.box, "name": each.name, "class": each.label}
            for each in given
        ]
        return as_json({**pictures.facts(), "boxes": boxes})

    def picture(query: Mapping[str, str], sent: Any) -> Answer:
        text = query.get("frame", "")
        if text and not (text.isdecimal() and len(text) < 10):
            raise ValueError(f"frame {shown(text)}: expected a whole number from 0")
        index, image = pictures.picture(int(text) if text else None)
        return Answer(jpeg(image, WIDEST), "image/jpeg", headers={"x-frame": str(index)})

    def track(query: Mapping[str, str], sent: Any) -> Answer:
        choice.targets = read_targets(sent, pictures)
        choice.made.set()
        return as_json({"onward": onward})

    def give_up(query: Mapping[str, str], sent: Any) -> Answer:
        choice.given_up = True
        choice.made.set()
        return as_json({})

    server.add_page("/", "pick.html")
    server.add("GET", "/api/clip", clip)
    server.add("GET", "/api/frame", picture)
    server.add("POST", "/api/track", track)
    server.add("POST", "/api/cancel", give_up)
    say(f"siamtrack: {ADVICE}\n{server.address}")
    try:
        while not choice.made.wait(0.2):  # wakes up for Ctrl-C on every platform
            pass
    finally:
        pictures.close()
    if choice.given_up:
        raise ValueError("given up on the page: nothing was tracked or written")
    server.state |= {"state": "tracking"}
    return choice.targets, pictures.chosen(choice.targets[0].frame)


def read_targets(sent: Mapping[str, Any], pictures: Pictures) -> tuple[Picked, ...]:
    """Return the boxes that a page sends.

    Raises:
        ValueError: If there are none, or something of one is missing, of another type or outside.
    """
    rows = sent.get("boxes")
    if not isinstance(rows, list) or not rows:
        raise ValueError("no box: drag one around a target first")
    if len(rows) > MOST_TARGETS:
        raise ValueError(f"{len(rows)} boxes: expected at most {MOST_TARGETS}")
    facts = pictures.facts()
    targets = tuple(_target(row, facts, pictures) for row in rows)
    if pictures.live and len({target.frame for target in targets}) > 1:
        raise ValueError("the boxes are on different pictures of a camera: draw them on one")
    return targets


def _target(row: Any, facts: Mapping[str, Any], pictures: Pictures) -> Picked:
    values = row if isinstance(row, dict) else {}
    frame, box = values.get("frame"), values.get("box")
    if not isinstance(frame, int) or not pictures.offers(frame):
        raise ValueError(f"frame {shown(frame)}: the picture has moved on, draw again")
    sides = box if isinstance(box, list) and len(box) == 4 else []
    if not sides or not all(type(side) in (int, float) and math.isfinite(side) for side in sides):
        raise ValueError(f"box {shown(box)}: expected left, top, width, height")
    left, top, width, height = (float(side) for side in sides)
    fits = left < facts["width"] and top < facts["height"] and left + width > 0 < top + height
    if not (fits and width >= 1 and height >= 1):
        raise ValueError(f"box {shown(box)}: it is not in the picture")
    texts = {key: values.get(key, "") for key in ("name", "class")}
    for key, text in texts.items():
        if not isinstance(text, str) or len(text) > LONGEST_NAME:
            raise ValueError(f"{key}: expected a text of at most {LONGEST_NAME} letters")
    name, label = (" ".join(text.split()) for text in texts.values())
    return Picked(frame, (left, top, width, height), name, label)


def may_ask() -> bool:
    """Whether somebody sits at a terminal who can be shown a page."""
    with contextlib.suppress(ValueError):  # a stream that is closed
        return sys.stdin.isatty() and sys.stderr.isatty() and has_browser()
    return False
