"""Clips: a video file or a folder of images whose frames are given by number, in any order."""

from __future__ import annotations

import contextlib
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from siamtrack.core.images import Image, image_files, jpeg
from siamtrack.errors import SiamtrackError, VideoError
from siamtrack.studio.seek import Decoder, first_stamp, full_stamps, guessed_stamps, quick_stamps
from siamtrack.video.files import FileReader
from siamtrack.video.images import read_image

JPEG_BYTES = 96 << 20
"""Memory for encoded frames of one clip."""
SUPPLY = 6
"""Frames of a job that are kept for the page, which asks for them next."""


class SeekableClip(ABC):
    """Frames by number. All methods may be called from any thread.

    Attributes:
        path: The file or folder.
        name: How people call it.
        size: Width and height in pixels.
        fps: Frames per second; 25 where the clip does not tell.
        total: Number of frames; an estimate until `exact`.
    """

    path: Path
    name: str
    size: tuple[int, int]
    fps: float
    total: int

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._guard = threading.Lock()
        self._known = threading.Event()
        self._jpegs: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._bytes = 0
        self._supply: OrderedDict[int, Image] = OrderedDict()

    @property
    def exact(self) -> bool:
        """Whether the number of every frame is known for certain."""
        return self._known.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait until the clip is exact, at most so long; return whether it is."""
        return self._known.wait(seconds)

    def image(self, index: int) -> Image:
        """Return a frame as RGB (H, W, 3).

        Raises:
            VideoError: If there is no such frame or it cannot be decoded.
        """
        if not 0 <= index < self.total:
            raise VideoError(f"{self.name} has frames 0 to {self.total - 1}, not {index}")
        with self._guard:
            if index in self._supply:
                return self._supply[index]
        with self._lock:
            picture = self._read(index)
        self.supply(index, picture)
        return picture

    def supply(self, index: int, picture: Image) -> None:
        """Keep a frame that somebody decoded, for those who ask for it next."""
        with self._guard:
            self._supply[index] = picture
            while len(self._supply) > SUPPLY:
                self._supply.popitem(last=False)

    def jpeg(self, index: int, width: int = 0) -> bytes:
        """Return a frame as JPEG, reduced to `width` pixels if it is wider; 0: as it is.

        Raises:
            VideoError: If there is no such frame or it cannot be decoded.
        """
        key = (index, width)
        with self._guard:
            if key in self._jpegs:
                self._jpegs.move_to_end(key)
                return self._jpegs[key]
        data = jpeg(self.image(index), width)
        with self._guard:
            if key not in self._jpegs:
                self._jpegs[key] = data
                self._bytes += len(data)
            while self._bytes > JPEG_BYTES:
                self._bytes -= len(self._jpegs.popitem(last=False)[1])
        return data

    def reader(self) -> Callable[[int, bool], Image]:
        """Return a function (number, whether earlier frames come next) -> frame, for one thread."""
        return lambda index, backwards: self.image(index)

    @abstractmethod
    def _read(self, index: int) -> Image:
        """Return a frame that is there; the lock is held."""

    def close(self) -> None:  # noqa: B027 (images hold nothing)
        """Give back files."""


class VideoClip(SeekableClip):
    """A video file.

    The file opens at once; where its head does not list the frames, a thread reads the file
    through, and until then numbers follow from the frame rate.

    Raises:
        VideoError: If it is not a video.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        facts = FileReader(path)  # probes: a video stream, a first frame
        assert facts.size is not None
        self.path, self.name, self.size = path, path.name, facts.size
        self.fps = facts.fps or 25.0
        self.total = facts.total or 1
        self._closed = False
        self._first = first_stamp(path)
        quick = None if self._first is None else quick_stamps(path, self._first)
        self._stamps = quick
        if quick is None and self._first is not None:
            self._stamps = guessed_stamps(path, self._first, self.total)
        self._decoder = Decoder(path, self._stamps)
        if quick is not None:
            self.total = len(quick)
            self._known.set()
        else:
            threading.Thread(target=self._index, name="siamtrack-index", daemon=True).start()

    def reader(self) -> Callable[[int, bool], Image]:
        """Return a function (number, whether earlier frames come next) -> frame, for one thread."""
        decoder = Decoder(self.path, self._stamps)
        return lambda index, backwards: decoder.image(index, backwards=backwards)

    def close(self) -> None:
        """Give back the file."""
        with self._lock:
            self._closed = True
            self._decoder.close()

    def _read(self, index: int) -> Image:
        return self._decoder.image(index)

    def _index(self) -> None:
        stamps = None
        with contextlib.suppress(SiamtrackError, OSError):
            stamps = full_stamps(self.path, self._first)
        total = len(stamps) if stamps is not None else self._counted()
        with self._lock:
            self._decoder.close()
            self._stamps = stamps
            self._decoder = Decoder(self.path, stamps)
            self.total = max(1, total)
        with self._guard:  # numbers may have meant other frames until now
            self._jpegs.clear()
            self._supply.clear()
            self._bytes = 0
        self._known.set()

    def _counted(self) -> int:
        """Count the frames of a file without time stamps by decoding it."""
        count, decoder = 0, Decoder(self.path, None)
        with contextlib.suppress(SiamtrackError), decoder:
            while not self._closed:
                decoder.image(count)
                count += 1
        return count


class FolderClip(SeekableClip):
    """A folder of images in natural order.

    Raises:
        VideoError: If it holds no image that can be read.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._files = image_files(path.iterdir())
        if not self._files:
            raise VideoError(f"folder {path.name} holds no images")
        height, width, _ = read_image(self._files[0]).shape
        self.path, self.name, self.size = path, path.name, (width, height)
        self.fps, self.total = 25.0, len(self._files)
        self._known.set()

    def _read(self, index: int) -> Image:
        return read_image(self._files[index])


def open_clip(path: Path) -> SeekableClip:
    """Open a video file or a folder of images.

    Raises:
        VideoError: If it is neither.
    """
    return FolderClip(path) if path.is_dir() else VideoClip(path)
