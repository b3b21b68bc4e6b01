"""Import paths of version 0.1 that have moved: each still works, with one DeprecationWarning."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

MODULES = {
    "association": "tracking.associate",
    "boundary": "core.boundary",
    "boxes": "core.boxes",
    "bulk": "tracking.batch",
    "config": "core.config",
    "crops": "tracking.crops",
    "data.davis": "data.benchmarks.davis",
    "data.dtb70": "data.benchmarks.dtb70",
    "data.folder": "data.benchmarks.folder",
    "data.got10k": "data.benchmarks.got10k",
    "data.headers": "data.sizes",
    "data.images": "data.cache",
    "data.lasot": "data.benchmarks.lasot",
    "data.nfs": "data.benchmarks.nfs",
    "data.otb": "data.benchmarks.otb",
    "data.otb_table": "data.benchmarks.otb_table",
    "data.plain": "core.plain",
    "data.starts": "tracking.initial_boxes",
    "data.tcolor128": "data.benchmarks.tcolor128",
    "data.text": "core.text",
    "data.tld": "data.benchmarks.tld",
    "data.trackingnet": "data.benchmarks.trackingnet",
    "data.training": "data.annotations",
    "data.uav": "data.benchmarks.uav",
    "data.vot": "data.benchmarks.vot",
    "data.votmask": "data.benchmarks.votmask",
    "decoding": "core.decoding",
    "discriminator": "tracking.online",
    "draw": "sinks.draw",
    "evaluation.clips": "evaluation.report.videos",
    "evaluation.compare_results": "evaluation.compare",
    "evaluation.curves": "evaluation.metrics",
    "evaluation.evaluate": "evaluation.run",
    "evaluation.figures": "evaluation.report",
    "evaluation.formats": "evaluation.report.text",
    "evaluation.found": "evaluation.results",
    "evaluation.html": "evaluation.report.html",
    "evaluation.longterm_report": "evaluation.longterm",
    "evaluation.parallel": "core.parallel",
    "evaluation.peers.lightfc": "evaluation.peers.centers",
    "evaluation.peers.vittrack": "evaluation.peers.centers",
    "evaluation.plots": "evaluation.report.plots",
    "evaluation.ray_cluster": "core.ray_cluster",
    "evaluation.traxline": "evaluation.peers.trax",
    "evaluation.vot.binary": "evaluation.vot.files",
    "evaluation.vot.evaluate": "evaluation.vot.run",
    "exporting": "training.export",
    "follow": "tracking.follow",
    "formats": "packages.formats",
    "frames": "core.frames",
    "halving": "packages.half",
    "images": "core.images",
    "made": "core.provenance",
    "models.graph_file": "packages.graph_file",
    "models.halves": "models.export_graphs",
    "motion": "tracking.decode",
    "opencv": "interop.opencv",
    "owning": "core.owning",
    "plugins": "core.plugins",
    "quantising": "packages.quantize",
    "reading": "core.reading",
    "redetection": "tracking.redetect",
    "registry": "core.registry",
    "response": "tracking.response",
    "ruler": "sinks.ruler",
    "settings": "core.settings",
    "target": "tracking.target",
    "tracker": "tracking.tracker",
    "tracks": "core.tracks",
    "verification": "evaluation.verification",
    "weights": "packages.card",
    "writing": "core.writing",
}
"""Old module to new one, below `siamtrack`; modules inside of a package move with it."""

NAMES: dict[str, str] = {
    "core.provenance.model_made": "packages.card.model_made",
    "evaluation.report.Figures": "evaluation.report.Report",
    "evaluation.report.videos.Clip": "evaluation.report.html.Video",
    "evaluation.report.videos.comparison_clips": "evaluation.report.videos.comparison_videos",
    "evaluation.run.Runnable": "core.tracks.Runnable",
}
"""Names that have left their module, after that has moved, to where they are now."""


def new_place(name: str) -> str | None:
    """Return where the module `name` (with `siamtrack.`) is now, None if it has not moved.

    Example:
        >>> new_place("siamtrack.formats.torch")
        'siamtrack.packages.formats.torch'
    """
    head, _, rest = name.partition(".")
    if head != "siamtrack" or not rest:
        return None
    parts = rest.split(".")
    for count in range(len(parts), 0, -1):
        moved = MODULES.get(".".join(parts[:count]))
        if moved is not None:
            return ".".join(["siamtrack", moved, *parts[count:]])
    return None


class _Moved(ModuleType):
    """A module at its old place: whatever it is asked for comes from the new one."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        place: str = self.__dict__["__moved__"]
        elsewhere = NAMES.get(f"{place.removeprefix('siamtrack.')}.{name}")
        if elsewhere is not None:
            module, _, name = elsewhere.rpartition(".")
            place = f"siamtrack.{module}"
        return getattr(import_module(place), name)

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Call the function that its package has by the name of the module: `evaluation.evaluate`."""
        return getattr(self, self.__name__.rpartition(".")[2])(*args, **options)


class _Finder(MetaPathFinder, Loader):
    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(name, self, is_package=True) if new_place(name) else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Moved(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        place = new_place(module.__name__)
        assert place is not None
        warnings.warn(
            f"{module.__name__} is now {place}; the old name goes with version 0.3",
            DeprecationWarning,
            stacklevel=2,
        )
        there = import_module(place)
        module.__dict__["__moved__"] = place
        module.__doc__ = there.__doc__
        if hasattr(there, "__all__"):
            module.__dict__["__all__"] = there.__all__


def install() -> None:
    """Let old paths be found, after all that exist."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())
