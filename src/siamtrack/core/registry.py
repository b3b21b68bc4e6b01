"""One registry serves our own backbones, losses, data sets and runtimes, and those of users."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from siamtrack.core.config import shown
from siamtrack.core.plugins import Plugin, plugins
from siamtrack.errors import PluginError, UnknownNameError

logger = logging.getLogger(__name__)

T = TypeVar("T")

OWN = (
    "One of your own is known after `siamtrack --import FILE.py VERB ...`, in Python after the "
    "file that registers it was imported"
)


class Registry(Generic[T]):
    """Names to things of one kind.

    Those of other packages are found by their entry points and imported when they are asked for, so
    that listing names imports nothing. A name of ours goes before the same name of theirs.

    Args:
        kind: What the registry holds, in the singular; used in messages.
        group: Group of entry points that adds to it (`siamtrack.core.plugins`); None: no group.

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

    def __init__(self, kind: str, group: str | None = None) -> None:
        self.kind, self.group = kind, group
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

    def loadable(self) -> Iterator[tuple[str, T]]:
        """Import what other packages add, and yield all names and things.

        What cannot be loaded is warned of and left out: for lists of everything there is.
        """
        for name in self:
            try:
                yield name, self[name]
            except PluginError as error:
                logger.warning("%s", error)

    def _plugins(self) -> dict[str, Plugin]:
        return {} if self.group is None else plugins(self.group)

    def __getitem__(self, name: str) -> T:
        """Return a thing.

        Raises:
            UnknownNameError: If nothing has this name.
            PluginError: If it is another package's, and cannot be loaded.
        """
        if name in self._items:
            return self._items[name]
        plugin = self._plugins().get(name)
        if plugin is None:
            raise self.unknown(name)
        item: T = plugin.load()
        return item

    def check_made(self, name: str, made: object, *wanted: str) -> None:
        """Refuse what something registered has made, or returned, if it lacks what is used of it.

        Args:
            name: What it is registered under.
            made: What calling it has returned.
            *wanted: Attributes that it must have.

        Raises:
            PluginError: If it lacks one.
        """
        if missing := [each for each in wanted if not hasattr(made, each)]:
            raise PluginError(
                f"{self.kind} {name!r} returned {shown(made)}, which has no {missing[0]}: expected "
                f"something with {', '.join(wanted)}; update, repair or uninstall what adds it"
            )

    def unknown(self, name: str, more: Iterable[str] = ()) -> UnknownNameError:
        """Return the error for a name that is not here; `more` are further names that would do."""
        return UnknownNameError(self.kind, name, [*more, *self], OWN if self.group else "")

    def __contains__(self, name: object) -> bool:
        return name in self._items or name in self._plugins()

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._items, *self._plugins()}))

    def __len__(self) -> int:
        return len({*self._items, *self._plugins()})
