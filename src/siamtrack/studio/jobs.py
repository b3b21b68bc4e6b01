"""Tracking in a thread of its own: start, pause, resume, stop."""

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
from siamtrack.studio.clip import SeekableClip
from siamtrack.studio.doubts import check_name, check_segments
from siamtrack.studio.project import Project
from siamtrack.studio.security import public_message
from siamtrack.studio.timeline import STATES, Box, Row, Run, Segment, Step, by_frame, segments
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
        check: Whether to track what is known once more, backwards, to see where it disagrees.
    """

    steps: tuple[Step, ...]
    frame: int
    model: str
    targets: tuple[int, ...] | None = None
    bounds: Mapping[Step, tuple[int, int]] | None = None
    redetect: bool = True
    check: bool = False

    @property
    def keeper(self) -> str:
        """The name under which what is found is kept: the model's, or that of its checks."""
        return check_name(self.model) if self.check else self.model

    def limits(self, step: Step) -> tuple[int, int] | None:
        """Return the first and last frame to touch in a direction; None: all."""
        return (self.bounds or {}).get(step)


class Control:
    """The switch between a job and whoever pauses or stops it."""

    def __init__(self) -> None:
        self._stop, self._go = threading.Event(), threading.Event()
        self._go.set()

    @property
    def paused(self) -> bool:
        """Whether the job waits before its next frame."""
        return not self._go.is_set()

    def pause(self) -> None:
        """Let the job wait before its next frame."""
        self._go.clear()

    def resume(self) -> None:
        """Let the job continue."""
        self._go.set()

    def stop(self) -> None:
        """Let the job end before its next frame."""
        self._stop.set()
        self._go.set()

    def proceed(self) -> bool:
        """Wait while the job is paused; return whether its next frame is wanted."""
        self._go.wait()
        return not self._stop.is_set()


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
        clip: SeekableClip,
        models: Callable[[str], Model],
        publish: Callable[[dict[str, Any]], None],
    ) -> None:
        self._project, self._clip, self._models = project, clip, models
        self._publish = publish
        self._lock, self._status_lock = threading.Lock(), threading.Lock()
        self._thread: threading.Thread | None = None
        self._control = Control()
        self._order: Order | None = None
        self._status: dict[str, Any] = {"type": "job", "state": "idle"}

    @property
    def status(self) -> dict[str, Any]:
        """State (idle, running, paused, failed), frame, frames done and to do, frames per second.

        While it is running or paused it names the model as well.
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
            self._control, self._order = Control(), order
            self._status = {"type": "job"}
            self._set(
                state="running",
                model=order.model,
                check=order.check,
                frame=order.frame,
                done=0,
                total=0,
                fps=0,
            )
            self._thread = threading.Thread(
                target=self._run, args=(order, self._control), name="siamtrack-job", daemon=True
            )
            self._thread.start()

    def pause(self) -> None:
        """Wait before the next frame."""
        with self._lock:
            if self.running:
                self._control.pause()
                self._set(state="paused")

    def resume(self) -> None:
        """Continue after a pause."""
        with self._lock:
            if self.running and self._control.paused:
                self._set(state="running")
                self._control.resume()

    def stop(self) -> None:
        """End the job; what was found stays."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._thread is not None and self._thread.is_alive():
            self._control.stop()
            self._thread.join(60)

    def _set(self, **changes: Any) -> None:
        with self._status_lock:
            self._status = {**self._status, **changes}
            self._publish(self.status)

    def _report(self, rows: list[list[Any]], **status: Any) -> None:
        if rows and not self._status["check"]:
            self._publish({"type": "rows", "model": self._status["model"], "rows": rows})
        self._set(**status)

    def _run(self, order: Order, control: Control) -> None:
        try:
            self._clip.wait(INDEX_TIMEOUT)
            self._project.total = self._clip.total
            model = self._models(order.model)
            Pass(self._project, self._clip, model, order, control, self._report).run()
            self._set(state="idle")
        except Exception as error:
            if not isinstance(error, (SiamtrackError, ValueError, OSError)):
                log(error)
                logger.warning("tracking failed: %s", sentence(error))
            self._set(state="failed", error=public_message(error))


