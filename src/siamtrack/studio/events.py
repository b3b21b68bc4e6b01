"""The state of a project as a sequence of events that can be played again, and its short form.

Every change is an event, a small dictionary. Applying all events in order gives the project, so the
journal on disk is the project, and a server that was killed continues where it was. `compact` gives
a shorter sequence that leads to the same project: without the detours, and without the tracks
that neither count nor can come back by undo or redo.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any

from siamtrack.studio.timeline import DrawnTarget, Key, Run, Table

Event = dict[str, Any]
Turn = tuple[list[Event], list[Event]]
"""A step of undo: its events, and those that take it back."""
MOST_STEPS = 200
"""Steps that can be taken back; older ones stay done."""
EDITS = frozenset({"target", "gone", "rename", "class", "key", "unkey"})
"""Parts of an edit that are about one target; `classes` is about all."""
RUN = ("run", "target", "model", "origin", "stamp", "first", "step")


def make_event(do: str, **values: Any) -> Event:
    """Return an event.

    Example:
        >>> make_event("gone", target=3, gone=True)
        {'do': 'gone', 'target': 3, 'gone': True}
    """
    return {"do": do, **values}


def run_event(run: Run) -> Event:
    """Return the event that opens a run."""
    return make_event("run", run=run.number, **{name: getattr(run, name) for name in RUN[1:]})


class State:
    """Targets, keys, runs, undo and redo. All methods may be called from any thread.

    Attributes:
        targets: Number to target, removed ones as well.
        classes: Class that targets may belong to, in order, to its color as #rrggbb.
        runs: Number to run.
        revision: Counts the edits.
        lock: Held while anything changes.
    """

    def __init__(self) -> None:
        self.targets: dict[int, DrawnTarget] = {}
        self.classes: dict[str, str] = {}
        self.runs: dict[int, Run] = {}
        self.revision = 0
        self.lock = threading.RLock()
        self._stamp = 0
        self._next_run = 0
        self._done: list[Turn] = []
        self._undone: list[Turn] = []
        self._tables: dict[tuple[int, str], Table] = {}

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to do again."""
        return bool(self._undone)

    def apply(self, event: Event) -> None:
        """Let an event take effect, without recording it.

        Raises:
            LookupError: If it names what is not there, or is no event.
        """
        with self.lock:
            kind = event["do"]
            if kind == "rows":
                run = self.runs[event["run"]]
                run.append(event["rows"])
                self._tables.pop((run.target, run.model), None)
            elif kind == "run":
                self._add_run(event)
            elif kind == "state":
                self._restore(event)
            else:
                self.revision += 1
                self._turn_to(kind, event)

    def compact(self) -> Iterator[Event]:
        """Yield events that give this project from nothing; hold the lock meanwhile."""
        targets = [
            {
                "target": target.id,
                "name": target.name,
                "color": target.color,
                "class": target.label,
                "gone": target.gone,
                "keys": [_key_event(target.id, *place) for place in target.keys.items()],
            }
            for target in self.targets.values()
        ]
        counts = {"revision": self.revision, "stamp": self._stamp, "runs": self._next_run}
        turns = {"done": self._done, "undone": self._undone}
        classes = _pairs(self.classes)
        yield make_event("state", **counts, **turns, classes=classes, targets=targets)
        for run in _needed(self.runs.values(), self._stamps()):
            yield run_event(run)
            if run.length:
                yield make_event("rows", run=run.number, rows=[_row(row) for row in run.rows])

    def forget(self, kept: Iterable[int]) -> None:
        """Drop all runs but those with the numbers in `kept`; no other may count any more."""
        with self.lock:
            wanted = set(kept)
            self.runs = {number: run for number, run in self.runs.items() if number in wanted}
            self._tables.clear()

    def _stamps(self) -> set[int]:
        """Return the stamps of all keys that are there or can come back."""
        steps = [
            event for turn in (*self._done, *self._undone) for events in turn for event in events
        ]
        named = {event["target"] for event in steps if event["do"] != "classes"}
        stamps = {event["stamp"] for event in steps if event["do"] == "key"}
        for target in self.targets.values():
            if not target.gone or target.id in named:
                stamps.update(key.stamp for key in target.keys.values())
        return stamps

    def _restore(self, event: Event) -> None:
        if self.targets or self.runs:
            raise LookupError("a state after other events")
        for each in event["targets"]:
            target = DrawnTarget(each["target"], each["name"], each["color"], gone=each["gone"])
            target.label = each.get("class", "")
            for key in each["keys"]:
                target.keys[key["frame"]] = _key_of(key)
            self.targets[target.id] = target
        self.classes = dict(event.get("classes", []))
        self.revision, self._stamp = int(event["revision"]), int(event["stamp"])
        self._next_run = int(event["runs"])
        self._done = [self._checked(turn) for turn in event["done"]]
        self._undone = [self._checked(turn) for turn in event["undone"]]

    def _checked(self, turn: Turn) -> Turn:
        events, inverse = turn
        for each in (*events, *inverse):
            if each["do"] == "classes":
                continue
            if each["do"] not in EDITS or each["target"] not in self.targets:
                raise LookupError(f"a step of undo that cannot be taken: {each['do']!r}")
        return events, inverse

    def _add_run(self, event: Event) -> None:
        number = event["run"]
        if number in self.runs:
            raise LookupError(f"run {number} twice")
        self.runs[number] = Run(*(event[name] for name in RUN))
        self._next_run = max(self._next_run, number + 1)

    def _turn_to(self, kind: str, event: Event) -> None:
        if kind == "edit":
            inverse = [self._apply_one(each) for each in event["events"]]
            self._done.append((event["events"], inverse[::-1]))
            del self._done[:-MOST_STEPS]
            self._undone.clear()
        elif kind in ("undo", "redo"):
            undo = kind == "undo"
            taken, kept = (self._done, self._undone) if undo else (self._undone, self._done)
            events, inverse = taken.pop()
            kept.append((events, inverse))
            for each in inverse if undo else events:
                self._apply_one(each)
        else:
            raise LookupError(f"unknown event {kind!r}")

    def _apply_one(self, event: Event) -> Event:
        """Apply a part of an edit and return its inverse."""
        kind = event["do"]
        if kind == "classes":
            old = make_event("classes", classes=_pairs(self.classes))
            self.classes = dict(event["classes"])
            return old
        number = event["target"]
        for place in [place for place in self._tables if place[0] == number]:
            del self._tables[place]
        if kind == "target":
            if number in self.targets:  # redone
                self.targets[number].gone = False
            else:
                self.targets[number] = DrawnTarget(number, event["name"], event["color"])
            return make_event("gone", target=number, gone=True)
        target = self.targets[number]
        if kind == "gone":
            old = make_event("gone", target=number, gone=target.gone)
            target.gone = event["gone"]
        elif kind == "rename":
            old = make_event("rename", target=number, name=target.name, color=target.color)
            target.name, target.color = event["name"], event["color"]
        elif kind == "class":
            old = make_event("class", target=number, **{"class": target.label})
            target.label = event["class"]
        elif kind in ("key", "unkey"):
            old = _key_event(number, event["frame"], target.keys.get(event["frame"]))
            if kind == "unkey":
                target.keys.pop(event["frame"], None)
            else:
                key = _key_of(event)
                target.keys[key.frame] = key
                self._stamp = max(self._stamp, key.stamp)
        else:
            raise LookupError(f"unknown edit {kind!r}")
        return old


