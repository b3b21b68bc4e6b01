"""The project on disk: a file of JSON lines to which every event is added.

A line that was half written when the power went is dropped when the file is opened again; all
lines before it are whole. A lock keeps a second server from writing into the same project.

`Journal.compact` puts a shorter file in its place. The new file is whole on the disk, and locked,
before it gets the old one's name, so that a kill at any moment leaves one of the two; its head says
how many lines it began with, so that one which lost some of them is not taken for whole.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from collections.abc import Iterable
from io import FileIO
from pathlib import Path
from typing import IO, Any

from siamtrack.core.config import parse_json
from siamtrack.core.writing import append, naming
from siamtrack.errors import SiamtrackError

FORMAT = 3
READ = (1, 2, FORMAT)
"""Formats that are read; 1 was never compacted, 2 knew no classes."""
NAME = "project.jsonl"
LARGE = 4 << 20
"""Bytes from which a journal is compacted, by default."""


class ProjectError(SiamtrackError, ValueError):
    """A project on disk that is damaged, of a later version, or in use."""


class Journal:
    """An append-only file of events, made by `create` or `reopen`.

    Args:
        path: The file.
        file: It, open to append, and locked.
        head: Its first line.
        large: Bytes from which it is compacted.
    """

    def __init__(self, path: Path, file: FileIO, head: dict[str, Any], large: int = LARGE) -> None:
        self.path = path
        self._file, self._head, self._large = file, head, large
        self._lock = threading.Lock()

    @classmethod
    def create(cls, folder: Path, head: dict[str, Any], large: int = LARGE) -> Journal:
        """Make the journal of a new project; `head` says which clip it is about.

        Raises:
            FileExistsError: If the folder has one.
        """
        path = folder / NAME
        if path.exists():
            raise FileExistsError(f"{path} exists")
        head = {"studio": FORMAT, **head}
        with naming(path, "no project is begun"):
            return cls(path, _put(path, [_line(head)]), head, large)

    @classmethod
    def reopen(
        cls, folder: Path, large: int = LARGE
    ) -> tuple[Journal, dict[str, Any], list[dict[str, Any]]]:
        """Open the journal of a project; return it, its head and its events.

        Raises:
            ProjectError: If it is damaged, of a later version, or open elsewhere.
        """
        path = folder / NAME
        try:
            file = _open_locked(path)
        except OSError as error:
            raise ProjectError(f"{path} cannot be opened: {error.strerror}") from error
        try:
            data = path.read_bytes()
            end = data.rfind(b"\n") + 1
            if end < len(data):
                file.truncate(end)
                file.seek(0, os.SEEK_END)
            # what was written until the spelling changed; no text of a user's can look so
            data = data[:end].replace(b'"colour":', b'"color":')
            lines = [parse_json(line) for line in data.splitlines()]
            head = lines[0]
            version = head["studio"]
            if type(head.get("bytes", 0)) is not int:
                raise ValueError("its head says no size")
            if len(lines) < head.get("lines", 1):
                raise ValueError(f"{len(lines)} lines of the {head['lines']} that it began with")
        except (ValueError, LookupError, TypeError) as error:
            file.close()
            raise ProjectError(f"{path} is damaged ({error}): restore it from a copy") from error
        if version not in READ:
            file.close()
            raise ProjectError(f"{path} is of format {version}: this version reads {FORMAT}")
        return cls(path, file, head, large), head, lines[1:]

    @property
    def large(self) -> bool:
        """Whether it is time to compact: it is large, and has doubled since the last time."""
        with self._lock:
            return self._file.tell() > max(self._large, 2 * int(self._head.get("bytes", 0)))

    def compact(self, events: Iterable[dict[str, Any]], **changes: Any) -> None:
        """Put these events in place of all that were written so far, and change the head.

        The caller sees to it that nothing is written meanwhile. A full disk leaves the old file.

        Raises:
            OSError: If the new file cannot be written; the old one stays in use.
        """
        with self._lock:
            lines = [_line(event) for event in events]
            size = sum(map(len, lines))
            head = {**self._head, **changes, "studio": FORMAT}
            head |= {"lines": len(lines) + 1, "bytes": size}
            old = self._file
            self._file = _put(self.path, [_line(head), *lines], old)
            old.close()
            self._head = head

    def write(self, event: dict[str, Any]) -> None:
        """Add an event. Edits reach the disk before this returns; tracked rows soon after.

        Raises:
            OSError: If it cannot be written, as on a full disk; the file is as it was before.
        """
        with self._lock, naming(self.path, "what was done before is kept"):
            append(self._file, _line(event), sync=event["do"] not in ("rows", "run"))

    def close(self) -> None:
        """Close the file and give up the lock."""
        with self._lock:
            if not self._file.closed:
                os.fsync(self._file.fileno())
                self._file.close()


def refuse_open(folder: Path) -> None:
    """Raise ProjectError if another studio has a project open."""
    with contextlib.suppress(OSError):
        _open_locked(folder / NAME).close()


def read_head(folder: Path) -> dict[str, Any] | None:
    """Return the head of a project's journal without opening it; None if it has none."""
    with contextlib.suppress(OSError, ValueError), (folder / NAME).open("rb") as file:
        head = parse_json(file.readline(1 << 16))
        if isinstance(head, dict) and "studio" in head:
            return head
    return None


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def _put(path: Path, lines: list[bytes], old: FileIO | None = None) -> FileIO:
    """Write a file beside `path`, lock it, let it take the place of `path`, and return it, open.

    Args:
        path: The place.
        lines: What to write.
        old: The file that has been there, still open and locked.
    """
    part = path.with_name(NAME + ".part")
    file = part.open("w+b", buffering=0)
    try:
        lock(file)
        append(file, b"".join(lines), sync=True)
        if sys.platform == "win32":  # open files cannot be renamed or replaced there
            file.close()
            if old is not None:
                old.close()
            part.replace(path)
            return _open_locked(path)
        part.replace(path)
    except BaseException:
        file.close()
        part.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)
    return file


def _flush_folder(folder: Path) -> None:
    """Let a new name reach the disk; not every file system can."""
    with contextlib.suppress(OSError):
        place = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(place)
        finally:
            os.close(place)


def _open_locked(path: Path) -> FileIO:
    while True:
        file = path.open("r+b", buffering=0)
        file.seek(0, os.SEEK_END)
        try:
            lock(file)
        except OSError as error:
            file.close()
            raise ProjectError(
                f"{path.parent.name} is open in another studio: close that one, or continue there"
            ) from error
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(path.stat(), os.fstat(file.fileno())):
                return file
        file.close()  # it was compacted between open and lock


if sys.platform == "win32":
    import msvcrt

    def lock(file: IO[bytes] | FileIO) -> None:
        """Lock a byte far behind the end, so that the file can still be read; OSError if it is."""
        file.seek(1 << 40)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        file.seek(0, os.SEEK_END)

else:
    import fcntl

    def lock(file: IO[bytes] | FileIO) -> None:
        """Lock the file until it is closed or the process ends; OSError if another has it."""
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
