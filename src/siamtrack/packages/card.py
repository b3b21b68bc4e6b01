"""Models on disk: a folder with two ONNX graphs and a card that says what they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, Literal, get_args

from siamtrack.core.config import check_numbers, from_dict, parse_json, to_dict
from siamtrack.core.files import bytes_of, text_of
from siamtrack.core.registry import Plugin, plugins
from siamtrack.core.settings import TrackerSettings
from siamtrack.errors import PluginError, SiamtrackError, UnknownNameError, WeightsError
from siamtrack.runtimes import AUTO, RUNTIMES, Graphs, Runtime, check_threads, choose_runtime
from siamtrack.runtimes.engines import cores, fastest, shared
from siamtrack.runtimes.graph import RefinerGraphs, SharedRows
from siamtrack.runtimes.onnx import int8_is_exact, open_graph

PACKAGED = Path(__file__).parents[1] / "pretrained"
DEFAULT = "base"
CARD = "card.json"
GRAPHS = ("template", "search")
INT8 = "search.int8"
"""Name of the search graph in int8, which a model may have beside the one in float32."""
REFINER = ("reference", "refine")
"""Names of the graphs that measure boxes anew, which a model may have."""
Precision = Literal["auto", "float32", "int8"]
OTHERS = (".xml", ".bin", ".pt2", ".safetensors")
"""Endings of files in formats other than ONNX."""


@dataclass(frozen=True)
class Card:
    """The facts about a model; `card.json` in its folder.

    Attributes:
        name: Name of the model.
        summary: One sentence on what it is and when to choose it.
        kind: `box` for a box head, `response` for SiamFC's plain response, or another one of
            `siamtrack.tracking.decode.DECODERS`.
        template: Side of the template patch, pixels.
        search: Side of the search patch, pixels.
        stride: Pixels between two cells of the response.
        sha256: Full hash of each file of the model by its name, for ONNX graphs without `.onnx`:
            `template` and `search`, perhaps `search.int8`, `reference` and `refine`, and those of
            further formats, such as `search.xml`.
        tracker: Settings chosen for this model.
        license: License of the weights; empty where nobody has said.
        trained_on: Data, and for how long.
        version: Name of these weights, such as `lite-2`: `lite` means the newest in the package,
            a version always the same ones.
        scores: Measured figures, such as {"otb20 AUC": 0.61}, and how they were measured.
        shares: Name of the model in the package that has those files which are not in the folder;
            only models in the package share files, and `siamtrack export` writes all of them.
    """

    name: str
    summary: str
    kind: str
    template: int
    search: int
    stride: int
    sha256: dict[str, str]
    tracker: TrackerSettings = field(default_factory=TrackerSettings)
    license: str = ""
    trained_on: str = ""
    version: str = ""
    scores: dict[str, float] = field(default_factory=dict)
    shares: str = ""

    def __post_init__(self) -> None:
        check_numbers(self, template=(8, 1024), search=(8, 2048), stride=(1, 256))
        if self.search < self.template or self.stride > self.search:
            raise ValueError(
                f"template {self.template}, search {self.search} and stride {self.stride}: "
                "expected a search patch no smaller than the template and than one stride"
            )

    @property
    def licence(self) -> str:
        """The license, under its name in version 0.1."""
        return self.license


@dataclass(frozen=True)
class Loaded:
    """What a model was loaded from: its folder, the engine's name, and its threads."""

    folder: Path
    runtime: str
    threads: int


