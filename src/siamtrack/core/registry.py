"""One registry serves our own backbones, losses, data sets and runtimes, and those of users.

Things of other packages are found by their entry points: a package names what it has under one of
`GROUPS` in its `pyproject.toml`, and docs/plug-ins.md shows a whole one. Names are read from the
metadata of installed packages, so that listing imports nothing; a thing is imported when it is
asked for.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from siamtrack.core.config import shown
from siamtrack.errors import PluginError, UnknownNameError

if TYPE_CHECKING:  # reading metadata takes longer to import than a name of ours takes to find
    from importlib import metadata

logger = logging.getLogger(__name__)

T = TypeVar("T")

GROUPS = {
    "siamtrack.backbones": "backbone",
    "siamtrack.datasets": "data set",
    "siamtrack.export_formats": "export format",
    "siamtrack.heads": "head",
    "siamtrack.losses": "loss",
    "siamtrack.models": "model",
    "siamtrack.objectives": "objective",
    "siamtrack.presets": "training preset",
    "siamtrack.runtimes": "runtime",
    "siamtrack.samplers": "sampler",
    "siamtrack.sinks": "output format",
    "siamtrack.trackers": "tracker",
    "siamtrack.training_data": "training data set",
}
"""Group of entry points to the kind of thing, as messages call it."""
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
        group: One of `GROUPS`, whose entry points add to it; None: no group.

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
        """Refuse what the thing called `name` has made, if it lacks one of the `wanted` attributes.

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


@dataclass(frozen=True)
class Plugin:
    """One thing that another package adds.

    Attributes:
        package: Name and version of the package, such as `ours-plus 1.2`; several, with commas, if
            more than one has the name.
        entry: Where it lies; None if more than one package has the name.
    """

    group: str
    name: str
    package: str
    entry: metadata.EntryPoint | None

    @property
    def kind(self) -> str:
        """What it is, in the singular."""
        return GROUPS.get(self.group, self.group)

    def load(self) -> Any:
        """Import and return it.

        Raises:
            PluginError: If that fails, or several packages have the name; the message names them.
        """
        if self.entry is None:
            raise PluginError(
                f"{self.kind} {self.name!r} comes from several packages, {self.package}: uninstall "
                "all but one"
            )
        try:
            item = self.entry.load()
        except (Exception, SystemExit) as error:  # anything can go wrong in a file of others
            raise PluginError(
                f"{self.kind} {self.name!r} of the package {self.package} cannot be loaded "
                f"({type(error).__name__}: {error}): update, repair or uninstall that package"
            ) from error
        if isinstance(item, ModuleType):
            raise PluginError(
                f"{self.kind} {self.name!r} of the package {self.package} is the module "
                f"{self.entry.value}; its entry point has to say module:attribute"
            )
        if item is None:
            raise PluginError(
                f"{self.kind} {self.name!r} of the package {self.package} is None: update, repair "
                "or uninstall that package"
            )
        return item


def plugins(group: str) -> dict[str, Plugin]:
    """Return what installed packages have in a group, by name; nothing is imported.

    Metadata are read once for each state of `sys.path`.

    Example:
        >>> plugins("siamtrack.no_such_group")
        {}
    """
    return _plugins(group, tuple(sys.path))


@lru_cache
def _plugins(group: str, path: tuple[str, ...]) -> dict[str, Plugin]:
    by_name: dict[str, list[metadata.EntryPoint]] = defaultdict(list)
    for entry in _entries(group):
        by_name[entry.name].append(entry)
    found = {}
    for name, entries in sorted(by_name.items()):
        packages = ", ".join(sorted(map(_package, entries)))
        found[name] = Plugin(group, name, packages, entries[0] if len(entries) == 1 else None)
    return found


def _entries(group: str) -> list[metadata.EntryPoint]:
    from importlib import metadata

    try:
        return list(metadata.entry_points(group=group))
    except Exception:  # one damaged file would hide what all other packages have
        found = {each.metadata["Name"]: each for each in reversed(list(metadata.distributions()))}
        return [entry for each in found.values() for entry in _of_one(each, group)]


def _of_one(package: metadata.Distribution, group: str) -> list[metadata.EntryPoint]:
    try:
        return [entry for entry in package.entry_points if entry.group == group]
    except Exception as error:
        name = package.metadata["Name"]
        logger.warning("the entry points of the package %s cannot be read (%s)", name, error)
        return []


def _package(entry: metadata.EntryPoint) -> str:
    package = entry.dist
    return "unknown" if package is None else f"{package.metadata['Name']} {package.version}"


def run_file(file: str | Path) -> ModuleType:
    """Run a Python file of the user's and return it as a module; its errors pass.

    Raises:
        FileNotFoundError: If there is no such file, or its name does not end in `.py`.
    """
    path = Path(file)
    name = f"siamtrack_user_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FileNotFoundError(f"{path}: no such Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses and pickle look it up
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
