"""Tracking in a thread of its own: start, pause, go on, stop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from siamtrack.core.boundary import log, sentence
from siamtrack.core.images import Image
from siamtrack.errors import SiamtrackError
from siamtrack.packages.card import Model
from siamtrack.studio.clip import Clip
from siamtrack.studio.plan import Segment, Step, by_frame, segments
from siamtrack.studio.project import Project
from siamtrack.studio.scene import STATES, Row, Run
from siamtrack.studio.shield import told
from siamtrack.tracking.tracker import SiamTracker

logger = logging.getLogger(__name__)

NEWS_EVERY = 0.08
"""Seconds between two reports: found rows are saved and shown that often."""
INDEX_TIMEOUT = 600.0


@dataclass(frozen=True)
class Order:
    """What to track.

    Attributes:
        steps: Directions in order: 1 forwards, -1 backwards.
        frame: Where the person stands.
        model: Name of the model.
        targets: Ids; None: all.
        bounds: Direction to first and last frame to touch; a direction without: all frames.
        redetect: Search more of the frame while a target is lost.
    """

    steps: tuple[Step, ...]
    frame: int
    model: str
    targets: tuple[int, ...] | None = None
    bounds: Mapping[Step, tuple[int, int]] | None = None
    redetect: bool = True

    def limits(self, step: Step) -> tuple[int, int] | None:
        """Return the first and last frame to touch in a direction; None: all."""
        return (self.bounds or {}).get(step)


class Jobs:
    """The tracking of one project; one job at a time.

    Args:
        project: Where keys come from and rows go.
        clip: Its frames.
        models: Name to loaded model.
        publish: Called with messages for the pages; it must not wait.
    """

    def __init__(
        self,
        project: Project,
        clip: Clip,
        models: Callable[[str], Model],
        publish: Callable[[dict[str, Any]], None],
    ) -> None:
        self._project, self._clip, self._models = project, clip, models
        self._publish = publish
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._go = threading.Event()
        self._order: Order | None = None
        self._status: dict[str, Any] = {"type": "job", "state": "idle"}

    @property
    def status(self) -> dict[str, Any]:
        """State (idle, running, paused, failed), frame, frames done and to do, frames per second.

        While it is running or paused it names the model and the direction as well.
        """
        return dict(self._status)

    @property
    def order(self) -> Order | None:
        """What is being tracked; None when idle."""
        return self._order if self.running else None

    @property
    def running(self) -> bool:
        """Whether a job is there, paused or not."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, order: Order) -> None:
        """Track, in place of what is being tracked."""
        with self._lock:
            self._end()
            self._stop, self._go, self._order = threading.Event(), threading.Event(), order
            self._go.set()
            self._set(state="running", model=order.model, frame=order.frame, done=0, total=0, fps=0)
            self._thread = threading.Thread(target=self._run, args=(order,), name="siamtrack-job")
            self._thread.daemon = True
            self._thread.start()

    def pause(self) -> None:
        """Wait before the next frame."""
        with self._lock:
            if self.running:
                self._go.clear()
                self._set(**{**self._status, "state": "paused"})

    def resume(self) -> None:
        """Go on after a pause."""
        with self._lock:
            if self.running and not self._go.is_set():
                self._set(**{**self._status, "state": "running"})
                self._go.set()

    def stop(self) -> None:
        """End the job; what was found stays."""
        with self._lock:
            self._end()

    def join(self, seconds: float = 60) -> None:
        """Wait until the job is done."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)

    def _end(self) -> None:
        if self.running:
            self._stop.set()
            self._go.set()
            self.join()

    def _set(self, **status: Any) -> None:
        self._status = {**status, "type": "job"}
        self._publish(self.status)

    def _run(self, order: Order) -> None:
        try:
            self._clip.wait(INDEX_TIMEOUT)
            self._project.total = self._clip.total
            Pass(self, order).run()
            self._set(**{**self._status, "state": "idle"})
        except (SiamtrackError, ValueError, OSError) as error:
            self._set(**{**self._status, "state": "failed", "error": told(error)})
        except Exception as error:
            log(error)
            logger.warning("tracking failed: %s", sentence(error))
            self._set(**{**self._status, "state": "failed", "error": told(error)})


class Pass:
    """One job from its plan to its end; runs in the job's thread."""

    def __init__(self, jobs: Jobs, order: Order) -> None:
        self._jobs, self._order = jobs, order
        self._project, self._clip = jobs._project, jobs._clip
        self._stop, self._go = jobs._stop, jobs._go
        self._model = jobs._models(order.model)
        self._read = self._clip.reader()
        self._last: tuple[int, Image] | None = None
        self._active: dict[int, tuple[Segment, Run]] = {}
        self._found: dict[int, list[Row]] = {}
        self._news: dict[int, list[list[float]]] = {}
        self._done = self._total = 0
        self._told = self._begun = time.monotonic()
        self._waited = 0.0

    def run(self) -> None:
        """Track all directions in turn."""
        plans: list[tuple[Step, list[tuple[int, Mapping[int, Segment]]]]] = []
        for step in self._order.steps:
            plans.append((step, self._plan(step)))
            self._total += len(plans[-1][1])
        try:
            for step, frames in plans:
                self._direction(step, frames)
                self._tell(now=True)
        finally:
            self._tell(now=True)

    def _plan(self, step: Step) -> list[tuple[int, Mapping[int, Segment]]]:
        parts: list[Segment] = []
        with self._project.lock:
            for target in self._project.shown():
                if self._order.targets is None or target.id in self._order.targets:
                    known = self._project.known(target.id, self._order.model)
                    limits = self._order.limits(step)
                    parts += segments(target, known, step, self._order.frame, limits)
        return by_frame(parts, step)

    def _direction(self, step: Step, frames: list[tuple[int, Mapping[int, Segment]]]) -> None:
        tracker = SiamTracker(self._model, redetect=self._order.redetect)
        self._active.clear()
        for index, parts in frames:
            clock = time.monotonic()
            self._go.wait()
            self._waited += time.monotonic() - clock
            if self._stop.is_set():
                return
            wanted = {
                number: part for number, part in parts.items() if self._project.wants(part, index)
            }
            for number in tracker.ids:
                if number not in wanted or self._active[number][0] is not wanted[number]:
                    tracker.remove(number)
            priors = self._begin(tracker, wanted, index)
            if tracker.ids:
                image = self._image(index, step < 0)
                for track in tracker.update_all(image, priors):
                    left, top, width, height = (round(float(value), 3) for value in track.box)
                    state = STATES.index(track.state.value)
                    row = (left, top, width, height, round(track.score, 4), state)
                    self._found.setdefault(track.id, []).append(row)
                    self._news.setdefault(track.id, []).append([index, *row])
            self._done += 1
            self._tell(index=index)

    def _begin(
        self, tracker: SiamTracker, wanted: Mapping[int, Segment], index: int
    ) -> dict[int, tuple[float, float, float, float]]:
        """Start targets whose segments begin; return where to look for those in mid-course."""
        priors = {}
        for number, part in wanted.items():
            if number in tracker.ids:
                continue
            assert part.key.box is not None
            shown = self._image(part.key.frame, part.step < 0)
            tracker.add(shown, part.key.box, number)
            if index != part.key.frame + part.step:
                priors[number] = part.prior
            self._save()  # rows so far belong to the run before
            part = replace(part, first=index)
            self._active[number] = (wanted[number], self._project.start_run(part, self._model_name))
        return priors

    @property
    def _model_name(self) -> str:
        return self._order.model

    def _image(self, index: int, backwards: bool) -> Image:
        if self._last is None or self._last[0] != index:
            self._last = (index, self._read(index, backwards))
            self._clip.supply(index, self._last[1])
        return self._last[1]

    def _save(self) -> None:
        for number, rows in self._found.items():
            self._project.add_rows(self._active[number][1], rows)
        self._found.clear()

    def _tell(self, index: int | None = None, *, now: bool = False) -> None:
        clock = time.monotonic()
        if not now and clock - self._told < NEWS_EVERY:
            return
        self._told = clock
        self._save()
        if self._news:
            rows = [[number, rows] for number, rows in self._news.items()]
            self._jobs._publish({"type": "rows", "model": self._model_name, "rows": rows})
            self._news = {}
        status = self._jobs._status
        seconds = max(1e-6, clock - self._begun - self._waited)
        self._jobs._set(
            state=status["state"], model=self._model_name, done=self._done, total=self._total,
            frame=status["frame"] if index is None else index, fps=round(self._done / seconds, 1),
        )  # fmt: skip
