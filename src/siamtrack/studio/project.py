"""A project: what people and the tracker may do to it. Each change is an event, see `events`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from siamtrack.sinks.draw import color
from siamtrack.studio.events import Event, State, make_event, run_event
from siamtrack.studio.timeline import Box, DrawnTarget, Row, Run, Segment, Table, table

NAME_LENGTH, MOST_TARGETS = 80, 200


class Project(State):
    """What a person and the tracker said about one clip.

    All methods may be called from any thread.

    Args:
        total: Number of frames of the clip.
        size: Width and height of its frames.
        record: Called with every event, before it takes effect; the journal.
    """

    def __init__(
        self,
        total: int,
        size: tuple[int, int],
        record: Callable[[Event], None] = lambda event: None,
    ) -> None:
        super().__init__()
        self.total, self.size = total, size
        self._record = record

    # what is there

    def shown(self) -> list[DrawnTarget]:
        """Return the targets that were not removed."""
        return [target for target in self.targets.values() if not target.gone]

    def target(self, number: int) -> DrawnTarget:
        """Return a target.

        Raises:
            ValueError: If there is none with this number, or it was removed.
        """
        target = self.targets.get(number)
        if target is None or target.gone:
            raise ValueError(f"no target {number}: it was removed, or never there")
        return target

    def known(self, number: int, model: str) -> Table:
        """Return what is known of a target by one model; do not change it."""
        with self.lock:
            found = self._tables.get((number, model))
            if found is None or len(found.owner) != self.total:
                runs = [
                    run for run in self.runs.values() if run.target == number and run.model == model
                ]
                found = table(self.targets[number], runs, self.total)
                self._tables[number, model] = found
            return found

    # what people do: each is one step of undo

    def draw(self, frame: int, box: Box, name: str | None = None) -> int:
        """Add a target with its first key and return its number.

        Raises:
            ValueError: If the frame or the box is none of the clip, or there are too many targets.
        """
        with self.lock:
            if len(self.shown()) >= MOST_TARGETS:
                raise ValueError(f"{MOST_TARGETS} targets are enough: remove one first")
            number = max(self.targets, default=-1) + 1
            red, green, blue = color(number)
            clean, paint = _name(name or f"Target {number + 1}"), f"#{red:02x}{green:02x}{blue:02x}"
            add = make_event("target", target=number, name=clean, colour=paint)
            self._edit(add, self._key(number, frame, self._box(box)))
            return number

    def set_key(self, number: int, frame: int, box: Box | None) -> None:
        """Say where a target is in a frame; None: it is absent from there on.

        Raises:
            ValueError: If target, frame or box are none of the clip.
        """
        with self.lock:
            self.target(number)
            value = None if box is None else self._box(box)
            self._edit(self._key(number, frame, value))

    def remove_key(self, number: int, frame: int) -> None:
        """Take back what was said about a target in a frame.

        Raises:
            ValueError: If nothing was said there, or it is the only thing said of the target.
        """
        with self.lock:
            keys = self.target(number).keys
            if frame not in keys:
                raise ValueError(f"target {number} has no key at frame {frame}")
            if len(keys) == 1:
                raise ValueError("the only key of a target: remove the target instead")
            self._edit(make_event("unkey", target=number, frame=frame))

    def rename(self, number: int, name: str | None = None, colour: str | None = None) -> None:
        """Give a target another name, colour or both.

        Raises:
            ValueError: If there is no such target, or the colour is not written #rrggbb.
        """
        with self.lock:
            target = self.target(number)
            if colour is not None and not re.fullmatch(r"#[0-9a-f]{6}", colour.lower()):
                raise ValueError(f"colour {colour!r}: expected #rrggbb")
            new, paint = target.name if name is None else _name(name), colour or target.colour
            self._edit(make_event("rename", target=number, name=new, colour=paint.lower()))

    def remove(self, number: int) -> None:
        """Remove a target.

        Raises:
            ValueError: If there is no such target.
        """
        with self.lock:
            self.target(number)
            self._edit(make_event("gone", target=number, gone=True))

    def undo(self) -> bool:
        """Take back the last step; return whether there was one."""
        return self._turn("undo")

    def redo(self) -> bool:
        """Do the last undone step again; return whether there was one."""
        return self._turn("redo")

    # what the tracker does

    def start_run(self, part: Segment, model: str) -> Run:
        """Open a run for what will be found in a segment."""
        with self.lock:
            number = self._next_run
            key = part.key
            run = Run(number, part.target, model, key.frame, key.stamp, part.first, part.step)
            self._do(run_event(run))
            return self.runs[number]

    def add_rows(self, run: Run, rows: list[Row]) -> None:
        """Add what was found in the next frames of a run; nothing if it was forgotten."""
        with self.lock:
            if rows and run.number in self.runs:
                self._do(make_event("rows", run=run.number, rows=rows))

    def wants(self, part: Segment, frame: int) -> bool:
        """Whether what is found in this frame would still count: no edit has overtaken it."""
        with self.lock:
            target = self.targets[part.target]
            if target.gone or target.keys.get(part.key.frame) != part.key:
                return False
            wall = target.next_key(part.key.frame, part.step)
            return wall is None or (wall - frame) * part.step > 0

    def _do(self, event: Event) -> None:
        self._record(event)
        self.apply(event)

    def _edit(self, *events: Event) -> None:
        self._do(make_event("edit", events=list(events)))

    def _turn(self, which: str) -> bool:
        with self.lock:
            if not (self._done if which == "undo" else self._undone):
                return False
            self._do(make_event(which))
            return True

    def _key(self, number: int, frame: int, box: list[float] | None) -> Event:
        if not 0 <= frame < self.total:
            raise ValueError(f"frame {frame}: the clip has frames 0 to {self.total - 1}")
        return make_event("key", target=number, frame=frame, box=box, stamp=self._stamp + 1)

    def _box(self, box: Box) -> list[float]:
        """Check a box and keep it inside the frame."""
        if len(box) != 4 or not all(math.isfinite(value) for value in box):
            raise ValueError(f"box {box}: expected four numbers left, top, width, height")
        left, top, width, height = (float(value) for value in box)
        right, bottom = min(left + width, self.size[0]), min(top + height, self.size[1])
        left, top = max(left, 0.0), max(top, 0.0)
        if right - left < 2 or bottom - top < 2:
            raise ValueError(
                f"box {box}: at least 2x2 pixels of it must lie in the frame of "
                f"{self.size[0]}x{self.size[1]}"
            )
        return [round(value, 3) for value in (left, top, right - left, bottom - top)]


def _name(text: str) -> str:
    clean = " ".join("".join(c for c in text if c.isprintable()).split())[:NAME_LENGTH]
    if not clean:
        raise ValueError("a target needs a name")
    return clean
