"""What readers leave out, counted and named."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

KINDS = {
    "missing": "files that should be there",
    "unreadable": "files that cannot be read",
    "empty": "tracks without a box",
    "no area": "boxes without width or height",
    "outside": "boxes outside the frame",
}
"""What can be wrong with a part of a data set, and what that means."""


@dataclass
class Findings:
    """What a reader left out, by kind (see `KINDS`), counted and named.

    Attributes:
        keep: So many names of each kind are kept; all are counted.

    Example:
        >>> found = Findings()
        >>> found.add("empty", "cat-3")
        >>> found.summary()
        '1 empty (cat-3)'
    """

    keep: int = 100
    counts: Counter[str] = field(default_factory=Counter)
    names: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, name: str) -> None:
        """Count one thing that was left out."""
        self.counts[kind] += 1
        names = self.names.setdefault(kind, [])
        if len(names) < self.keep:
            names.append(name if len(name) <= 400 else f"{name[:200]} ... {name[-200:]}")

    def summary(self, names: int = 3) -> str:
        """Say in one line what was left out; an empty string if nothing was."""
        parts = []
        for kind in KINDS:
            if count := self.counts[kind]:
                first = ", ".join(self.names[kind][:names])
                parts.append(f"{count} {kind} ({first}{', ...' if count > names else ''})")
        return "; ".join(parts)
