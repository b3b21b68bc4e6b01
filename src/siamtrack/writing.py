"""Files that appear whole or not at all, and files to which whole pieces alone are added."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from tempfile import TemporaryDirectory

FULL = {errno.ENOSPC, errno.EFBIG, errno.EIO, getattr(errno, "EDQUOT", errno.ENOSPC)}
"""What the system says of disks and quotas that take no more."""


def refuse_existing(path: Path, overwrite: bool, told: str = "", other: str = "name") -> None:
    """Raise if something is there that must not be replaced.

    Args:
        path: File or folder to write.
        overwrite: Whether it may be replaced.
        told: What to say of it; that it exists if empty.
        other: What to choose another one of.

    Raises:
        FileExistsError: If it exists and `overwrite` is false.
    """
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"{told or f'{path} exists'}: choose another {other}, or give --overwrite (in Python, "
            "overwrite=True)"
        )


def write_whole(path: Path, data: bytes) -> None:
    """Write a file under another name in the same folder first, then move it into place.

    A process that dies at any moment leaves the old file, the new one, or an unused `.part`.

    Raises:
        OSError: If it cannot be written, for instance on a full disk; nothing is left behind.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str, kept: str = "what was finished before stays") -> None:
    """Write a text file, all at once or not at all; its folder is made if necessary.

    Args:
        path: The file.
        text: What to write, in UTF-8.
        kept: As for `naming`.

    Raises:
        OSError: If it cannot be written, naming the file where the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming(path, kept):
        write_whole(path, text.encode())


@contextlib.contextmanager
def write_together(out: Path, last: str) -> Iterator[Path]:
    """Give an empty folder to write to; its files go to `out` together, or none of them does.

    Moving them takes no room, so that a full disk leaves what `out` held.

    Args:
        out: Folder; made if necessary.
        last: Name of the file that makes the others valid; it is moved last.

    Raises:
        OSError: If one cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    try:
        with (
            naming(out, "what it held stays"),
            TemporaryDirectory(prefix=".part-", dir=out) as part,
        ):
            yield Path(part)
            for file in sorted(Path(part).iterdir(), key=lambda file: file.name == last):
                file.replace(out / file.name)
    except BaseException:
        with contextlib.suppress(OSError):
            out.rmdir()  # if it was made for this
        raise


def append(file: FileIO, data: bytes, *, sync: bool = False) -> None:
    """Add data to the end of a file without a buffer: all, or on a full disk nothing.

    Args:
        file: Opened with `buffering=0`. What is no file but a pipe may get a part.
        data: What to add.
        sync: Whether it shall be on the disk, and not only with the system, before this returns.

    Raises:
        OSError: If it cannot be written; the file is as it was.
    """
    end = file.seek(0, os.SEEK_END) if file.seekable() else None
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[file.write(rest) or 0 :]
        if sync:
            os.fsync(file.fileno())
    except OSError:
        if end is not None:
            with contextlib.suppress(OSError):
                file.truncate(end)
        raise


@contextlib.contextmanager
def naming(path: Path, kept: str) -> Iterator[None]:
    """Name the file in the error, and say what to do, where the disk within this is full or broken.

    Args:
        path: The file.
        kept: What stands nevertheless, as half a sentence.

    Raises:
        OSError: In place of the one that the system gives, with its number; others pass.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        told = OSError(f"{path} cannot be written ({error.strerror}); {kept}: make room")
        told.errno = error.errno
        raise told from error
