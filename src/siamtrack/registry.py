"""One registry serves our own backbones, losses, data sets and runtimes, and those of users."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from siamtrack.errors import UnknownNameError

T = TypeVar("T")


class Registry(Generic[T]):
    """Names to things of one kind.

    Args:
        kind: What the registry holds, in the singular; used in messages.

    Example:
        >>> losses: Registry[object] = Registry("loss")
        >>> @losses.register("zero")
        ... def zero(x): return 0 * x
        >>> losses["zero"](3)
        0
        >>> losses["zeroo"]
        Traceback (most recent call last):
        siamtrack.errors.UnknownNameError: unknown loss 'zeroo': did you mean 'zero'? Known: zero
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._items: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that files its argument under `name`.

        Raises:
            ValueError: If the name is taken.
        """

        def add(item: T) -> T:
            if name in self._items:
                raise ValueError(f"{self.kind} {name!r} is registered already: choose another name")
            self._items[name] = item
            return item

        return add

    def __getitem__(self, name: str) -> T:
        if name not in self._items:
            raise UnknownNameError(self.kind, name, self._items)
        return self._items[name]

    def __contains__(self, name: object) -> bool:
        return name in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._items))

    def __len__(self) -> int:
        return len(self._items)
