"""Files that appear whole or not at all, outputs kept from inputs, folders owned by one run."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import os
import platform
import re
import stat
import sys
import uuid
from collections.abc import Iterable, Iterator
from io import FileIO
from pathlib import Path
from tempfile import TemporaryDirectory

from siamtrack.errors import FolderBusyError

FULL = {errno.ENOSPC, errno.EFBIG, errno.EIO, getattr(errno, "EDQUOT", errno.ENOSPC)}
"""Error numbers of full disks, quotas and broken disks."""

_PART = re.compile(r"\..+\.(\d+)-([0-9a-f]{6})-[0-9a-f]{8}\.part")
_OLD_PART = re.compile(r"\.part-.+|.+\.part")
"""How earlier versions named their parts."""


def check_outputs(outputs: Iterable[Path], inputs: Iterable[Path] = ()) -> None:
    """Raise if an output is an input under any name, or two outputs are one file.

    Files are told apart by device and number, so that symbolic and hard links count as what they
    lead to. Call it before anything is opened. Devices and pipes, such as `/dev/null`, may be given
    any number of times.

    Raises:
        ValueError: Naming both.
    """
    written: dict[object, Path] = {}
    for path in outputs:
        if (key := _identity(path)) is None:
            continue
        if key in written:
            raise ValueError(f"outputs {written[key]} and {path} are one file: give two names")
        written[key] = path
    # what is not there yet is no input: data sets of millions of frames are not looked at then
    if not any(path.exists() for path in written.values()):
        return
    for path in inputs:
        if (key := _identity(path)) in written and key is not None:
            raise ValueError(
                f"output {written[key]} is the input {path}, which would be lost: give another name"
            )


def _identity(path: Path) -> object:
    """Return what two names of one file have in common; None for what holds nothing."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return os.path.normcase(os.path.realpath(path))
    if stat.S_ISREG(found.st_mode) and found.st_ino:
        return found.st_dev, found.st_ino
    return os.path.normcase(os.path.realpath(path)) if stat.S_ISREG(found.st_mode) else None


def part_of(path: Path) -> Path:
    """Return a new name beside a file, which says whose it is: process and host."""
    random = uuid.uuid4().hex[:8]
    return path.with_name(f".{path.name[:120]}.{os.getpid()}-{_host()}-{random}.part")


def clear_parts(folder: Path, name: str = "") -> None:
    """Remove what killed runs left of files in a folder.

    Args:
        folder: Without a name, this process must own it: all parts at any depth go.
        name: Of one file in it, where others may be at work too: only parts of processes of this
            host that have ended go.
    """
    for part in folder.glob("*.part") if name else [*folder.rglob("*.part")]:
        match = _PART.fullmatch(part.name)
        if name:
            ours = match and part.name.startswith(f".{name[:120]}.") and match[2] == _host()
            if not ours or not match or _runs(int(match[1])):
                continue
        elif not match and not _OLD_PART.fullmatch(part.name):
            continue
        with contextlib.suppress(OSError):
            part.unlink()


def _host() -> str:
    return hashlib.blake2b(platform.node().encode(), digest_size=3).hexdigest()


def _runs(process: int) -> bool:
    if os.name == "nt":  # there is no harmless way to ask
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


@contextlib.contextmanager
def replacing(path: Path, *, sync: bool = False) -> Iterator[Path]:
    """Give a name to write to; after the block that file takes the place of `path`, in one step.

    A process that dies at any moment leaves the old file, the new one, or a part that `clear_parts`
    knows. A symbolic link stays one: what it leads to is replaced. `sync` flushes the new file to
    the disk before.

    Raises:
        OSError: If it cannot be written; the old file stays and nothing is left behind.
    """
    target = path.resolve() if path.is_symlink() else path
    part = part_of(target)
    try:
        yield part
        if sync:
            with part.open("r+b") as file:
                os.fsync(file.fileno())
        part.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def refuse_existing(path: Path, overwrite: bool, reported: str = "", other: str = "name") -> None:
    """Raise if something is there that must not be replaced.

    `reported` is the first half of the message, that it exists if empty; `other` is what the user
    should choose another one of.

    Raises:
        FileExistsError: If it exists and `overwrite` is false.
    """
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"{reported or f'{path} exists'}: choose another {other}, or give --overwrite (in "
            "Python, overwrite=True)"
        )


def write_whole(path: Path, data: bytes) -> None:
    """Write a file as in `replacing`.

    Raises:
        OSError: If it cannot be written, for instance on a full disk; nothing is left behind.
    """
    with replacing(path) as part:
        part.write_bytes(data)


def write_text(path: Path, text: str, kept: str = "what was finished before stays") -> None:
    """Write a UTF-8 text file, all at once or not at all; its folder is made if necessary.

    Raises:
        OSError: If it cannot be written, naming the file where the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming(path, kept):
        write_whole(path, text.encode())


@contextlib.contextmanager
def write_together(out: Path, last: str) -> Iterator[Path]:
    """Give an empty folder to write to; its files go to `out` together, or none of them does.

    Moving them takes no room, so that a full disk leaves what `out` held. The file `last`, which
    makes the others valid, is moved last.

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
    """Add data to the end of a file opened with `buffering=0`: all, or on a full disk nothing.

    What is no file but a pipe may get a part. `sync` flushes it to the disk before this returns.

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

    `kept` says what stands nevertheless, as half a sentence.

    Raises:
        OSError: In place of the one that the system gives, with its number; others pass.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        named = OSError(f"{path} cannot be written ({error.strerror}); {kept}: make room")
        named.errno = error.errno
        raise named from error


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
