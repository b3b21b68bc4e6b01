"""The TraX protocol, and any executable that speaks it: `trax:COMMAND`, over its standard streams.

Paper: Cehovin, TraX: The visual Tracking eXchange protocol and library,
https://doi.org/10.1016/j.neucom.2017.02.036. A message is one line: `@@TRAX:`, a type, and quoted
arguments. Frames go as PNG files, regions as rectangles and polygons.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from urllib.parse import urlparse

import cv2
import numpy as np
from numpy.typing import ArrayLike

from siamtrack.core.boxes import Array, polygons_to_ltwh
from siamtrack.core.images import Image
from siamtrack.errors import SiamtrackError
from siamtrack.evaluation.peers.base import PEERS, Seen

TIMEOUT = 60.0
PREFIX = "@@TRAX:"
_ARGUMENT = re.compile(r'"((?:[^"\\]|\\.)*)"')
_PROPERTY = re.compile(r"([\w.]+)=(.*)", re.DOTALL)


@dataclass(frozen=True)
class Message:
    """A message: `hello`, `initialize`, `frame`, `state` or `quit`, with images and regions.

    Example:
        >>> line = Message("state", ["1,2,3,4"], {"confidence": "0.5"}).line()
        >>> line
        '@@TRAX:state "1,2,3,4" "confidence=0.5"'
        >>> parse(line).properties
        {'confidence': '0.5'}
    """

    kind: str
    arguments: list[str] = field(default_factory=list)
    properties: Mapping[str, str] = field(default_factory=dict)

    def line(self) -> str:
        """Return the text of the message, without the end of the line."""
        words = [*self.arguments, *(f"{key}={value}" for key, value in self.properties.items())]
        quoted = ['"' + re.sub(r'(["\\])', r"\\\1", word) + '"' for word in words]
        return " ".join([PREFIX + self.kind, *quoted])


def parse(line: str) -> Message | None:
    """Return the message in a line, or None if the line is something else."""
    if not line.startswith(PREFIX):
        return None
    kind, _, rest = line[len(PREFIX) :].strip().partition(" ")
    arguments: list[str] = []
    properties: dict[str, str] = {}
    for word in _ARGUMENT.findall(rest):
        text = re.sub(r"\\(.)", r"\1", word)
        pair = _PROPERTY.fullmatch(text)
        if pair is None:
            arguments.append(text)
        else:
            properties[pair[1]] = pair[2]
    return Message(kind, arguments, properties)


def path_of(uri: str) -> str:
    """Return the path of a `file:` URI, or the text itself.

    Example:
        >>> path_of("file:///tmp/a%20b.png"), path_of("/tmp/a.png")
        ('/tmp/a b.png', '/tmp/a.png')
    """
    parts = urlparse(uri)
    if parts.scheme != "file":
        return uri
    from urllib.request import url2pathname  # slow to import

    return url2pathname(parts.path)


def region_box(text: str) -> Array:
    """Return the box (4,) ltwh of a region as text: a rectangle or a polygon.

    Raises:
        ValueError: If it is neither.

    Example:
        >>> region_box("1,2,4,2,4,6,1,6").tolist()
        [1.0, 2.0, 3.0, 4.0]
    """
    try:
        numbers = np.array([float(word) for word in text.split(",")])
    except ValueError:
        numbers = np.zeros(0)
    if len(numbers) == 4:
        return numbers
    if len(numbers) >= 6 and len(numbers) % 2 == 0:
        return np.asarray(polygons_to_ltwh(numbers[None])[0], np.float64)
    raise ValueError(f"region {text[:60]!r}: expected a rectangle or a polygon")


@PEERS.register("trax")
class TraxPeer:
    """A tracker in a process of its own, a command line, started anew by each `init`.

    Raises:
        SiamtrackError: In `init` or `update`, if the process does not start, ends, answers
            something else than TraX, or not in time. The message has the end of what it printed.
    """

    def __init__(self, source: str, *, threads: int = 0, timeout: float = TIMEOUT) -> None:
        self.command = shlex.split(source)
        if not self.command:
            raise ValueError("trax: expected a command after the colon, such as trax:./tracker")
        self.name = f"trax-{Path(self.command[0]).stem}"
        self.timeout = timeout
        self._process: subprocess.Popen[str] | None = None

    def init(self, frame: Image, box: ArrayLike) -> None:
        """Start the process on a box."""
        self.close()
        self._folder = tempfile.TemporaryDirectory(prefix="siamtrack-trax-")
        self._count = 0
        self._printed: deque[str] = deque(maxlen=8)
        self._messages: Queue[Message | None] = Queue()
        try:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as reason:
            self._folder.cleanup()
            raise SiamtrackError(f"{shlex.join(self.command)}: does not start ({reason})") from None
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()
        self._expect("hello")
        self._box: Array = np.array(box, np.float64)
        self._send("initialize", self._image(frame), ",".join(f"{v:.4f}" for v in self._box))
        self._expect("state")

    def update(self, frame: Image) -> Seen:
        """Send the next frame and wait for the region."""
        self._send("frame", self._image(frame))
        message = self._expect("state")
        try:
            self._box = region_box(message.arguments[0])
            score = float(message.properties.get("confidence", "nan"))
        except (IndexError, ValueError) as reason:
            raise self._failed(f"answered {message.line()[:80]!r} ({reason})") from None
        return Seen(self._box.copy(), score)

    def close(self) -> None:
        """End the process."""
        if self._process is None:
            return
        process, self._process = self._process, None
        try:
            if process.stdin is not None:
                process.stdin.write(Message("quit").line() + "\n")
                process.stdin.close()
            process.wait(2)
        except (OSError, subprocess.TimeoutExpired):
            process.kill()
            process.wait()
        if process.stdin is not None:
            with contextlib.suppress(OSError):  # what was not flushed has nobody to go to
                process.stdin.close()
        self._reader.join(1)
        if process.stdout is not None and not self._reader.is_alive():
            process.stdout.close()  # a child of the process may hold the other end open
        self._folder.cleanup()

    def __del__(self) -> None:
        if getattr(self, "_process", None) is not None:
            self.close()

    def _read(self, process: subprocess.Popen[str]) -> None:
        """Sort the process's lines into messages and everything else that it prints."""
        messages, printed = self._messages, self._printed
        if process.stdout is not None:
            for line in process.stdout:
                message = parse(line)
                if message is None:
                    printed.append(line.rstrip())
                else:
                    messages.put(message)
        messages.put(None)

    def _image(self, frame: Image) -> str:
        path = Path(self._folder.name) / f"{self._count:08d}.png"
        for old in Path(self._folder.name).glob("*.png"):
            old.unlink()
        self._count += 1
        cv2.imwrite(str(path), frame[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 0])
        return path.as_uri()

    def _send(self, kind: str, *arguments: str) -> None:
        process = self._process
        if process is None or process.stdin is None:
            raise SiamtrackError(f"{shlex.join(self.command)}: update before init")
        try:
            process.stdin.write(Message(kind, list(arguments)).line() + "\n")
            process.stdin.flush()
        except OSError as reason:
            raise self._failed(f"has ended ({reason})") from None

    def _expect(self, kind: str) -> Message:
        try:
            message = self._messages.get(timeout=self.timeout)
        except Empty:
            raise self._failed(f"gave no answer within {self.timeout:g} s") from None
        if message is None:
            raise self._failed(f"ended where its {kind!r} was expected")
        if message.kind != kind:
            raise self._failed(f"answered {message.line()[:80]!r} where {kind!r} was expected")
        return message

    def _failed(self, what: str) -> SiamtrackError:
        printed = "; it printed: " + " | ".join(self._printed) if self._printed else ""
        return SiamtrackError(f"{shlex.join(self.command)}: {what}{printed}")
