"""What other packages add: found by their entry points, imported only when it is asked for.

A package names what it has under one of `GROUPS` in its `pyproject.toml`; docs/plug-ins.md shows a
whole one. Names are read from the metadata of installed packages, so that listing imports nothing.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from siamtrack.errors import PluginError

if TYPE_CHECKING:  # reading metadata takes longer to import than a name of ours takes to find
    from importlib import metadata

logger = logging.getLogger(__name__)

GROUPS = {
    "siamtrack.backbones": "backbone",
    "siamtrack.datasets": "data set",
    "siamtrack.export_formats": "export format",
    "siamtrack.heads": "head",
    "siamtrack.losses": "loss",
    "siamtrack.models": "model",
    "siamtrack.presets": "training preset",
    "siamtrack.runtimes": "runtime",
    "siamtrack.sinks": "output format",
    "siamtrack.trackers": "tracker",
    "siamtrack.training_data": "training data set",
}
"""Group of entry points to the kind of thing, as messages call it."""


@dataclass(frozen=True)
class Plugin:
    """One thing that another package adds.

    Attributes:
        group: One of `GROUPS`.
        name: What it is asked for by.
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
    """Run a Python file of the user's and return it as a module; what it raises goes on.

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
