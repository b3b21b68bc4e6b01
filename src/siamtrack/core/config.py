"""Strict conversion between frozen dataclass configs and plain dictionaries (JSON)."""

from __future__ import annotations

import dataclasses
import json
import math
import numbers
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar, Union

from siamtrack.errors import UnknownNameError

C = TypeVar("C")

LARGEST = 2.0**63
"""Numbers in configs lie below this in size: what 64 bits hold as a whole number."""


def shown(value: object) -> str:
    """Return a value for a message: as Python writes it, but never more than a few words.

    Example:
        >>> shown(10**400)
        'a number of more than 40 digits'
        >>> shown("a" * 500)
        "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa..."
    """
    try:
        if isinstance(value, int) and abs(value) >= 10**40:
            return "a number of more than 40 digits"
        text = repr(value)
    except (ValueError, RecursionError):  # numbers of thousands of digits are not written
        return f"a {type(value).__name__} that is too long to show"
    return text if len(text) <= 82 else f"{text[:79]}..."


def check_numbers(config: Any, **bounds: tuple[float, float] | None) -> None:
    """Check every number of a config: for `__post_init__`.

    Fields of type int take whole numbers, fields of type float any real number. All numbers, also
    those in tuples, lists and dictionaries, must be finite and less than `LARGEST` in size.

    Args:
        config: A dataclass instance.
        **bounds: Least and largest value of fields that have such, both included; None for fields
            that are checked elsewhere.

    Raises:
        TypeError: If a number field holds something else.
        ValueError: If a number is not finite, or out of its bounds.

    Example:
        >>> @dataclasses.dataclass(frozen=True)
        ... class Crop:
        ...     side: int = 127
        ...     def __post_init__(self) -> None:
        ...         check_numbers(self, side=(16, 1024))
        >>> Crop(0)
        Traceback (most recent call last):
        ValueError: Crop.side 0: expected a whole number from 16 to 1024
    """
    kind: Any = type(config)
    for name, wanted in _number_fields(kind):
        value = getattr(config, name)
        where = f"{kind.__name__}.{name}"
        if wanted is not None and (isinstance(value, bool) or not isinstance(value, wanted)):
            raise TypeError(f"{where} {shown(value)}: expected {_WORDS[wanted]}")
        if (ends_of := bounds.get(name, (-LARGEST, LARGEST))) is None:
            continue
        low, high = ends_of
        for number in _numbers(value):
            if not low <= number <= high or abs(number) == math.inf:  # NaN fails too
                what = _WORDS.get(wanted, "numbers")
                ends = f" from {low:g} to {high:g}" if name in bounds else ""
                more = "" if name in bounds else ", finite and less than 2**63 in size"
                raise ValueError(f"{where} {shown(value)}: expected {what}{ends}{more}")


_WORDS: dict[Any, str] = {numbers.Integral: "a whole number", numbers.Real: "a number"}


@lru_cache
def _number_fields(kind: Any) -> list[tuple[str, Any]]:
    """Return the fields that may hold numbers, and the abstract type of those that are one."""
    hints = typing.get_type_hints(kind)
    plain: dict[Any, Any] = {int: numbers.Integral, float: numbers.Real}
    return [
        (each.name, plain.get(hints[each.name]))
        for each in dataclasses.fields(kind)
        if hints[each.name] not in (str, bool)
    ]


