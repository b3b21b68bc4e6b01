"""The project on disk: a file of JSON lines to which every event is added.

A line that was half written when the power went is dropped when the file is opened again; all
lines before it are whole. A lock keeps a second server from writing into the same project.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from io import FileIO
from pathlib import Path
from typing import Any

from siamtrack.config import parse_json
from siamtrack.errors import SiamtrackError
from siamtrack.writing import append, naming

FORMAT = 1
NAME = "project.jsonl"


class ProjectError(SiamtrackError, ValueError):
    """A project on disk that is damaged, of a later version, or in use."""


class Journal:
    """An append-only file of events, made by `create` or `reopen`.

    Args:
        path: The file.
        file: It, open to append, and locked.
    """

    def __init__(self, path: Path, file: FileIO) -> None:
        self.path = path
        self._file = file
        self._lock = threading.Lock()

    @classmethod
    def create(cls, folder: Path, head: dict[str, Any]) -> Journal:
        """Make the journal of a new project; `head` says which clip it is about.

        Raises:
            FileExistsError: If the folder has one.
        """
        path = folder / NAME
        if path.exists():
            raise FileExistsError(f"{path} exists")
        part = folder / (NAME + ".part")
        try:
            with naming(path, "no project is begun"):
                with part.open("wb", buffering=0) as file:
                    append(file, _line({"studio": FORMAT, **head}), sync=True)
                part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        return cls(path, _open_locked(path))

    @classmethod
    def reopen(cls, folder: Path) -> tuple[Journal, dict[str, Any], list[dict[str, Any]]]:
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
            lines = [parse_json(line) for line in data[:end].splitlines()]
            head = lines[0]
            version = head["studio"]
        except (ValueError, LookupError, TypeError) as error:
            file.close()
            raise ProjectError(f"{path} is damaged ({error}): restore it from a copy") from error
        if version != FORMAT:
            file.close()
            raise ProjectError(f"{path} is of format {version}: this version reads {FORMAT}")
        return cls(path, file), head, lines[1:]

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


def read_head(folder: Path) -> dict[str, Any] | None:
    """Return the head of a project's journal without opening it; None if it has none."""
    with contextlib.suppress(OSError, ValueError), (folder / NAME).open("rb") as file:
        head = parse_json(file.readline(1 << 16))
        if isinstance(head, dict) and "studio" in head:
            return head
    return None


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def _open_locked(path: Path) -> FileIO:
    file = path.open("r+b", buffering=0)
    file.seek(0, os.SEEK_END)
    try:
        _lock(file)
    except OSError as error:
        file.close()
        raise ProjectError(
            f"{path.parent.name} is open in another studio: close that one, or go on there"
        ) from error
    return file


if sys.platform == "win32":
    import msvcrt

    def _lock(file: FileIO) -> None:
        """Lock a byte far behind the end, so that the file can still be read."""
        file.seek(1 << 40)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        file.seek(0, os.SEEK_END)

else:
    import fcntl

    def _lock(file: FileIO) -> None:
        """Lock the file; the lock ends with the process, however it ends."""
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