@dataclass(frozen=True)
class Model:
    """A loaded model: its card, a runtime that holds its graphs, and their precision.

    Copies share it, for it holds no state of a target. A pickled one is loaded again from its
    files where it is unpickled, with the settings that its card has here.

    Attributes:
        card: The facts about it.
        runtime: Runs its graphs.
        precision: Of the search graph.
        loaded: What it was loaded from; None if it was put together by hand.
        refiner: The graphs that `siamtrack.tracking.refine.Refiner` takes; None if it has none.
    """

    card: Card
    runtime: Runtime
    precision: Literal["float32", "int8"] = "float32"
    loaded: Loaded | None = field(default=None, compare=False)
    refiner: RefinerGraphs | None = field(default=None, compare=False)

    def __copy__(self) -> Model:
        return self

    def __deepcopy__(self, memo: object) -> Model:
        return self

    def __reduce__(self) -> tuple[Callable[..., Model], tuple[Any, ...]]:
        """Say how to load it again.

        Raises:
            TypeError: If it was not loaded from files.
        """
        if self.loaded is None:
            raise TypeError(
                f"model {self.card.name} was put together by hand, so nobody can load it again "
                "elsewhere: pickle trackers of models from siamtrack.load"
            )
        return _again, (self.card, self.loaded, self.precision)


def model_names() -> list[str]:
    """Return the names of the models in the package, the default first, then of those added to it.

    Other packages add models by entry points, see docs/plug-ins.md; nothing of them is imported.
    """
    return [*packaged_names(), *_added()]


def packaged_names() -> list[str]:
    """Return the names of the models in the package, the default one first."""
    names = [path.parent.name for path in PACKAGED.glob(f"*/{CARD}")]
    return sorted(names, key=lambda name: (name != DEFAULT, name))


def _added() -> dict[str, Plugin]:
    ours = packaged_names()
    return {name: each for name, each in plugins("siamtrack.models").items() if name not in ours}


def model_folder(name: str | Path) -> Path:
    """Return the folder of a model by its name, or `name` itself where that is a model's folder.

    Raises:
        WeightsError: If `name` is a path without a card.
        UnknownNameError: If there is no such model.
        PluginError: If the model is another package's, and cannot be loaded.
    """
    path = Path(name)
    if isinstance(name, str) and (PACKAGED / name / CARD).is_file() and name == path.name:
        return PACKAGED / name
    if (path / CARD).is_file():
        return path
    for packaged in packaged_names():
        if read_card(PACKAGED / packaged).version == name:
            return PACKAGED / packaged
    if path.suffix == ".pt":
        there = "is a checkpoint" if path.is_file() else "does not exist"
        raise WeightsError(
            f"{path} {there}: `siamtrack export CHECKPOINT FOLDER` makes a model of a checkpoint; "
            "give that folder"
        )
    if path.exists() or path.name != str(name):
        raise WeightsError(
            f"{path} is no model: expected a folder with card.json, template.onnx and search.onnx, "
            "as `siamtrack export` writes it"
        )
    plugin = _added().get(str(name))
    if plugin is None:
        raise UnknownNameError("model", str(name), model_names())
    folder = plugin.load()
    if not isinstance(folder, str | PathLike) or not (Path(folder) / CARD).is_file():
        raise PluginError(
            f"model {name!r} of the package {plugin.package} is {folder!r}: expected the path of a "
            "folder with card.json, template.onnx and search.onnx"
        )
    return Path(folder)


def read_card(folder: Path) -> Card:
    """Read the card of a model's folder; raises `WeightsError` if it is missing or damaged."""
    path = folder / CARD
    try:
        values: Mapping[str, Any] = parse_json(text_of(path))
        return from_dict(Card, values)
    except (OSError, ValueError, TypeError, AttributeError, SiamtrackError) as error:
        raise WeightsError(f"{path} is no model card ({error}); export the model again") from error


def model_files(card: Card) -> list[str]:
    """Return the names of a model's files beside its card.

    Example:
        >>> model_files(read_card(model_folder("lite")))[:2]
        ['template.onnx', 'search.onnx']
    """
    return [name if name.endswith(OTHERS) else f"{name}.onnx" for name in card.sha256]


def file_key(name: str) -> str:
    """Return what a card calls a file of its model, the inverse of `model_files`.

    Example:
        >>> file_key("search.onnx"), file_key("search.xml")
        ('search', 'search.xml')
    """
    return name.removesuffix(".onnx")