class Pass:
    """One job from its plan to its end; runs in the job's thread.

    Args:
        project: Where keys come from and rows go.
        clip: Its frames.
        model: What to track with.
        order: What to track.
        control: Asked before each frame.
        report: Called with found rows, as pages get them, and by keyword with the progress.
    """

    def __init__(
        self,
        project: Project,
        clip: SeekableClip,
        model: Model,
        order: Order,
        control: Control,
        report: Callable[..., None],
    ) -> None:
        self._project, self._clip, self._model = project, clip, model
        self._order, self._control, self._report = order, control, report
        self._read = clip.reader()
        self._last: tuple[int, Image] | None = None
        self._active: dict[int, tuple[Segment, Run]] = {}
        self._found: dict[int, list[tuple[int, Row]]] = {}
        self._frame, self._done, self._total = order.frame, 0, 0
        self._reported = self._begun = time.monotonic()
        self._waited = 0.0

    def run(self) -> None:
        """Track all directions in turn."""
        plans = [(step, self._plan(step)) for step in self._order.steps]
        self._total = sum(len(frames) for _, frames in plans)
        for step, frames in plans:
            try:
                self._direction(step, frames)
            finally:
                self._tell()

    def _plan(self, step: Step) -> list[tuple[int, Mapping[int, Segment]]]:
        parts: list[Segment] = []
        order = self._order
        with self._project.lock:
            for target in self._project.shown():
                if order.targets is None or target.id in order.targets:
                    known = self._project.known(target.id, order.model)
                    if order.check:
                        parts += check_segments(target, known)
                    else:
                        parts += segments(target, known, step, order.frame, order.limits(step))
        return by_frame(parts, step)

    def _direction(self, step: Step, frames: list[tuple[int, Mapping[int, Segment]]]) -> None:
        tracker = SiamTracker(self._model, redetect=self._order.redetect)
        self._active.clear()
        for index, parts in frames:
            clock = time.monotonic()
            going = self._control.proceed()
            self._waited += time.monotonic() - clock
            if not going:
                return

            # Drop the targets whose segment has ended, or was overtaken by an edit
            wanted = {
                number: part for number, part in parts.items() if self._project.wants(part, index)
            }
            for number in tracker.ids:
                if number not in wanted or self._active[number][0] is not wanted[number]:
                    tracker.remove(number)

            # Start those whose segment begins, and track all of them in this frame
            priors = self._begin(tracker, wanted, index)
            if tracker.ids:
                image = self._image(index, step < 0)
                for track in tracker.update_all(image, priors):
                    left, top, width, height = (round(float(value), 3) for value in track.box)
                    state = STATES.index(track.state.value)
                    row = (left, top, width, height, round(track.score, 4), state)
                    self._found.setdefault(track.id, []).append((index, row))
            self._frame, self._done = index, self._done + 1
            if time.monotonic() - self._reported >= NEWS_EVERY:
                self._tell()

    def _begin(
        self, tracker: SiamTracker, wanted: Mapping[int, Segment], index: int
    ) -> dict[int, Box]:
        """Start targets whose segments begin; return where to look for those in mid-course."""
        priors = {}
        for number, part in wanted.items():
            if number in tracker.ids:
                continue
            assert part.key.box is not None
            seen, box = part.seed or (part.key.frame, part.key.box)
            tracker.add(self._image(seen, part.step < 0), box, number)
            if index != seen + part.step:
                priors[number] = part.prior
            if self._found:
                self._tell()  # rows so far belong to the run before
            run = self._project.start_run(replace(part, first=index), self._order.keeper)
            self._active[number] = (part, run)
        return priors

    def _image(self, index: int, backwards: bool) -> Image:
        if self._last is None or self._last[0] != index:
            self._last = (index, self._read(index, backwards))
            self._clip.supply(index, self._last[1])
        return self._last[1]

    def _tell(self) -> None:
        """Save what was found since the last time, and show it."""
        self._reported = time.monotonic()
        found, self._found = self._found, {}
        for number, rows in found.items():
            self._project.add_rows(self._active[number][1], [row for _, row in rows])
        self._report(
            [[number, [[index, *row] for index, row in rows]] for number, rows in found.items()],
            done=self._done,
            total=self._total,
            frame=self._frame,
            fps=round(self._done / max(1e-6, self._reported - self._begun - self._waited), 1),
        )
