"""A project: what people and the tracker may do to it. Each change is an event, see `events`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from siamtrack.studio.events import Event, State, make_event, run_event
from siamtrack.studio.timeline import Box, DrawnTarget, Row, Run, Segment, Table, table

NAME_LENGTH, MOST_TARGETS, MOST_CLASSES = 80, 200, 200
PALETTE: tuple[str, ...] = ("#2fc274", "#ff8a3d", "#8a7bff", "#f5c431", "#2bb5e8")
PALETTE += ("#ff5d8f", "#a3d13c", "#d28bff", "#ff7059", "#3fd0c4")
"""Colors of targets and classes: bright enough for dark pictures, apart for neighbors."""


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
        """Return a target's state in each frame by one model; do not change it."""
        with self.lock:
            found = self._tables.get((number, model))
            if found is None or len(found.owner) != self.total:
                runs = [
                    run for run in self.runs.values() if run.target == number and run.model == model
                ]
                found = table(self.targets[number], runs, self.total)
                self._tables[number, model] = found
            return found

    def tables(self, model: str) -> dict[int, Table]:
        """Return number to state of the targets that were not removed, as `known`."""
        with self.lock:
            return {target.id: self.known(target.id, model) for target in self.shown()}

    # what people do: each is one step of undo

    def draw(self, frame: int, box: Box, name: str | None = None, label: str | None = None) -> int:
        """Add a target with its first key and return its number; `label` is its class.

        Raises:
            ValueError: If the frame or the box is none of the clip, or there are too many targets.
        """
        with self.lock:
            if len(self.shown()) >= MOST_TARGETS:
                raise ValueError(f"{MOST_TARGETS} targets are enough: remove one first")
            number = max(self.targets, default=-1) + 1
            clean = clean_name(name or f"Target {number + 1}")
            paint = PALETTE[number % len(PALETTE)]
            add = make_event("target", target=number, name=clean, color=paint)
            key = self._key(number, frame, self._box(box))
            self._edit(add, key, *(self._labelled(number, label) if label else ()))
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

    def rename(self, number: int, name: str | None = None, color: str | None = None) -> None:
        """Give a target another name, color or both.

        Raises:
            ValueError: If there is no such target, or the color is not written #rrggbb.
        """
        with self.lock:
            target = self.target(number)
            new = target.name if name is None else clean_name(name)
            paint = target.color if color is None else _color(color)
            self._edit(make_event("rename", target=number, name=new, color=paint))

    def remove(self, number: int) -> None:
        """Remove a target.

        Raises:
            ValueError: If there is no such target.
        """
        with self.lock:
            self.target(number)
            self._edit(make_event("gone", target=number, gone=True))

    def classify(self, number: int, label: str | None) -> None:
        """Say which class a target belongs to, a new one if need be; None or empty: none.

        Raises:
            ValueError: If there is no such target, or there are too many classes.
        """
        with self.lock:
            self.target(number)
            self._edit(*self._labelled(number, label or ""))

    def set_class(self, old: str | None, name: str | None, color: str | None = None) -> None:
        """Rename a class or give it another color; without `old` add one. Targets follow the name.

        Raises:
            ValueError: If there is no class `old`, there is one called `name` already, there are
                too many, or the color is not written #rrggbb.
        """
        with self.lock:
            new = clean_name(name if name is not None else old or "")
            paint = None if color is None else _color(color)
            if new != old and new in self.classes:
                raise ValueError(f"there is a class {new!r} already: choose another name")
            if old is None:
                self._edit(self._with_class(new, paint))
                return
            kept = self._class(old)
            after = {new if each == old else each: now for each, now in self.classes.items()}
            pairs = [*{**after, new: paint or kept}.items()]
            self._edit(make_event("classes", classes=[*map(list, pairs)]), *self._moved(old, new))

    def remove_class(self, name: str) -> None:
        """Remove a class; its targets belong to none then.

        Raises:
            ValueError: If there is no such class.
        """
        with self.lock:
            self._class(name or "")
            pairs = [[each, now] for each, now in self.classes.items() if each != name]
            self._edit(make_event("classes", classes=pairs), *self._moved(name, ""))

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

    def _class(self, name: str) -> str:
        """Return the color of a class."""
        if name not in self.classes:
            raise ValueError(f"no class {name!r}: it was renamed or removed")
        return self.classes[name]

    def _moved(self, old: str, new: str) -> list[Event]:
        """Return the events that move the targets of a class to another."""
        those = [target.id for target in self.targets.values() if target.label == old != new]
        return [make_event("class", target=number, **{"class": new}) for number in those]

    def _labelled(self, number: int, label: str) -> list[Event]:
        """Return the events that put a target into a class, which is added if it is new."""
        clean = clean_name(label) if label else ""
        event = make_event("class", target=number, **{"class": clean})
        new = clean and clean not in self.classes
        return [self._with_class(clean), event] if new else [event]

    def _with_class(self, name: str, paint: str | None = None) -> Event:
        """Return the event that adds a class to the list."""
        if len(self.classes) >= MOST_CLASSES:
            raise ValueError(f"{MOST_CLASSES} classes are enough: remove one first")
        taken = set(self.classes.values())
        free = [each for each in PALETTE if each not in taken] or PALETTE
        color = paint or free[0]
        pairs = [[name, color] for name, color in {**self.classes, name: color}.items()]
        return make_event("classes", classes=pairs)

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


def _color(text: str) -> str:
    if not re.fullmatch(r"#[0-9a-f]{6}", text.lower()):
        raise ValueError(f"color {text!r}: expected #rrggbb")
    return text.lower()


def clean_name(text: str) -> str:
    """Return a name as it is kept: one line of what can be shown.

    Raises:
        ValueError: If nothing is left.
    """
    clean = " ".join("".join(c for c in text if c.isprintable()).split())[:NAME_LENGTH]
    if not clean:
        raise ValueError("a name needs at least one letter that can be shown")
    return clean