def model_paths(name: str | Path) -> list[Path]:
    """Return the files of a model, its card and those it names; errors as `model_folder`."""
    folder = model_folder(name)
    card = read_card(folder)
    return [folder / CARD, *(_path(folder, card, file) for file in model_files(card))]


def _path(folder: Path, card: Card, name: str) -> Path:
    """Return where a file of a model is: in its folder, or in that of the model it shares it with.

    Two models in the package may have a network in common, which lies there once.
    """
    path = folder / name
    if path.is_file() or card.shares not in packaged_names():
        return path
    return PACKAGED / card.shares / name


def folder_title(folder: Path) -> str:
    """Return what a model in a folder is called if nobody says: as the folder.

    One that is called `model`, as many are, gives its model the name of the folder that it is in.

    Example:
        >>> folder_title(Path("runs/mine/model")), folder_title(Path("models/street"))
        ('mine', 'street')
    """
    whole = folder.absolute()
    return (whole.parent.name if whole.name == "model" else whole.name) or "model"


def read_graphs(
    folder: Path, card: Card, precision: Literal["float32", "int8"] = "float32"
) -> Graphs:
    """Read both graphs and verify their hashes; further files are read when a runtime wants them.

    Raises:
        WeightsError: If a graph is missing or not the one that the card describes.
    """
    template, search = (
        read_file(folder, card, f"{name}.onnx")
        for name in (GRAPHS[0], INT8 if precision == "int8" else GRAPHS[1])
    )

    def more(name: str) -> bytes | None:
        return read_file(folder, card, name) if name in card.sha256 else None

    return Graphs(template, search, folder, precision, more)


def read_file(folder: Path, card: Card, name: str) -> bytes:
    """Read a file of a model and verify it.

    Raises:
        WeightsError: If it is missing, or not the one that the card describes.
    """
    path, sha256 = _path(folder, card, name), card.sha256.get(file_key(name))
    try:
        data = bytes_of(path)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror}); export again") from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != sha256:
        raise WeightsError(
            f"{path} has sha256 {digest}, its card says {sha256}: the file was altered or damaged; "
            "install the package or export the model again"
        )
    return data


def choose_precision(
    card: Card,
    precision: Precision,
    runtime: str,
    exact: Callable[[], bool] = int8_is_exact,
) -> Literal["float32", "int8"]:
    """Return the precision to load.

    `auto` takes int8 where the model has it, ONNX Runtime runs it and the processor adds 8-bit
    products exactly (`exact`); float32 otherwise.

    Raises:
        WeightsError: If int8 is asked for and the model has none.
        ValueError: If there is no such precision.
    """
    if precision not in get_args(Precision):
        raise ValueError(f"precision {precision!r}: expected one of {get_args(Precision)}")
    if precision == "int8" and INT8 not in card.sha256:
        raise WeightsError(
            f"model {card.name} has no int8 graph: load it as 'auto' or 'float32', or make one "
            "with `siamtrack export --int8`"
        )
    if precision == "auto":
        good = INT8 in card.sha256 and runtime == "onnx" and exact()
        return "int8" if good else "float32"
    return precision


def choose_engine(
    card: Card, runtime: str, precision: Precision
) -> tuple[str, Literal["float32", "int8"]]:
    """Return the registered name of the runtime to load, and the precision.

    `auto` is the fastest engine that answers as `onnx` does, of those that are installed and were
    measured on this kind of processor: see `siamtrack.runtimes.engines`.

    Raises:
        UnknownNameError: If there is no such runtime.
        WeightsError: If the model has no graph in this precision.
    """
    registered = choose_runtime(runtime)
    chosen = choose_precision(card, precision, registered)
    if runtime == AUTO:
        graph = card.sha256.get(INT8 if chosen == "int8" else "search", "")
        registered = fastest(card.name, graph, chosen)
    return registered, chosen


