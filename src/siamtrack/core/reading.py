"""Opening files that somebody else wrote: ordinary files only, and no larger than they may be.

A pipe that is called `frame.png` would wait for ever, `/dev/zero` would never end.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MOST = 1 << 31
"""Bytes that a file may have which is read in one piece; 2 GiB."""
MOST_ROWS = 1 << 28
"""Bytes that a text file with one row of numbers a frame may have; 256 MiB."""


def bytes_of(path: str | os.PathLike[str], most: int = MOST) -> bytes:
    """Return what is in an ordinary file; links are followed.

    Raises:
        OSError: If it cannot be read, is no ordinary file, or has more than `most` bytes.

    Example:
        >>> bytes_of(os.devnull)
        Traceback (most recent call last):
        OSError: [Errno 22] is no ordinary file: '/dev/null'
    """
    name = os.fspath(path)
    # a pipe is opened without waiting for its other end
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    file = os.open(name, flags | getattr(os, "O_CLOEXEC", 0))
    try:
        status = os.fstat(file)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "is no ordinary file", name)
        if status.st_size > most:
            raise OSError(errno.EFBIG, f"has more than {most} bytes", name)
        content = os.read(file, status.st_size)
        if len(content) == status.st_size:
            return content
    finally:
        os.close(file)
    return Path(name).read_bytes()  # it changed meanwhile, or is read in pieces


def text_of(
    path: str | os.PathLike[str], encoding: str = "utf-8", errors: str = "strict", most: int = MOST
) -> str:
    """Return the text of an ordinary file, with line ends as Python has them.

    Raises:
        OSError: As `bytes_of`.
        UnicodeDecodeError: If it is no text of this encoding.
    """
    text = bytes_of(path, most).decode(encoding, errors)
    return text.replace("\r\n", "\n").replace("\r", "\n")
