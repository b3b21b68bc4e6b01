"""Reading files out of a clone: a git directory at a pinned commit, or a plain folder."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from siamtrack.core.images import decode, stated_size

Pixels = NDArray[np.uint8]
_POINTER = b"version https://git-lfs"


class MissingError(Exception):
    """A clone, a commit or an annotation file is not there."""


@dataclass(frozen=True)
class Encoded:
    """A picture that is decoded only where it must be.

    Attributes:
        data: Encoded bytes.
        flags: How OpenCV decodes them.
    """

    data: bytes
    flags: int = cv2.IMREAD_COLOR

    @property
    def is_plain(self) -> bool:
        """Whether this is a JPEG that no Exif data turns."""
        return self.data[:2] == b"\xff\xd8" and b"Exif\0" not in self.data[:4096]

    def size(self) -> tuple[int, int] | None:
        """Return width and height, or None if this is no picture."""
        if self.is_plain or self.data[:4] == b"\x89PNG":
            return stated_size(self.data)
        pixels = self.pixels()
        return None if pixels is None else (pixels.shape[1], pixels.shape[0])

    def pixels(self, scale: float = 1.0) -> Pixels | None:
        """Return (H, W, 3) in OpenCV's order, at half the size where `scale` is no more."""
        flags = self.flags
        if flags == cv2.IMREAD_COLOR and self.is_plain and scale <= 0.5:
            flags = cv2.IMREAD_REDUCED_COLOR_2
        return decode(np.frombuffer(self.data, np.uint8), flags)


class Clone:
    """One repository below the folder of clones, as `owner+name` or `owner/name`.

    Files are read with `git cat-file --batch`, so bare clones and clones whose work tree is at
    another commit serve as well.

    Attributes:
        paths: All files, sorted.
        unread: How many files were asked for and are absent (not in the clone, or an LFS pointer).
    """

    def __init__(self, clones: Path, repository: str, commit: str) -> None:
        self.unread = 0
        self._process: subprocess.Popen[bytes] | None = None
        owner, name = repository.split("/")
        places = [clones / f"{owner}+{name}", clones / owner / name]
        inner = ("repo/.git", ".git", "repo", ".")
        gits = [place / each for place in places for each in inner]
        git = next((each for each in gits if (each / "objects").is_dir()), None)
        if git is None:
            raise MissingError(f"no clone of {repository} in {clones}")
        self._git = ["git", f"--git-dir={git}"]
        listing = subprocess.run(
            [*self._git, "ls-tree", "-r", "-z", commit], capture_output=True, check=False
        )
        if listing.returncode:
            raise MissingError(f"the clone of {repository} lacks commit {commit}")
        # Each record is "mode type oid<TAB>path"
        records = [line.split(b"\t", 1) for line in listing.stdout.split(b"\0") if line]
        self._blobs = {os.fsdecode(path): head.split()[2] for head, path in records}
        self.paths = sorted(self._blobs)

    def __contains__(self, path: str) -> bool:
        return path in self._blobs

    def under(self, folder: str, ending: str | tuple[str, ...] = "") -> list[str]:
        """Return the files below a folder whose names end so, in order."""
        start = folder.rstrip("/") + "/" if folder else ""
        return [
            path for path in self.paths if path.startswith(start) and path.lower().endswith(ending)
        ]

    def read(self, path: str) -> bytes | None:
        """Return the content of a file; None if it is absent here, which is counted."""
        data = self._read(path) if path in self._blobs else None
        if data is None or not data or data.startswith(_POINTER):
            self.unread += 1
            return None
        return data

    def text(self, path: str) -> str:
        """Return a text file that nothing works without."""
        data = self.read(path)
        if data is None:
            raise MissingError(f"{path} is not in the clone")
        return data.decode("utf-8-sig")

    def image(self, path: str, flags: int = cv2.IMREAD_COLOR) -> Pixels | None:
        """Return a decoded picture as `flags` say; None if it is absent or no picture."""
        data = self.read(path)
        pixels = None if data is None else Encoded(data, flags).pixels()
        self.unread += data is not None and pixels is None
        return pixels

    def encoded(self, path: str) -> Encoded | None:
        """Return a picture as it is stored; None if it is absent."""
        data = self.read(path)
        return None if data is None else Encoded(data)

    def _read(self, path: str) -> bytes | None:
        if self._process is None:
            # A partial clone must not go to the network for every absent file
            quiet = {**os.environ, "GIT_NO_LAZY_FETCH": "1"}
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(
                [*self._git, "cat-file", "--batch"], stdin=pipe, stdout=pipe, env=quiet
            )
        asked, given = self._process.stdin, self._process.stdout
        if asked is None or given is None:
            raise RuntimeError("git cat-file was started without pipes")
        asked.write(self._blobs[path] + b"\n")
        asked.flush()
        head = given.readline().split()
        if len(head) != 3 or head[1] != b"blob":
            return None
        data = given.read(int(head[2]))
        given.read(1)
        return data

    def __enter__(self) -> Clone:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.communicate()
