"""Which settings are tuned, and between what."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from siamtrack.core.settings import TrackerSettings
from siamtrack.errors import UnknownNameError


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`; `log` searches their logarithm.

    Raises:
        ValueError: If the ends are in the wrong order, or not above 0 with `log`.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(
                f"range from {self.low} to {self.high}: expected the lower end first"
                + (", above 0 with 'log'" if self.log else "")
            )


Space = dict[str, Range]

SPACES: dict[str, Space] = {
    "box": {
        "window": Range(0.0, 0.6),
        "penalty": Range(0.0, 0.6),
        "size_rate": Range(0.05, 0.9),
        "size_floor": Range(0.0, 0.7),
        "online.weight": Range(0.0, 0.6),
        "online.rate": Range(0.002, 0.1, log=True),
        "online.ridge": Range(0.01, 1.0, log=True),
    },
    "response": {
        "window": Range(0.0, 0.6),
        "penalty": Range(0.9, 1.0),
        "size_rate": Range(0.1, 0.9),
        "scale_step": Range(1.01, 1.08),
    },
}
"""Kind of a model to what is tuned if nothing else is asked for."""


def default_space(kind: str) -> Space:
    """Return what is tuned of a model of a kind (`Card.kind`).

    Raises:
        UnknownNameError: If there is no such kind.
    """
    if kind not in SPACES:
        raise UnknownNameError("kind of model", kind, SPACES)
    return SPACES[kind]


def read_space(values: Mapping[str, Any]) -> Space:
    """Return a space from plain data: setting to `[low, high]` or `[low, high, "log"]`.

    Raises:
        UnknownNameError: If there is no such setting.
        ValueError: If a range is none, the tracker refuses one of its ends, or nothing is there.

    Example:
        >>> read_space({"window": [0, 0.5], "online.rate": [0.001, 0.1, "log"]})["window"]
        Range(low=0.0, high=0.5, log=False)
    """
    if not values:
        raise ValueError("an empty space: give at least one setting and its range")
    space: Space = {}
    for name, given in values.items():
        numbers = list(given) if isinstance(given, (list, tuple)) else []
        log = len(numbers) == 3 and numbers[2] == "log"
        if len(numbers) - log != 2 or not all(isinstance(x, (int, float)) for x in numbers[:2]):
            raise ValueError(f"{name}: expected [low, high] or [low, high, 'log'], got {given!r}")
        space[name] = Range(float(numbers[0]), float(numbers[1]), log)
        for end in (space[name].low, space[name].high):
            changed(TrackerSettings(), {name: end})
    return space


def value_of(settings: Any, name: str) -> float:
    """Return one of the settings; a dot leads into a group.

    Raises:
        UnknownNameError: If there is no such setting.
        ValueError: If it is no number with decimals.
    """
    first, _, rest = name.partition(".")
    fields = [field.name for field in dataclasses.fields(settings)]
    if first not in fields:
        raise UnknownNameError("tracker setting", first, fields)
    value = getattr(settings, first)
    if rest and dataclasses.is_dataclass(value):
        return value_of(value, rest)
    if rest or not isinstance(value, float):
        raise ValueError(f"setting {name} is {value!r}: only numbers with decimals are tuned")
    return value


def changed(settings: TrackerSettings, point: Mapping[str, float]) -> TrackerSettings:
    """Return settings with some values replaced; a dot leads into a group.

    Raises:
        UnknownNameError: If there is no such setting.
        ValueError: If it is no number with decimals, or the settings refuse the value.

    Example:
        >>> changed(TrackerSettings(), {"online.weight": 0.25}).online.weight
        0.25
    """
    for name, value in point.items():
        value_of(settings, name)
        settings = _replaced(settings, name, value)
    return settings


def _replaced(settings: Any, name: str, value: float) -> Any:
    first, _, rest = name.partition(".")
    new = _replaced(getattr(settings, first), rest, value) if rest else value
    return dataclasses.replace(settings, **{first: new})
