"""What the documentation of version 0.1 named and has moved: it works, with one DeprecationWarning.

Modules and names that were documented nowhere have moved without a word.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

MODULES = {
    "association": "tracking.detections",
    "boxes": "core.boxes",
    "bulk": "tracking.batch",
    "config": "core.config",
    "crops": "tracking.crops",
    "data.faults": "data.cache",
    "data.frames": "data.sequence",
    "data.images": "data.cache",
    "data.importing": "data.annotations.user_formats",
    "data.packing": "data.annotations.shards",
    "data.training": "data.annotations",
    "discriminator": "tracking.online",
    "draw": "sinks.draw",
    "evaluation.evaluate": "evaluation.run",
    "follow": "tracking.follow",
    "formats": "packages.write",
    "frames": "core.images",
    "models.backbones.imagenet": "models.backbones.ciresnet",
    "models.embedding": "models.backbones.backbone",
    "models.siamese": "models.network",
    "models.siamfc": "models.network",
    "models.tracking": "models.network",
    "motion": "tracking.decode",
    "plugins": "core.registry",
    "quantising": "packages.quantize",
    "registry": "core.registry",
    "response": "tracking.decode",
    "ruler": "sinks.draw",
    "settings": "core.settings",
    "target": "tracking.target",
    "tracker": "tracking.tracker",
    "training.objectives": "models.network",
    "verification": "evaluation.metrics",
    "weights": "packages.card",
}
"""Old module to new one, below `siamtrack`."""

NAMES = {
    "boxes.centre_error": "core.boxes.center_error",
    "boxes.centres": "core.boxes.centers",
    "crops.mean_colour": "tracking.crops.mean_color",
    "data.manifest.file_stem": "_moved.file_stem",
    "discriminator.Discriminator": "tracking.online.OnlineClassifier",
    "draw.colour": "sinks.draw.color",
    "models.siamese.Siamese": "models.network.Network",
    "models.siamfc.SiamFCTracker": "models.network.build_network",
    "models.tracking.BoxTracker": "models.network.build_network",
    "models.units.initialise": "models.units.initialize",
    "motion.Found": "tracking.decode.Detection",
    "motion.MOTIONS": "_moved.MOTIONS",
    "motion.best_box": "_moved.best_box",
    "motion.best_scale": "_moved.best_scale",
    "quantising.quantise": "packages.quantize.quantize",
    "response.cell_centres": "tracking.decode.cell_centers",
    "training.objectives.response_loss": "models.heads.siamfc.response_loss",
    "verification.plot_distances": "evaluation.report.plots.plot_distances",
    "weights.write_card": "packages.write.write_card",
}
"""Names that are called otherwise now, or are not where their module has gone."""


def best_box(last: Any, windows: Any, response: Any, card: Any) -> Any:
    """Read a box as `siamtrack.tracking.decode.BoxDecoder` does."""
    return _thing("tracking.decode.BoxDecoder")(card).decode(last, windows, response)


def best_scale(last: Any, windows: Any, response: Any, card: Any) -> Any:
    """Read a box as `siamtrack.tracking.decode.ResponseDecoder` does."""
    return _thing("tracking.decode.ResponseDecoder")(card).decode(last, windows, response)


def file_stem(folder: Any) -> str:
    """Name a data set after its folder."""
    return folder.resolve().name or "data"


MOTIONS = {"box": best_box, "response": best_scale}
"""The functions of `siamtrack.motion` by the kind of a model, now `DECODERS`."""


def new_place(name: str) -> str | None:
    """Return where the module `name` (with `siamtrack.`) is now, None if it has not moved.

    Example:
        >>> new_place("siamtrack.weights")
        'siamtrack.packages.card'
    """
    place = MODULES.get(name.removeprefix("siamtrack."))
    return None if place is None else f"siamtrack.{place}"


def renamed(module: str, name: str) -> Any:
    """Return what a module that has stayed had under another name; for its `__getattr__`.

    Raises:
        AttributeError: If it never had such a name.
    """
    old = f"{module.removeprefix('siamtrack.')}.{name}"
    if old not in NAMES:
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    _warn(f"siamtrack.{old}", f"siamtrack.{NAMES[old]}")
    return _thing(NAMES[old])


def _thing(path: str) -> Any:
    """Return what is at a present path, without `siamtrack.`."""
    module, _, name = path.rpartition(".")
    return getattr(import_module(f"siamtrack.{module}"), name)


def _warn(old: str, new: str) -> None:
    text = f"{old} is now {new}; the old name goes with version 0.3"
    warnings.warn(text, DeprecationWarning, stacklevel=3)


class _Moved(ModuleType):
    """A module at its old place: whatever is asked of it comes from the new one."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        old = self.__name__.removeprefix("siamtrack.")
        parent, _, last = self.__name__.rpartition(".")
        if "__hidden__" in self.__dict__:
            setattr(sys.modules[parent], last, self.__dict__["__hidden__"])
        thing = _thing(NAMES.get(f"{old}.{name}", f"{MODULES[old]}.{name}"))
        if not self.__dict__.get("__warned__"):
            self.__dict__["__warned__"] = True
            _warn(self.__name__, f"siamtrack.{MODULES[old]}")
        return thing

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Call the function that its package has by the name of the module."""
        return getattr(self, self.__name__.rpartition(".")[2])(*args, **options)


class _Finder:
    """Finds modules that have moved, after all that exist.

    What it could inherit from is in `importlib.abc`, which takes a while to import.
    """

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        loader: Any = self
        return None if new_place(name) is None else ModuleSpec(name, loader)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Moved(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        there = import_module(str(new_place(module.__name__)))
        # importing binds the module in its parent, over a function there that has the same name
        parent, _, last = module.__name__.rpartition(".")
        hidden = vars(sys.modules[parent]).get(last)
        if hidden is not None and not isinstance(hidden, ModuleType):
            module.__dict__["__hidden__"] = hidden
        module.__doc__ = there.__doc__
        if hasattr(there, "__all__"):
            module.__dict__["__all__"] = there.__all__


def install() -> None:
    """Let old paths be found."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())
