"""An open project: its clip, its journal, its job and the pages that watch it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np

from siamtrack.errors import SiamtrackError
from siamtrack.studio.clip import Clip
from siamtrack.studio.hub import Hub
from siamtrack.studio.jobs import Jobs, Order
from siamtrack.studio.journal import Journal, ProjectError
from siamtrack.studio.models import Models
from siamtrack.studio.plan import Step, stale
from siamtrack.studio.project import Project
from siamtrack.studio.scene import ABSENT, KEY, Table, Target


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
        exports: Id to `siamtrack.studio.exporting.Export`.
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

    def tidy(self) -> None:
        """Compact the journal if it has grown large; if the disk is full, go on as before."""
        if self.journal.large:
            with self.project.lock, contextlib.suppress(OSError):
                events = list(self.project.compact())
                self.journal.compact(events)
                self.project.forget(event["run"] for event in events if event["do"] == "run")

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
