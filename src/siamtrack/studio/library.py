"""What pages may choose: clips, projects and uploads, from nowhere else, and the models."""

from __future__ import annotations

import contextlib
import hashlib
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError

from siamtrack.core.config import shown
from siamtrack.core.images import image_files
from siamtrack.errors import VideoError
from siamtrack.packages.card import DEFAULT, Model, load_model
from siamtrack.runtimes import AUTO
from siamtrack.studio.journal import NAME, lock, read_head, refuse_open
from siamtrack.tracking.outline import Outliner, load_outliner
from siamtrack.video.decode import video_stream
from siamtrack.video.files import FileReader, is_video

FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,ogg,flv,asf,mxf,ivf"
"""Containers that uploads may be. Playlists, which name other files, are not among them."""
MOST_PIXELS = 8192 * 8192
MOST_CLIPS = 2000
ID = re.compile("[0-9a-f]{16}")
"""The generated names of projects."""
DELETED = "deleted."
"""How the name of a folder begins that is being deleted."""
LOCK = "upload.lock"
PARTS = frozenset({LOCK, "upload.part", "upload", NAME + ".part"})
OLD = 3600.0
"""Seconds after which a folder without a project and without a lock counts as left behind."""


@dataclass(frozen=True, slots=True)
class ClipEntry:
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
        for left in self.home.glob(DELETED + "*"):
            shutil.rmtree(left, ignore_errors=True)

    def clips(self) -> list[ClipEntry]:
        """Return the clips in the opened folders and in the folders right below them."""
        found: dict[Path, ClipEntry] = {}
        for root in self.roots:
            for path in _clips(root):
                if self.allows(path) and len(found) < MOST_CLIPS:
                    name = path.name if path == root else path.relative_to(root).as_posix()
                    found.setdefault(path, ClipEntry(clip_id(path), name, path))
        return list(found.values())

    def clip(self, number: str) -> ClipEntry:
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
        if not ID.fullmatch(project) or not (self.home / project).is_dir():
            raise LookupError("no such project")
        return self.home / project

    def delete(self, project: str) -> None:
        """Delete the folder of a project that nobody has open.

        Raises:
            LookupError: If there is none.
            ProjectError: If another studio has it open.
        """
        folder = self.folder(project)
        refuse_open(folder)
        gone = folder.rename(folder.with_name(DELETED + project))  # all of it at once
        shutil.rmtree(gone, ignore_errors=True)

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


@contextlib.contextmanager
def under_way(folder: Path) -> Iterator[None]:
    """Hold the lock that tells other servers not to clear an upload away.

    If the block fails, the folder is removed. The lock ends with the process, however it ends.
    """
    with (folder / LOCK).open("wb") as file:
        lock(file)
        try:
            yield
        except BaseException:
            file.close()
            shutil.rmtree(folder, ignore_errors=True)
            raise
    (folder / LOCK).unlink(missing_ok=True)


def clear_uploads(home: Path) -> list[Path]:
    """Remove the folders of uploads that were cut short; return which they were.

    Only folders with generated names, without a project and with nothing but parts of an upload in
    them are touched, and of these only those that no server is filling.
    """
    gone = []
    for folder in home.iterdir():
        with contextlib.suppress(OSError):
            if _left_behind(folder):
                shutil.rmtree(folder)
                gone.append(folder)
    return gone


def _left_behind(folder: Path) -> bool:
    if not ID.fullmatch(folder.name) or folder.is_symlink():
        return False
    names = {path.name for path in folder.iterdir()}
    if NAME in names or not names <= PARTS:
        return False
    if LOCK not in names:
        return time.time() - folder.stat().st_mtime > OLD
    with (folder / LOCK).open("r+b") as file:
        lock(file)  # OSError: somebody is filling it
    return not (folder / NAME).exists()


class Models:
    """Loads each model once, and the network of masks where somebody asks for outlines.

    Args:
        models: Names or folders of the models that pages may choose, the default one first.
        threads: Threads of the network; 0: as many as help.
        runtime: Engine of the network.
        outliner: Loads the network of masks.

    Attributes:
        names: What pages call them.

    Example:
        >>> Models(["lite", "runs/a/model", "runs/b/model"]).names
        ['lite', 'model', 'model 2']
    """

    def __init__(
        self,
        models: Iterable[str] = (),
        threads: int = 0,
        runtime: str = AUTO,
        outliner: Callable[..., Outliner] = load_outliner,
    ) -> None:
        self._places: dict[str, str] = {}
        for place in list(models) or [DEFAULT]:
            name, count = Path(place).name, 1
            while (shown := name if count == 1 else f"{name} {count}") in self._places:
                count += 1
            self._places[shown] = place
        self.names, self._threads, self._runtime = list(self._places), threads, runtime
        self._loaded: dict[str, Model] = {}
        self._load_outliner = outliner
        self._outliner: Outliner | None = None
        self._lock = threading.Lock()

    def __call__(self, name: str) -> Model:
        """Return a model.

        Raises:
            ValueError: If it is none of those that pages may choose.
        """
        choose(name, self.names)
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = load_model(
                    self._places[name], runtime=self._runtime, threads=self._threads
                )
            return self._loaded[name]

    def outliner(self) -> Outliner:
        """Return the network of masks, which is loaded when it is first asked for.

        Raises:
            WeightsError: If it is missing or damaged.
        """
        with self._lock:
            if self._outliner is None:
                self._outliner = self._load_outliner(threads=self._threads)
            return self._outliner


def choose(name: Any, names: Sequence[str]) -> str:
    """Return the model that a page names, the first one if it names none.

    Raises:
        ValueError: If it is none of those that pages may choose.
    """
    name = names[0] if name is None else name
    if name not in names:
        raise ValueError(f"no model {shown(name)} here: choose one of {', '.join(names)}")
    return str(name)
