"""The open projects: which are open, and how one is opened or made."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from siamtrack.studio.clip import open_clip
from siamtrack.studio.journal import Journal, ProjectError
from siamtrack.studio.library import Library, clip_id
from siamtrack.studio.models import Models
from siamtrack.studio.session import Session


class Sessions:
    """The open projects.

    Args:
        library: Where clips and projects are.
        models: What can be tracked with.
    """

    def __init__(self, library: Library, models: Models) -> None:
        self.library, self.models = library, models
        self._open: dict[str, Session] = {}
        self._lock = threading.Lock()
        self._making = threading.Lock()  # held from the search for a project until it is made

    def get(self, project: str) -> Session:
        """Return a project, opened if need be.

        Raises:
            LookupError: If there is none, or its clip may not be opened.
            ProjectError: If it is damaged or open elsewhere.
        """
        with self._lock:
            if project in self._open:
                return self._open[project]
            folder = self.library.folder(project)
            journal, head, events = Journal.reopen(folder)
            try:
                name, size = head.get("name"), head.get("size")
                if not isinstance(name, str) or not isinstance(size, list):
                    raise ProjectError(
                        f"{journal.path} is damaged (its head lacks the clip's name or the size of "
                        "its frames): restore it from a copy"
                    )
                path = self.library.path_of(project, head)
                if path is None:
                    raise LookupError("the clip of this project is not in the opened folders")
                clip = open_clip(path)
                if list(clip.size) != size:
                    raise ProjectError(f"{path.name} is another video now: give the old one back")
                session = Session(project, clip, journal, events, self.models, name)
            except BaseException:
                journal.close()
                raise
            self._open[project] = session
            return session

    def open(self, number: str) -> Session:
        """Return the newest project of a clip, or a new one.

        Raises:
            LookupError: If there is no such clip.
            VideoError: If it cannot be read.
        """
        entry = self.library.clip(number)
        with self._making:  # eight tabs that open one clip at once get one project
            for project, head in self.library.folders():
                if head.get("clip") == entry.id:
                    return self.get(project)
            head = {"clip": entry.id, "path": str(entry.path)}
            return self._create(self.library.new_folder(), entry.path, entry.name, head)

    def adopt(self, folder: Path, name: str) -> Session:
        """Make a project of an upload, which is in `folder` already.

        Raises:
            VideoError: If it cannot be read.
        """
        path = folder / "upload"
        return self._create(folder, path, name, {"clip": clip_id(path), "upload": True})

    def close(self) -> None:
        """Close all projects."""
        with self._lock:
            for session in self._open.values():
                session.close()
            self._open.clear()

    def _create(self, folder: Path, path: Path, name: str, head: dict[str, Any]) -> Session:
        try:
            clip = open_clip(path)
        except BaseException:
            if not any(folder.iterdir()):
                folder.rmdir()
            raise
        journal = Journal.create(folder, {**head, "name": name, "size": list(clip.size)})
        with self._lock:
            session = Session(folder.name, clip, journal, [], self.models, name)
            self._open[folder.name] = session
            return session