def _numbers(value: object) -> Iterable[Any]:
    """Yield the numbers in a value and in the containers in it."""
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _numbers(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _numbers(item)


def parse_json(text: str | bytes) -> Any:
    """Return the value of a JSON text from outside.

    Raises:
        ValueError: If it is no JSON, or nests so deeply that reading it would end the interpreter.

    Example:
        >>> parse_json("[" * 100_000)
        Traceback (most recent call last):
        ValueError: it nests too deeply for JSON that somebody wrote
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it nests too deeply for JSON that somebody wrote") from None


def to_dict(config: Any) -> dict[str, Any]:
    """Return a dataclass config as nested dictionaries that `from_dict` takes back."""
    if not dataclasses.is_dataclass(config) or isinstance(config, type):
        raise TypeError(f"expected a dataclass instance, got {type(config).__name__}")
    return dataclasses.asdict(config)


SPELLINGS = {"licence": "license", "optimiser": "optimizer"}
"""Keys in files of version 0.1, which are read as ever, to those of today."""


def spelled(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings under the names that they have today.

    Example:
        >>> spelled({"optimiser": "sgd"})
        {'optimizer': 'sgd'}
    """
    return {SPELLINGS.get(key, key): value for key, value in values.items()}


def from_dict(kind: type[C], values: Mapping[str, Any]) -> C:
    """Build the dataclass `kind` from `values`; unknown keys and wrong types are errors.

    Nested dataclasses are built from nested mappings, tuples from lists. Fields may be of these
    types, of bool, int, float, str, None, Literal, list, dict, Any and of unions of them. A mapping
    for a union of dataclasses that each have a field `kind` of one Literal becomes the one that it
    names, or the first.

    Raises:
        UnknownNameError: If a key is no field; the message names the nearest field.
        TypeError: If a value has the wrong type.
        ValueError: If a field without default is missing, a number is not finite or has more than
            64 bits, or the class itself refuses a value.

    Example:
        >>> @dataclasses.dataclass(frozen=True)
        ... class Point:
        ...     x: float = 0.0
        ...     y: float = 0.0
        >>> from_dict(Point, {"x": 1})
        Point(x=1.0, y=0.0)
    """
    if not isinstance(values, Mapping):
        raise TypeError(f"{kind.__name__}: expected a mapping of settings, got {shown(values)}")
    fields = {f.name: f for f in dataclasses.fields(kind) if f.init}  # type: ignore[arg-type]
    values = spelled(values)
    for key in values:
        if key not in fields:
            raise UnknownNameError(f"{kind.__name__} setting", str(key), fields)
    hints = typing.get_type_hints(kind)
    arguments = {
        key: _convert(value, hints[key], f"{kind.__name__}.{key}") for key, value in values.items()
    }
    missing = [
        name
        for name, field in fields.items()
        if name not in values
        and field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise ValueError(f"{kind.__name__} needs {', '.join(missing)}: add the missing settings")
    config = kind(**arguments)
    check_numbers(config)
    return config


def _convert(value: Any, hint: Any, where: str) -> Any:
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (Union, types.UnionType):
        return _convert_union(value, parts, where)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, Mapping):
            raise TypeError(f"{where}: expected a mapping, got {shown(value)}")
        return from_dict(hint, value)
    if origin is tuple or origin is list:
        if not isinstance(value, (list, tuple)):
            raise TypeError(f"{where}: expected a list, got {shown(value)}")
        if origin is list:
            return [_convert(item, parts[0], where) for item in value]
        if len(parts) == 2 and parts[1] is Ellipsis:
            return tuple(_convert(item, parts[0], where) for item in value)
        if len(parts) != len(value):
            raise TypeError(f"{where}: expected {len(parts)} values, got {shown(value)}")
        return tuple(_convert(item, part, where) for item, part in zip(value, parts, strict=True))
    if origin is dict or origin is Mapping:
        if not isinstance(value, Mapping):
            raise TypeError(f"{where}: expected a mapping, got {shown(value)}")
        return {
            _convert(key, parts[0], where): _convert(item, parts[1], f"{where}[{key!r}]")
            for key, item in value.items()
        }
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > LARGEST:
            raise ValueError(f"{where} {shown(value)}: expected less than 2**63 in size")
        return float(value)
    if origin is typing.Literal:
        if value not in parts:
            raise ValueError(
                f"{where}: expected one of {', '.join(map(repr, parts))}, got {shown(value)}"
            )
        return value
    if not isinstance(hint, type) or origin is not None:
        raise TypeError(f"{where}: fields of type {hint} are not supported in configs")
    if not isinstance(value, hint) or (isinstance(value, bool) and hint not in (bool, object)):
        raise TypeError(f"{where}: expected {hint.__name__}, got {shown(value)}")
    return value


def _convert_union(value: Any, parts: Sequence[Any], where: str) -> Any:
    """Return `value` as the first of the types that takes it; an exact match goes first."""
    if type(value) in parts:
        return value
    inner = [part for part in parts if part is not type(None)]
    kinds = {kind: part for part in inner if (kind := _kind(part)) is not None}
    if isinstance(value, Mapping) and len(kinds) == len(inner):
        kind = value.get("kind", next(iter(kinds)))
        if kind not in kinds:
            raise UnknownNameError(f"{where} kind", str(kind), kinds)
        return _convert(value, kinds[kind], where)
    for part in inner[:-1]:
        try:
            return _convert(value, part, where)
        except (TypeError, ValueError):
            continue
    return _convert(value, inner[-1], where)


def _kind(hint: Any) -> str | None:
    """Return the only value that the field `kind` of a dataclass may have, None without one."""
    if not (dataclasses.is_dataclass(hint) and isinstance(hint, type)):
        return None
    values = typing.get_args(typing.get_type_hints(hint).get("kind"))
    return str(values[0]) if len(values) == 1 else None
