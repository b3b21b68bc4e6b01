"""An open project: its clip, its journal, its job and the pages that watch it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from siamtrack.errors import SiamtrackError
from siamtrack.runtimes import AUTO
from siamtrack.studio.clip import Clip, open_clip
from siamtrack.studio.hub import Hub
from siamtrack.studio.jobs import Jobs, Order
from siamtrack.studio.journal import Journal, ProjectError
from siamtrack.studio.library import Library, clip_id
from siamtrack.studio.plan import Step, stale
from siamtrack.studio.project import Project
from siamtrack.studio.scene import ABSENT, KEY, Table, Target
from siamtrack.weights import DEFAULT, Model, load_model


class Models:
    """Loads each model once.

    Args:
        models: Names or folders of the models that pages may choose, the default one first.
        threads: Threads of the network; 0: as many as help.
        runtime: Engine of the network.

    Attributes:
        names: What pages call them.

    Example:
        >>> Models(["lite", "runs/a/model", "runs/b/model"]).names
        ['lite', 'model', 'model 2']
    """

    def __init__(self, models: Iterable[str] = (), threads: int = 0, runtime: str = AUTO) -> None:
        self._places: dict[str, str] = {}
        for place in list(models) or [DEFAULT]:
            name, count = Path(place).name, 1
            while (shown := name if count == 1 else f"{name} {count}") in self._places:
                count += 1
            self._places[shown] = place
        self.names, self._threads, self._runtime = list(self._places), threads, runtime
        self._loaded: dict[str, Model] = {}
        self._lock = threading.Lock()

    def __call__(self, name: str) -> Model:
        """Return a model.

        Raises:
            ValueError: If it is none of those that pages may choose.
        """
        if name not in self._places:
            raise ValueError(f"no model {name!r} here: choose one of {', '.join(self.names)}")
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = load_model(
                    self._places[name], runtime=self._runtime, threads=self._threads
                )
            return self._loaded[name]


class Session:
    """An open project.

    Args:
        id: Its generated name.
        clip: The clip.
        journal: Where events go.
        events: Those that are in the journal already.
        models: What can be tracked with.
    """

    def __init__(
        self,
        id: str,
        clip: Clip,
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
        self.models = models
        self.jobs = Jobs(self.project, clip, models, self.hub.publish)

    def edit(self, change: Callable[[Project], Any], follow: Order | None = None) -> Any:
        """Change the project, tell the pages, and track again what the change took away.

        Args:
            change: Called with the project.
            follow: How to track again; its steps and bounds are found here. None: do not.
        """
        self.settle()
        project = self.project
        with project.lock:
            model = follow.model if follow else self.models.names[0]
            before = {target.id: project.known(target.id, model) for target in project.shown()}
            result = change(project)
            bounds: dict[Step, tuple[int, int]] = {}
            touched = []
            for target in project.shown() if follow else []:
                if target.id in before:
                    after = project.known(target.id, model)
                    lost = stale(before[target.id], after, follow.frame if follow else 0)
                    touched += [target.id] if lost else []
                    for step, (low, high) in lost.items():
                        old = bounds.get(step, (low, high))
                        bounds[step] = (min(low, old[0]), max(high, old[1]))
        self.hub.publish({"type": "project", **self.summary()})
        if follow and bounds:
            self._again(follow, bounds, touched)
        return result

    def _again(
        self, follow: Order, bounds: dict[Step, tuple[int, int]], touched: list[int]
    ) -> None:
        """Track what an edit took away, together with what was being tracked."""
        steps: list[Step] = [step for step in (1, -1) if step in bounds]
        going, targets = self.jobs.order, touched
        if going is not None and going.model == follow.model:
            for step in going.steps:
                limits = going.limits(step)
                if step not in bounds:
                    steps.append(step)
                    if limits is not None:
                        bounds[step] = limits
                elif limits is None:
                    del bounds[step]
                else:
                    low, high = bounds[step]
                    bounds[step] = (min(low, limits[0]), max(high, limits[1]))
            if going.targets is None:
                targets = [target.id for target in self.project.shown()]
            else:
                targets = sorted({*touched, *going.targets})
        self.jobs.start(
            Order(tuple(steps), follow.frame, follow.model, tuple(targets), bounds, follow.redetect)
        )

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
                "job": self.jobs.status,
            }

    def tracks(self, model: str) -> dict[str, Any]:
        """Return the tracked rows of all targets, as stretches of unbroken frames, for JSON."""
        with self.project.lock:
            tables = {t.id: self.project.known(t.id, model) for t in self.project.shown()}
            revision = self.project.revision
        return {
            "model": model,
            "revision": revision,
            "tracks": [[number, _stretches(found)] for number, found in tables.items()],
        }

    def close(self) -> None:
        """End the job and give back the files."""
        self.jobs.stop()
        self.journal.close()
        self.clip.close()


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
                path = self.library.path_of(project, head)
                if path is None:
                    raise LookupError("the clip of this project is not in the opened folders")
                clip = open_clip(path)
                if list(clip.size) != head["size"]:
                    raise ProjectError(f"{path.name} is another video now: give the old one back")
                session = Session(project, clip, journal, events, self.models, head["name"])
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


def _target(target: Target) -> dict[str, Any]:
    keys = sorted(target.keys.values(), key=lambda key: key.frame)
    return {
        "id": target.id,
        "name": target.name,
        "colour": target.colour,
        "keys": [[key.frame, None if key.box is None else list(key.box)] for key in keys],
    }


def _stretches(found: Table) -> list[dict[str, Any]]:
    """Return first frame and rows of each stretch of frames in which something is known."""
    there = np.flatnonzero((found.owner >= 0) | (found.owner == KEY))
    result: list[dict[str, Any]] = []
    for part in np.split(there, np.flatnonzero(np.diff(there) != 1) + 1) if len(there) else []:
        rows = np.round(found.rows[part], 3)
        result.append({"first": int(part[0]), "rows": rows.tolist()})
    absent = np.flatnonzero(found.owner == ABSENT)
    for part in np.split(absent, np.flatnonzero(np.diff(absent) != 1) + 1) if len(absent) else []:
        result.append({"first": int(part[0]), "absent": len(part)})
    return result
