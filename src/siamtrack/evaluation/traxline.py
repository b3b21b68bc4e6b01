"""One message of the TraX protocol: `@@TRAX:`, a type, and quoted arguments, on one line.

Paper: Cehovin, TraX: The visual Tracking eXchange protocol and library,
https://doi.org/10.1016/j.neucom.2017.02.036
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlparse

import numpy as np

from siamtrack.core.boxes import Array, polygons_to_ltwh

PREFIX = "@@TRAX:"
_ARGUMENT = re.compile(r'"((?:[^"\\]|\\.)*)"')
_PROPERTY = re.compile(r"([\w.]+)=(.*)", re.DOTALL)


@dataclass(frozen=True)
class Message:
    r"""A message.

    Args:
        kind: `hello`, `initialize`, `frame`, `state` or `quit`.
        arguments: Images and regions.
        properties: Named values.

    Example:
        >>> line = Message("state", ["1,2,3,4"], {"confidence": "0.5"}).line()
        >>> line
        '@@TRAX:state "1,2,3,4" "confidence=0.5"'
        >>> parse(line).properties
        {'confidence': '0.5'}
    """

    kind: str
    arguments: list[str] = field(default_factory=list)
    properties: Mapping[str, str] = field(default_factory=dict)

    def line(self) -> str:
        """Return the text of the message, without the end of the line."""
        words = [*self.arguments, *(f"{key}={value}" for key, value in self.properties.items())]
        quoted = ['"' + re.sub(r'(["\\])', r"\\\1", word) + '"' for word in words]
        return " ".join([PREFIX + self.kind, *quoted])


def parse(line: str) -> Message | None:
    """Return the message in a line, or None if the line is something else."""
    if not line.startswith(PREFIX):
        return None
    kind, _, rest = line[len(PREFIX) :].strip().partition(" ")
    arguments: list[str] = []
    properties: dict[str, str] = {}
    for word in _ARGUMENT.findall(rest):
        text = re.sub(r"\\(.)", r"\1", word)
        pair = _PROPERTY.fullmatch(text)
        if pair is None:
            arguments.append(text)
        else:
            properties[pair[1]] = pair[2]
    return Message(kind, arguments, properties)


def path_of(uri: str) -> str:
    """Return the path of a `file:` URI, or the text itself.

    Example:
        >>> path_of("file:///tmp/a%20b.png"), path_of("/tmp/a.png")
        ('/tmp/a b.png', '/tmp/a.png')
    """
    parts = urlparse(uri)
    if parts.scheme != "file":
        return uri
    from urllib.request import url2pathname  # slow to import

    return url2pathname(parts.path)


def region_box(text: str) -> Array:
    """Return the box (4,) ltwh of a region as text: a rectangle or a polygon.

    Raises:
        ValueError: If it is neither.

    Example:
        >>> region_box("1,2,4,2,4,6,1,6").tolist()
        [1.0, 2.0, 3.0, 4.0]
    """
    try:
        numbers = np.array([float(word) for word in text.split(",")])
    except ValueError:
        numbers = np.zeros(0)
    if len(numbers) == 4:
        return numbers
    if len(numbers) >= 6 and len(numbers) % 2 == 0:
        return np.asarray(polygons_to_ltwh(numbers[None])[0], np.float64)
    raise ValueError(f"region {text[:60]!r}: expected a rectangle or a polygon")
