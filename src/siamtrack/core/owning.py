"""One run per folder: whoever writes results to it owns it until the run ends, however it ends."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import platform
import sys
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

from siamtrack.core.writing import clear_parts
from siamtrack.errors import FolderBusyError

LOCK = ".siamtrack.lock"

logger = logging.getLogger(__name__)

_held: dict[tuple[int, int], int] = {}
"""Device and number of the locks of this process, and its id: forked children own nothing."""


@contextlib.contextmanager
def owning(folder: Path, name: str = LOCK) -> Iterator[None]:
    """Own a folder within the block; what killed owners left half written is removed first.

    The lock is the operating system's and ends with the process, also by kill -9. A child made by
    fork does not inherit it. The file `name` says who holds it, for people: runs that share a
    folder by design take one each, and remove nothing.

    Raises:
        FolderBusyError: If another run owns it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    file, key = _taken(path, folder)
    _held[key] = os.getpid()
    try:
        if name == LOCK:
            clear_parts(folder)
        yield
    finally:
        del _held[key]
        with contextlib.suppress(OSError):
            if os.name != "nt":  # open files cannot be removed there
                path.unlink()
        file.close()


def _taken(path: Path, folder: Path) -> tuple[FileIO, tuple[int, int]]:
    while True:
        with contextlib.suppress(OSError):
            there = path.stat()
            # asked before it is opened: closing it again would end the lock that this process has
            if _held.get((there.st_dev, there.st_ino)) == os.getpid():
                raise FolderBusyError(folder, f"process {os.getpid()}, this one")
        # Open or make the file, and lock it.
        number = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        found = os.fstat(number)
        key = (found.st_dev, found.st_ino)
        file = FileIO(number, "r+")
        try:
            _lock(file)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
                owner = file.read(200).decode(errors="replace").strip("\0 \n")
                file.close()
                raise FolderBusyError(folder, owner or "an unknown process") from error
            logger.warning("%s takes no locks (%s): start one run at a time", folder, error)
        with contextlib.suppress(OSError):
            now = path.stat()
            if (now.st_dev, now.st_ino) == key:
                break
        file.close()  # its owner removed it between open and lock
    # Say who holds it.
    file.truncate(0)
    file.write(f"process {os.getpid()} on {platform.node()}\n".encode())
    return file, key


if sys.platform == "win32":
    import msvcrt

    def _lock(file: FileIO) -> None:
        # a place behind the text, which others may read
        file.seek(1 << 20)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        finally:
            file.seek(0)

else:
    import fcntl

    def _lock(file: FileIO) -> None:
        # of the process and not of the open file, so that worker processes do not keep it
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
