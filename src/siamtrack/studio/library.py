"""Where clips and projects are: the opened folders, the uploads, and nowhere else."""

from __future__ import annotations

import hashlib
import secrets
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError

from siamtrack.core.images import image_files
from siamtrack.errors import VideoError
from siamtrack.studio.journal import read_head
from siamtrack.studio.partial import clear_uploads
from siamtrack.video.decode import video_stream
from siamtrack.video.files import FileReader, is_video

FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,ogg,flv,asf,mxf,ivf"
"""Containers that uploads may be. Playlists, which name other files, are not among them."""
MOST_PIXELS = 8192 * 8192
MOST_CLIPS = 2000


@dataclass(frozen=True, slots=True)
class Entry:
    """A clip that may be opened.

    Attributes:
        id: What pages call it; they never see or send a path.
        name: What people call it.
        path: Where it is.
    """

    id: str
    name: str
    path: Path


class Library:
    """The clips of the opened folders, and the projects.

    Args:
        roots: Video files and folders that were opened.
        home: Folder of the projects and uploads; it is made.

    Raises:
        VideoError: If a root does not exist, or is a file that is no video.
    """

    def __init__(self, roots: Iterable[Path], home: Path) -> None:
        self.roots = [root.resolve() for root in roots]
        for root in self.roots:
            _check(root)
        home.mkdir(parents=True, exist_ok=True)
        self.home = home.resolve()
        clear_uploads(self.home)

    def clips(self) -> list[Entry]:
        """Return the clips in the opened folders and in the folders right below them."""
        found: dict[Path, Entry] = {}
        for root in self.roots:
            for path in _clips(root):
                if self.allows(path) and len(found) < MOST_CLIPS:
                    name = path.name if path == root else path.relative_to(root).as_posix()
                    found.setdefault(path, Entry(clip_id(path), name, path))
        return list(found.values())

    def clip(self, number: str) -> Entry:
        """Return the clip that pages call `number`.

        Raises:
            LookupError: If there is none.
        """
        for entry in self.clips():
            if entry.id == number:
                return entry
        raise LookupError("no such clip in the opened folders")

    def allows(self, path: Path) -> bool:
        """Whether a path, links resolved, lies in an opened folder or among the uploads."""
        real = path.resolve()
        return any(real == root or root in real.parents for root in [*self.roots, self.home])

    def folders(self) -> list[tuple[str, dict[str, Any]]]:
        """Return id and head of the projects whose clips may be opened, the newest first."""
        found = []
        for folder in self.home.iterdir():
            head = read_head(folder) if folder.is_dir() else None
            if head is not None and self.path_of(folder.name, head) is not None:
                found.append((folder.stat().st_mtime, folder.name, head))
        return [(name, head) for _, name, head in sorted(found, reverse=True, key=lambda x: x[0])]

    def path_of(self, project: str, head: dict[str, Any]) -> Path | None:
        """Return where the clip of a project is; None if it may not be opened, or is gone."""
        if head.get("upload"):
            path = self.home / project / "upload"
        else:
            path = Path(str(head.get("path", "")))
        try:
            return path if path.is_absolute() and path.exists() and self.allows(path) else None
        except (OSError, ValueError):  # a path that no file system takes, in a damaged head
            return None

    def new_folder(self) -> Path:
        """Make a folder with a generated name for a project."""
        folder = self.home / secrets.token_hex(8)
        folder.mkdir()
        return folder

    def folder(self, project: str) -> Path:
        """Return the folder of a project.

        Raises:
            LookupError: If there is none; also if the name is no generated one.
        """
        good = len(project) == 16 and all(letter in "0123456789abcdef" for letter in project)
        if not good or not (self.home / project).is_dir():
            raise LookupError("no such project")
        return self.home / project

    def room(self) -> int:
        """Return the free bytes where uploads go."""
        return shutil.disk_usage(self.home).free


def clip_id(path: Path) -> str:
    """Return what pages call the clip at a path."""
    return hashlib.sha256(str(path).encode()).hexdigest()[:16]


def probe(path: Path) -> None:
    """Check that an uploaded file is a video of a common container and of a sane size.

    Raises:
        VideoError: If it is not.
    """
    options = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
    try:
        with av.open(str(path), container_options=options) as container:
            stream = video_stream(container, "the upload")
            width, height = stream.codec_context.width, stream.codec_context.height
    except (FFmpegError, UnicodeDecodeError) as error:
        raise VideoError("the upload is not a video file that can be read") from error
    if not 0 < width * height <= MOST_PIXELS:
        raise VideoError(f"the upload has frames of {width}x{height}: too large")


def _check(root: Path) -> None:
    """Raise unless a root is a folder, or a file with a frame that can be decoded."""
    wanted = "give a video file, a folder of videos or a folder of images; cameras go by --camera"
    if not root.exists():
        raise VideoError(f"{root} does not exist: {wanted}")
    if not root.is_dir():
        try:
            FileReader(root)
        except VideoError as error:
            raise VideoError(f"{str(error).partition('; ')[0]}; {wanted}") from error


def _clips(root: Path) -> list[Path]:
    if root.is_file() or _has_images(root):
        return [root]
    found = []
    for path in sorted(root.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            videos = (each for each in sorted(path.iterdir()) if is_video(each))
            found += [path] if _has_images(path) else list(videos)
        elif is_video(path):
            found.append(path)
    return found


def _has_images(folder: Path) -> bool:
    return bool(image_files(folder.iterdir())) and not any(map(is_video, folder.iterdir()))
