"""The open projects: each with its clip, its journal, its job and the pages that watch it."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from siamtrack.errors import SiamtrackError
from siamtrack.studio.clip import SeekableClip, open_clip
from siamtrack.studio.doubts import check_name, doubts
from siamtrack.studio.jobs import Jobs, Order
from siamtrack.studio.journal import LARGE, Journal, ProjectError
from siamtrack.studio.library import Library, Models, clip_id
from siamtrack.studio.news import Hub
from siamtrack.studio.project import Project, clean_name
from siamtrack.studio.timeline import ABSENT, KEY, DrawnTarget, Step, Table, stale, unbroken


class Session:
    """An open project.

    Args:
        id: Its generated name.
        clip: The clip.
        journal: Where events go.
        events: Those that are in the journal already.
        models: What can be tracked with.
        name: How people call it.

    Attributes:
        hub: News for the pages.
        scratch: Folder of exports under way.
        exports: Id to `siamtrack.studio.export_jobs.Export`.
    """

    def __init__(
        self,
        id: str,
        clip: SeekableClip,
        journal: Journal,
        events: list[dict[str, Any]],
        models: Models,
        name: str,
    ) -> None:
        self.id, self.clip, self.name = id, clip, name
        self.hub = Hub()
        self.journal = journal
        self.project = Project(clip.total, clip.size, journal.write)
        try:
            for event in events:
                self.project.apply(event)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise ProjectError(f"{journal.path} is damaged: {error!r}") from error
        self.tidy()
        self.scratch = journal.path.parent / "exports"
        shutil.rmtree(self.scratch, ignore_errors=True)  # of a server that was killed
        self.exports: dict[str, Any] = {}
        self.models = models
        self.jobs = Jobs(self.project, clip, models, self.hub.publish)

    def edit(self, change: Callable[[Project], Any], follow: Order | None = None) -> Any:
        """Change the project, tell the pages, and track again what the change took away.

        Args:
            change: Called with the project.
            follow: How to track again; its steps and bounds are found here. None: do not.
        """
        self.settle()
        self.tidy()
        project = self.project
        with project.lock:
            model = follow.model if follow else self.models.names[0]
            before = project.tables(model)
            result = change(project)
            after = project.tables(model)
        self.hub.publish({"type": "project", **self.summary()})
        if follow:
            both = [number for number in after if number in before]
            gone = {each: stale(before[each], after[each], follow.frame) for each in both}
            self._again(follow, {number: spans for number, spans in gone.items() if spans})
        return result

    def _again(self, follow: Order, gone: dict[int, dict[Step, tuple[int, int]]]) -> None:
        """Track what an edit took away of targets, together with what was being tracked."""
        if not gone:
            return
        steps: tuple[Step, Step] = (1, -1)
        spans: dict[Step, list[tuple[int, int] | None]] = {
            step: [lost[step] for lost in gone.values() if step in lost] for step in steps
        }
        spans = {step: found for step, found in spans.items() if found}
        targets, going = set(gone), self.jobs.order
        if going is not None and going.model == follow.model:
            for step in going.steps:
                spans.setdefault(step, []).append(going.limits(step))
            everyone = [target.id for target in self.project.shown()]
            targets.update(everyone if going.targets is None else going.targets)
        bounds = {
            step: (min(low for low, _ in parts), max(high for _, high in parts))
            for step, found in spans.items()
            if len(parts := [part for part in found if part is not None]) == len(found)
        }
        order = replace(follow, steps=tuple(spans), targets=tuple(sorted(targets)), bounds=bounds)
        self.jobs.start(order)

    def tidy(self) -> None:
        """Compact the journal if it has grown large; on a full disk it stays as it is."""
        if self.journal.large:
            with self.project.lock, contextlib.suppress(OSError):
                self._compact()

    def _compact(self, **changes: Any) -> None:
        """Write the journal anew, and forget the runs that no longer count; hold the lock."""
        events = list(self.project.compact())
        self.journal.compact(events, **changes)
        self.project.forget(event["run"] for event in events if event["do"] == "run")

    def rename(self, name: str) -> str:
        """Call the project something else, and tell the pages; return the name as it is kept.

        Raises:
            ValueError: If nothing of the name can be shown.
        """
        clean = clean_name(name)
        with self.project.lock:
            self._compact(name=clean)
            self.name = clean
        self.hub.publish({"type": "project", **self.summary()})
        return clean

    def settle(self) -> None:
        """Take over the number of frames, once it is known.

        Raises:
            SiamtrackError: If the file is still being read, so that numbers are not certain.
        """
        if not self.clip.wait(20):
            raise SiamtrackError("the video is still being read: try again in a moment")
        self.project.total = self.clip.total

    def summary(self) -> dict[str, Any]:
        """Return everything about the project but the tracked rows, for JSON."""
        project, clip = self.project, self.clip
        if clip.exact:
            project.total = clip.total
        with project.lock:
            return {
                "id": self.id,
                "name": self.name,
                "total": clip.total,
                "exact": clip.exact,
                "fps": clip.fps,
                "width": clip.size[0],
                "height": clip.size[1],
                "revision": project.revision,
                "undo": project.can_undo,
                "redo": project.can_redo,
                "targets": [_target(target) for target in project.shown()],
                "classes": list(project.classes.items()),
                "job": self.jobs.status,
            }

    def tracks(self, model: str) -> dict[str, Any]:
        """Return the tracked rows of all targets, as stretches of unbroken frames, for JSON."""
        with self.project.lock:
            tables = self.project.tables(model)
            revision = self.project.revision
        return {
            "model": model,
            "revision": revision,
            "tracks": [[number, _stretches(found)] for number, found in tables.items()],
        }

    def doubts(self, model: str) -> dict[str, Any]:
        """Return where to look, target by target: first and last frame, and why, for JSON."""
        project = self.project
        with project.lock:
            tables, checks = project.tables(model), project.tables(check_name(model))
            revision = project.revision
        found = {
            number: [[each.first, each.last, each.why] for each in doubts(known, checks[number])]
            for number, known in tables.items()
        }
        return {"model": model, "revision": revision, "doubts": list(found.items())}

    def close(self) -> None:
        """End the job and give back the files."""
        self.jobs.stop()
        self.journal.close()
        self.clip.close()


def _target(target: DrawnTarget) -> dict[str, Any]:
    return {
        "id": target.id,
        "name": target.name,
        "color": target.color,
        "class": target.label,
        "keys": [[key.frame, None if key.box is None else [*key.box]] for key in target.ordered()],
    }


def _stretches(found: Table) -> list[dict[str, Any]]:
    """Return first frame and rows of each stretch of frames in which something is known."""
    there = np.flatnonzero((found.owner >= 0) | (found.owner == KEY))
    absent = np.flatnonzero(found.owner == ABSENT)
    return [
        *(
            {"first": int(part[0]), "rows": np.round(found.rows[part], 3).tolist()}
            for part in unbroken(there)
        ),
        *({"first": int(part[0]), "absent": len(part)} for part in unbroken(absent)),
    ]


class Sessions:
    """The open projects.

    Args:
        library: Where clips and projects are.
        models: What can be tracked with.
        large: Bytes from which the journal of a project is compacted.
    """

    def __init__(self, library: Library, models: Models, large: int = LARGE) -> None:
        self.library, self.models, self._large = library, models, large
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
            journal, head, events = Journal.reopen(folder, self._large)
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

    def delete(self, project: str) -> None:
        """Delete a project with everything in its folder; pages that show it hear so.

        Raises:
            LookupError: If there is none.
            ProjectError: If another studio has it open.
        """
        with self._lock:
            session = self._open.pop(project, None)
            if session is not None:
                for made in list(session.exports.values()):
                    made.cancel()
                session.close()
            self.library.delete(project)
        if session is not None:
            session.hub.publish({"type": "gone"})

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
        head = {**head, "name": name, "size": list(clip.size)}
        journal = Journal.create(folder, head, self._large)
        with self._lock:
            session = Session(folder.name, clip, journal, [], self.models, name)
            self._open[folder.name] = session
            return session