def _needed(runs: Iterable[Run], stamps: set[int]) -> list[Run]:
    """Return the runs that count or may count again, in the order of their numbers.

    A run is not needed if its key is gone for good, or if a later run from the same key in the same
    direction covers it: both hold or fall together.
    """
    found: list[Run] = []
    later: dict[tuple[int, str, int, int, int], list[tuple[int, int]]] = {}
    for run in sorted(runs, key=lambda run: -run.number):
        covers = later.setdefault((run.target, run.model, run.origin, run.stamp, run.step), [])
        first, last = sorted((run.first, run.first + run.step * (run.length - 1)))
        covered = any(low <= first and last <= high for low, high in covers)
        if run.stamp in stamps and not (run.length and covered):  # an empty one may be under way
            found.append(run)
            covers += [(first, last)] if run.length else []
    return found[::-1]


def _pairs(classes: dict[str, str]) -> list[list[str]]:
    return [[name, color] for name, color in classes.items()]


def _row(row: Any) -> list[float]:
    *values, state = row.tolist()
    return [*values, int(state)]


def _key_of(event: Event) -> Key:
    box = None if event["box"] is None else tuple(event["box"])
    return Key(event["frame"], box, event["stamp"])


def _key_event(number: int, frame: int, key: Key | None) -> Event:
    if key is None:
        return make_event("unkey", target=number, frame=frame)
    box = None if key.box is None else list(key.box)
    return make_event("key", target=number, frame=frame, box=box, stamp=key.stamp)
