"""Cameras and network streams, read by OpenCV."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from siamtrack.core.config import shown
from siamtrack.core.images import as_rgb
from siamtrack.errors import VideoError
from siamtrack.video.source import Frame, Span

logger = logging.getLogger(__name__)

RETRIES = 5
"""How often a broken stream is opened again before it counts as lost."""
FIRST_WAIT = 0.5
"""Seconds before the first retry; each further one waits twice as long."""
TIMEOUT_MS = 10_000
"""How long a connection may take to open or to give a frame."""


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep OpenCV from printing what each of its ways to open a camera failed with."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)


class CaptureReader:
    """A camera or a URL; `Reader` tells what the attributes mean.

    A live stream that breaks off is opened again a few times; a camera is not. All frames have the
    size of the first: OpenCV scales them if it changes, and so does this if a stream comes back
    with another. `close` may be called while another thread iterates.

    Args:
        target: Number of a camera, or a URL.
        first_wait: Seconds before a broken stream is opened again; each retry waits twice as long.

    Raises:
        VideoError: If it cannot be opened.
    """

    def __init__(self, target: int | str, *, first_wait: float = FIRST_WAIT) -> None:
        if isinstance(target, int) and not 0 <= target < 2**31:
            raise VideoError(f"camera {shown(target)}: expected a number from 0, most often 0 or 1")
        self._target, self._first_wait = target, first_wait
        self.name = f"camera {target}" if isinstance(target, int) else target
        self._capture = self._open()
        if not self._capture.isOpened():
            self._capture.release()
            advice = "check its number and that no other program uses it"
            if isinstance(target, str):
                advice = "check the address, the network and the password"
            raise VideoError(f"{self.name} cannot be opened: {advice}")
        frames = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.live = isinstance(target, int) or frames <= 0
        self.total = None if self.live else frames
        rate = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.fps = rate if 0 < rate <= 1000 else None
        width = int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        height = int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        self.size = (width, height) if width > 0 and height > 0 else None
        self._first: tuple[int, int] | None = None  # width and height of the first frame
        self._scaled: tuple[int, int] | None = None  # the other size that was last told of
        self._count = 0
        self._origin: float | None = None
        self._closed = threading.Event()
        self._lock = threading.Lock()  # held while OpenCV reads: to release it then would crash

    def frames(self, span: Span) -> Iterator[Frame]:
        """Yield the frames of `span`; the numbers continue where the last iteration stopped.

        Raises:
            VideoError: If the camera or stream breaks off for good.
        """
        while True:
            # Read, and open a live stream again if it broke off.
            picture = self._read()
            if picture is None and self.total is None:
                picture = self._reconnected()
            if picture is None:
                if self.total is not None and self._count < self.total:
                    logger.warning("%s: %d of %d frames", self.name, self._count, self.total)
                return
            # Number the frame and tell its time: by the clock if live, else by the rate.
            index, self._count = self._count, self._count + 1
            now = time.monotonic()
            self._origin = now if self._origin is None else self._origin
            if span.wants(index):
                seconds = now - self._origin if self.live or not self.fps else index / self.fps
                yield Frame(index, seconds, as_rgb(self._fitted(picture)[..., ::-1]))
            if span.end is not None and index + 1 >= span.end:
                return

    def close(self) -> None:
        """Give back the camera or connection; where a thread waits for a frame, it does so."""
        self._closed.set()
        if self._lock.acquire(blocking=False):
            try:
                self._capture.release()
            finally:
                self._lock.release()

    def _read(self) -> NDArray[np.uint8] | None:
        """Return the next picture, blue first; None where there is none or the reader is closed."""
        with self._lock:
            good, picture = (False, None) if self._closed.is_set() else self._capture.read()
            if self._closed.is_set():
                self._capture.release()
                return None
        return np.asarray(picture, dtype=np.uint8) if good else None

    def _fitted(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a picture in the size of the first one."""
        size = (picture.shape[1], picture.shape[0])
        self._first = self._first or size
        if size == self._first:
            return picture
        if size != self._scaled:
            self._scaled = size
            logger.warning(
                "%s now gives %dx%d pixels: scaled to %dx%d", self.name, *size, *self._first
            )
        smaller = size[0] > self._first[0]
        way = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(picture, self._first, interpolation=way), dtype=np.uint8)

    def _open(self) -> cv2.VideoCapture:
        if isinstance(self._target, int):
            with _quiet():
                return cv2.VideoCapture(self._target)
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, TIMEOUT_MS]
        limits += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, TIMEOUT_MS]
        return cv2.VideoCapture(self._target, cv2.CAP_FFMPEG, limits)

    def _reconnected(self) -> NDArray[np.uint8] | None:
        """Open the stream again and return its first picture; None if the reader is closed.

        Raises:
            VideoError: If it does not come back.
        """
        retries = RETRIES if isinstance(self._target, str) else 0
        for attempt in range(retries):
            if self._closed.is_set():
                return None
            logger.warning("%s broke off: retry %d of %d", self.name, attempt + 1, retries)
            with self._lock:
                self._capture.release()
            if self._closed.wait(self._first_wait * 2**attempt):
                return None
            with self._lock:
                self._capture = self._open()
            picture = self._read()
            if picture is not None:
                return picture
        if self._closed.is_set():
            return None
        raise VideoError(
            f"{self.name} broke off after {self._count} frames and did not come back after "
            f"{retries} retries: check the device or the network, then open it again"
        )