def load_model(
    name: str | Path = DEFAULT,
    *,
    runtime: str = AUTO,
    threads: int = 0,
    precision: Precision = "auto",
) -> Model:
    """Load a model by name or folder.

    What is loaded again while a tracker still uses it shares that one's network, if the runtime
    allows (`onnx` does); its files are verified all the same.

    Args:
        name: One of `model_names()`, or a folder that `siamtrack export` wrote.
        runtime: Registered name of a runtime, or `auto`; see `choose_engine`.
        threads: Threads of the runtime; 0 lets it choose.
        precision: Of the search graph, see `choose_precision`. Results differ a little between
            processors with `auto`; `float32` is the same network everywhere.

    Raises:
        UnknownNameError: If there is no such model or runtime.
        MissingExtraError: If the runtime is not installed.
        ValueError: If `threads` is no number of threads, or the runtime's device is missing.
        WeightsError: If a file is missing, altered or damaged, or the model has no int8 graph.
    """
    # What is asked for: a folder, a precision, an engine
    check_threads(threads)
    choose_runtime(runtime)
    folder = model_folder(name)
    card = read_card(folder)
    runtime, chosen = choose_engine(card, runtime, precision)
    make = RUNTIMES[runtime]

    # Its verified graphs, in a runtime of their own or in one that is in use
    graphs = read_graphs(folder, card, chosen)
    key = (runtime, threads, chosen, folder.resolve(), *sorted(card.sha256.items()))
    # A refiner is made ready meanwhile
    with ThreadPoolExecutor(1) as pool:
        refiner = pool.submit(_refiner, folder, card, threads)
        network = shared(key, lambda: make(graphs, threads))
    RUNTIMES.check_made(runtime, network, "embed", "respond")
    loaded = Loaded(folder.absolute(), runtime, threads)
    return Model(card, network, chosen, loaded, refiner.result())


def _refiner(folder: Path, card: Card, threads: int) -> RefinerGraphs | None:
    """Load the graphs that measure boxes anew, if the model has them; its files are verified."""
    if not set(REFINER) <= set(card.sha256):
        return None
    data = {name: read_file(folder, card, f"{name}.onnx") for name in REFINER}

    def made() -> RefinerGraphs:
        # One thread each: those of a second engine would wait for work on the cores that the next
        # search needs, and an update would take four times as long
        reference, refine = (open_graph(data[n], str(folder / f"{n}.onnx"), 1) for n in REFINER)
        return RefinerGraphs(reference, SharedRows(refine, threads or cores(), lambda: refine))

    return shared((*REFINER, threads, *(card.sha256[name] for name in REFINER)), made)


def _again(card: Card, loaded: Loaded, precision: Literal["float32", "int8"]) -> Model:
    """Load a model that was pickled.

    Raises:
        WeightsError: If its files are missing, or others than when it was pickled.
    """
    folder = loaded.folder
    if not folder.is_dir() and (PACKAGED / folder.name / CARD).is_file():
        folder = PACKAGED / folder.name  # the package lies elsewhere on another machine
    model = load_model(folder, runtime=loaded.runtime, threads=loaded.threads, precision=precision)
    if model.card.sha256 != card.sha256:
        raise WeightsError(
            f"{folder} has other weights than the tracker that was pickled: load that model again"
        )
    return Model(card, model.runtime, precision, model.loaded, model.refiner)


def model_made(name: str | Path, runtime: str, precision: str = "auto") -> dict[str, Any]:
    """Return what tells one model from another: its files, settings, precision and engine.

    Raises:
        WeightsError: If there is no such model, or not in this precision.
        UnknownNameError: If there is no such model or engine.
    """
    card = read_card(model_folder(name))
    engine, chosen = choose_engine(card, runtime, precision)  # type: ignore[arg-type]
    files = json.dumps(sorted(card.sha256.items()))
    return {
        "model": f"{card.name} {hashlib.sha256(files.encode()).hexdigest()[:12]}",
        "settings": to_dict(card.tracker),
        "runtime": engine,
        "precision": chosen,
    }
