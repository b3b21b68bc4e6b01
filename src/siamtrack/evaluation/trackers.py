"""Trackers by name: ours, a Python class of anybody's, and those of `peers`."""

from __future__ import annotations

import hashlib
import importlib
import inspect
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from siamtrack.core.registry import run_file
from siamtrack.core.tracks import Tracker, TrackerFactory
from siamtrack.errors import SiamtrackError
from siamtrack.evaluation.peers import PEERS

Precision = Literal["auto", "float32", "int8"]
PRETRAINED = Path(__file__).parent.parent / "pretrained"
"""Models in the package, which no plug-in can take the name of."""
REDETECT = "+redetect"
"""Ending of a model's name that searches more of the frame while the target is lost."""
MASKS = "+masks"
"""Ending of a model's name, the last one, whose tracks have masks."""


@dataclass(frozen=True)
class ClassIn:
    """Makes trackers of a class in a `.py` file or module; can go to other processes."""

    place: str
    name: str

    def __call__(self) -> Tracker:
        """Return a new tracker.

        Raises:
            SiamtrackError: If file, class or its methods are missing.
        """
        tracker: Any = self.maker()()
        _check(tracker, f"{self.place}:{self.name}")
        runnable: Tracker = tracker
        return runnable

    def maker(self) -> Any:
        """Return the class or function."""
        module = _module(self.place)
        maker = getattr(module, self.name, None)
        if not callable(maker):
            names = [name for name, item in vars(module).items() if inspect.isclass(item)]
            raise SiamtrackError(
                f"{self.place}: has no class {self.name}; it has {', '.join(names) or 'no class'}"
            )
        return maker


def open_tracker(
    spec: str, *, runtime: str = "auto", precision: Precision = "auto", threads: int = 0
) -> tuple[str, TrackerFactory]:
    """Return a name and a function that makes the tracker.

    Args:
        spec: One of our models (`lite`) or a folder that `siamtrack export` wrote, with
            `+redetect` behind it to search more of the frame while the target is lost, and
            `+masks` behind that to have masks, which VOT's protocols compare with masks;
            `FILE.py:CLASS` or `package.module:CLASS`; or `KIND:SOURCE` with a kind of
            `peers.PEERS`, such as `opencv:csrt`, `opencv:kcf:detect_thresh=0.05`,
            `nanotrack-v3:FOLDER`, `fear-xs:FOLDER`, `lightfc:FOLDER`, `vittrack:FILE`,
            `trax:COMMAND`.
            A tracker that another package adds (docs/plug-ins.md) may need no `:SOURCE`.
            `NAME=` before any of these is what it is called in files and tables; a model's folder
            is called as its card says otherwise.
        runtime: Engine of our models; the others have one of their own.
        precision: Of our models, see `siamtrack.load`.
        threads: Threads of the engine in each process; 0 lets it choose.

    Raises:
        UnknownNameError: If there is no such model.
        WeightsError: If the card of a model's folder is damaged.
        SiamtrackError: If the file or class does not exist.

    Example:
        >>> name, make = open_tracker("lite")
        >>> name, make().name
        ('lite', 'lite')
        >>> name, make = open_tracker("lite+redetect")
        >>> name, make().redetect
        ('lite+redetect', True)
    """
    label, equals, rest = spec.partition("=")
    if equals and ":" not in label and "/" not in label and label:
        return label, open_tracker(rest, runtime=runtime, precision=precision, threads=threads)[1]
    kind, colon, source = spec.partition(":")
    if colon and kind in PEERS:
        name = f"{kind}-{source.replace(':', '-')}".lower() if kind == "opencv" else kind
        return name, partial(_peer, kind, source, threads)
    is_ours = (PRETRAINED / spec.removesuffix(REDETECT) / "card.json").is_file()
    if not is_ours and spec in PEERS and not Path(spec).is_dir():  # asks what is installed
        return spec, partial(_peer, spec, "", threads)
    place, colon, attribute = spec.rpartition(":")
    if colon and attribute.isidentifier() and not Path(spec).is_dir():
        factory = ClassIn(place, attribute)
        own = getattr(factory.maker(), "name", None)
        return own if isinstance(own, str) else attribute, factory
    if colon and not Path(spec).is_dir():
        raise SiamtrackError(
            f"tracker {spec!r}: expected a model, a folder, FILE.py:CLASS, or KIND:SOURCE with "
            f"KIND one of {', '.join(PEERS)}"
        )
    plain = spec if Path(spec).is_dir() else spec.removesuffix(MASKS)
    model = plain if Path(plain).is_dir() else plain.removesuffix(REDETECT)
    name = _title(Path(model)) + spec[len(model) :]
    more = model != plain, plain != spec
    return name, partial(_ours, model, runtime, precision, threads, *more)


