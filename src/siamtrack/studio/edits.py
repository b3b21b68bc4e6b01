"""What pages send, checked and turned into calls: edits of a project, and orders to track."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from siamtrack.core.config import shown
from siamtrack.studio.jobs import Order
from siamtrack.studio.models import Models
from siamtrack.studio.plan import Step
from siamtrack.studio.project import Project
from siamtrack.studio.scene import Box

Change = Callable[[Project], Any]
DIRECTIONS: dict[str, tuple[Step, ...]] = {"forward": (1,), "backward": (-1,), "both": (1, -1)}


def change_of(values: Mapping[str, Any]) -> Change:
    """Return the change that a page asks for.

    Raises:
        ValueError: If it is none, or something of it is missing or of another type.

    Example:
        >>> project = Project(10, (64, 48))
        >>> change_of({"do": "draw", "frame": 3, "box": [1, 2, 30, 20]})(project)
        0
        >>> project.targets[0].keys[3].box
        (1.0, 2.0, 30.0, 20.0)
    """
    kind = values.get("do")
    if kind == "undo":
        return lambda project: project.undo()
    if kind == "redo":
        return lambda project: project.redo()
    if kind == "draw":
        frame, box = _whole(values, "frame"), _box(values)
        name = _text(values, "name") or ""
        return lambda project: project.draw(frame, box, name)
    number = _whole(values, "target")
    if kind == "remove":
        return lambda project: project.remove(number)
    if kind == "rename":
        new, colour = _text(values, "name"), _text(values, "colour")
        return lambda project: project.rename(number, new, colour)
    frame = _whole(values, "frame")
    if kind == "key":
        box = _box(values)
        return lambda project: project.set_key(number, frame, box)
    if kind == "absent":
        return lambda project: project.set_key(number, frame, None)
    if kind == "unkey":
        return lambda project: project.remove_key(number, frame)
    raise ValueError(f"do {shown(kind)}: no edit is called so")


def order_of(values: Mapping[str, Any], models: Models) -> Order:
    """Return the order that a page gives.

    Raises:
        ValueError: If something of it is missing or of another type.
    """
    direction, model = values.get("direction", "forward"), values.get("model", models.names[0])
    if not isinstance(direction, str) or direction not in DIRECTIONS:
        raise ValueError(f"direction {shown(direction)}: expected {', '.join(DIRECTIONS)}")
    if model not in models.names:
        raise ValueError(f"no model {shown(model)} here: choose one of {', '.join(models.names)}")
    frame, targets = _whole(values, "frame"), values.get("targets")
    if targets is not None and not (
        isinstance(targets, list) and all(type(n) is int and 0 <= n < 1 << 31 for n in targets)
    ):
        raise ValueError("targets: expected a list of numbers, or null for all")
    bounds, count = None, values.get("count")
    if count is not None:
        many = _whole(values, "count")
        bounds = {1: (frame + 1, frame + many), -1: (frame - many, frame - 1)}
    return Order(
        DIRECTIONS[direction], frame, model, None if targets is None else tuple(targets),
        bounds, redetect=values.get("redetect", True) is True,  # type: ignore[arg-type]
    )  # fmt: skip


def _whole(values: Mapping[str, Any], name: str) -> int:
    value = values.get(name)
    if type(value) is not int or not 0 <= value < 1 << 31:
        raise ValueError(f"{name} {shown(value)}: expected a whole number from 0")
    return value


def _text(values: Mapping[str, Any], name: str) -> str | None:
    value = values.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name} {shown(value)}: expected text")
    return value


def _box(values: Mapping[str, Any]) -> Box:
    value = values.get("box")
    if (
        not isinstance(value, list)
        or len(value) != 4
        or not all(
            type(each) in (int, float) and abs(each) < 1e6
            for each in value  # NaN is not
        )
    ):
        raise ValueError(f"box {shown(value)}: expected left, top, width, height")
    left, top, width, height = (float(each) for each in value)
    return left, top, width, height