def tracker_made(factory: TrackerFactory) -> dict[str, Any]:
    """Return what tells results of one tracker of `open_tracker` from those of another, for JSON.

    Raises:
        WeightsError: If it makes trackers of a model that is not there.
    """
    if isinstance(factory, ClassIn):
        file = Path(factory.place)
        code = hashlib.sha256(file.read_bytes()).hexdigest()[:12] if file.is_file() else ""
        return {"class": f"{factory.place}:{factory.name}", "code": code}
    if isinstance(factory, partial) and factory.func is _ours:
        from siamtrack.packages.card import model_made  # brings the engine
        from siamtrack.tracking.outline import read_mask_graph

        model, runtime, precision, _, redetect, masks = factory.args
        more = {"masks": read_mask_graph()[0].sha256} if masks else {}
        return {**model_made(model, runtime, precision), "redetect": redetect, **more}
    if isinstance(factory, partial) and factory.func is _peer:
        return {"tracker": factory.args[0], "source": factory.args[1]}
    return {"tracker": repr(factory)}


def tracker_files(factory: TrackerFactory) -> list[Path]:
    """Return the files that trackers of a factory from `open_tracker` are made from."""
    if isinstance(factory, ClassIn):
        return [Path(factory.place)] if factory.place.endswith(".py") else []
    if isinstance(factory, partial) and factory.func is _ours:
        from siamtrack.packages.card import model_paths  # brings the engine

        return model_paths(factory.args[0])
    if isinstance(factory, partial) and factory.func is _peer and factory.args[1]:
        source = Path(factory.args[1])
        return [source, *source.glob("*")] if source.exists() else []
    return []


def _title(model: Path) -> str:
    """Return what a model is called: by its card, which older versions called `model` too often."""
    if not (model / "card.json").is_file():
        return model.name
    from siamtrack.packages.card import folder_title, read_card  # brings the engine

    name = read_card(model).name
    return folder_title(model) if name == "model" else name


def _ours(
    name: str, runtime: str, precision: Precision, threads: int, redetect: bool, masks: bool
) -> Tracker:
    from siamtrack.api import load

    more = {"redetect": redetect, "masks": masks}
    return load(name, runtime=runtime, precision=precision, threads=threads, **more)


def _peer(kind: str, source: str, threads: int) -> Tracker:
    tracker: Any = PEERS[kind](source, threads=threads)
    _check(tracker, f"tracker {kind!r}")
    runnable: Tracker = tracker
    return runnable


def _check(tracker: object, maker: str) -> None:
    if not (hasattr(tracker, "init") and hasattr(tracker, "update")):
        raise SiamtrackError(
            f"{maker} makes a {type(tracker).__name__}, which has no init and update; see "
            "siamtrack.evaluation.Runnable"
        )


def _module(place: str) -> ModuleType:
    if not place.endswith(".py"):
        try:
            return importlib.import_module(place)
        except ImportError as reason:
            raise SiamtrackError(
                f"{place}: cannot be imported ({reason}); give FILE.py:CLASS, or make the module "
                "importable"
            ) from reason
    try:
        return run_file(place)
    except FileNotFoundError as reason:
        raise SiamtrackError(f"{place}: no such Python file") from reason
    except Exception as reason:
        raise SiamtrackError(f"{place}: fails when it is loaded ({reason!r})") from reason
