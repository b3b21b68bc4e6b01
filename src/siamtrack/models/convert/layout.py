"""Checkpoints of other projects: read without running them, and converted tensor by tensor.

A layout says how one project names its tensors; all are converted in one way, by name.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn

from siamtrack.core.registry import Registry
from siamtrack.core.settings import TrackerSettings
from siamtrack.errors import WeightsError
from siamtrack.models.network import Network

State = Mapping[str, Tensor]
COUNTER = ".num_batches_tracked"  # of batch norms; older checkpoints lack it, inference ignores it


class Layout:
    """How one project names its tensors, and which network of ours they belong to.

    Attributes:
        bgr: Whether the project feeds pictures as BGR. The first convolution is turned round, so
            that every converted network takes RGB in [0, 255].
        first: Name, in our network, of the first convolution.
        own: Names in our network that the project keeps as constants in its code.
    """

    bgr: bool = False
    first: str = ""
    own: tuple[str, ...] = ()

    def recognizes(self, state: State) -> bool:
        """Say whether a state dict is of this layout."""
        raise NotImplementedError

    def build(self, state: State) -> Network:
        """Build the network that the shapes in the state dict tell of, with any weights.

        Raises:
            KeyError: If a tensor that tells of the structure is missing.
            WeightsError: If the network is one that we do not have.
        """
        raise NotImplementedError

    def rename(self, name: str) -> str | None:
        """Give our name for a tensor, None if we have none."""
        raise NotImplementedError

    def tracker(self, network: Network) -> TrackerSettings:
        """Return the settings with which the project's own tracker runs the network."""
        return network.own_head.settings


LAYOUTS: Registry[Layout] = Registry("checkpoint layout")


def convert(
    checkpoint: str | Path | Mapping[str, Any], layout: str | None = None, strict: bool = True
) -> tuple[Network, Report]:
    """Turn a checkpoint of another project into a network of ours.

    Args:
        checkpoint: The file, or what was read from it.
        layout: One of `LAYOUTS`; recognized by the names if None.
        strict: Whether tensors without a place in our network are an error too. Tensors that are
            missing or of another shape always are.

    Returns:
        The network in eval mode, which takes RGB pictures in [0, 255], and the report.

    Raises:
        UnknownNameError: If the layout is none of ours.
        WeightsError: If the file cannot be read, is of an unknown layout or architecture, or its
            tensors do not match; the message names each of them. No network is returned then.
    """
    if isinstance(checkpoint, Mapping):
        where, state = "the checkpoint", state_of(checkpoint)
    else:
        where, state = str(checkpoint), read_tensors(checkpoint)
    name = layout or next((each for each in LAYOUTS if LAYOUTS[each].recognizes(state)), None)
    if name is None:
        raise WeightsError(
            f"{where}: {len(state)} tensors such as {next(iter(state))!r} are in none of the "
            f"layouts {', '.join(LAYOUTS)}"
        )
    kind = LAYOUTS[name]
    try:
        model = kind.build(state)
    except KeyError as error:
        raise WeightsError(
            f"{where} is no whole checkpoint of layout {name}: it lacks {error}"
        ) from error
    except WeightsError:
        raise
    except (IndexError, ValueError, ArithmeticError) as error:  # shapes that fit no network
        raise WeightsError(
            f"{where} has shapes of no network of layout {name} ({error})"
        ) from error
    found, report = match(model, state, kind.rename, kind.own)
    if report.missing or report.misshapen or (strict and report.unused):
        raise WeightsError(f"{where} does not fit layout {name}: {report.text()}")
    if kind.bgr:
        found[kind.first] = found[kind.first].flip(1)
    model.load_state_dict({**model.state_dict(), **found})
    model.own_head.settings = kind.tracker(model)
    return model.eval(), report


@dataclass(frozen=True)
class Report:
    """Which tensors of a checkpoint found their place in a network.

    Attributes:
        loaded: Names in the network that were filled.
        missing: Names in the network that the checkpoint does not fill.
        unused: Names in the checkpoint that have no place in the network.
        misshapen: Names in the checkpoint whose place has another shape, with both shapes.
    """

    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unused: tuple[str, ...]
    misshapen: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether every name on both sides found its partner."""
        return not (self.missing or self.unused or self.misshapen)

    def text(self) -> str:
        """Say how many tensors were matched, and name each one that was not."""
        lines = [f"{len(self.loaded)} tensors fit"]
        for what in ("missing", "unused", "misshapen"):
            names = getattr(self, what)
            if names:
                lines.append(f"{len(names)} {what}: {', '.join(names)}")
        return "; ".join(lines)


def match(
    network: nn.Module,
    state: Mapping[str, Tensor],
    rename: Callable[[str], str | None],
    own: Collection[str] = (),
) -> tuple[dict[str, Tensor], Report]:
    """Find the place of each tensor of a checkpoint, without changing the network.

    `rename` gives the network's name for the checkpoint's, or None if there is none; `own` are
    names in the network that no checkpoint of this kind has.

    Returns:
        Tensors by the names of the network, and the report.
    """
    places = network.state_dict()
    found: dict[str, Tensor] = {}
    unused, misshapen = [], []
    wrong: set[str] = set()
    for name, value in state.items():
        place = rename(name)
        if place is None or place not in places:
            if not name.endswith(COUNTER):
                unused.append(name)
        elif places[place].shape != value.shape:
            given, expected = tuple(value.shape), tuple(places[place].shape)
            misshapen.append(f"{name} {given} for {place} {expected}")
            wrong.add(place)
        else:
            found[place] = value
    known = found.keys() | wrong | set(own)
    missing = [place for place in places if place not in known and not place.endswith(COUNTER)]
    return found, Report(tuple(found), tuple(missing), tuple(unused), tuple(misshapen))


INSIDE = ("state_dict", "model_state_dict", "model")  # where checkpoints keep their weights
PREFIX = "module."  # put before every name by torch's wrappers for several GPUs


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """Read the weights of a `.safetensors` file or of a file written by `torch.save`.

    No code in the file is run: one that holds other objects than tensors, numbers and containers
    is refused.

    Args:
        path: The file.

    Returns:
        Tensors by name, on the CPU, without the prefix of a parallel wrapper.

    Raises:
        WeightsError: If the file is missing, cut off or otherwise damaged, holds other objects, or
            holds no tensors.
    """
    file = Path(path)
    if not file.is_file():
        raise WeightsError(f"{file}: no such file")
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            return state_of(load_file(file), str(file))
        return state_of(load_tensors(file), str(file))
    except UnpicklingError as error:
        raise WeightsError(
            f"{file} is damaged or no checkpoint, or it holds Python objects other than tensors, "
            "which loading would run as code: where you trust it, save its state dict alone"
        ) from error
    except WeightsError:
        raise
    except Exception as error:  # torch, zipfile and safetensors each have their own
        reason = str(error).split("\n")[0] or type(error).__name__
        raise WeightsError(f"{file} is damaged or no checkpoint ({reason})") from error


def state_of(content: Any, where: str = "the checkpoint") -> dict[str, Tensor]:
    """Find the state dict in what a checkpoint holds: itself, or its `state_dict` or `model`.

    Raises:
        WeightsError: If there is none in it, or a value in it is not finite; it names `where`.
    """
    for key in INSIDE:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(f"{where} holds no state dict: expected tensors by name")
    state = {}
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise WeightsError(
                f"{where} holds no state dict: {name!r} is {type(value).__name__}, not a tensor"
            )
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise WeightsError(f"{where}: {name} holds values that are not finite")
        state[name] = value
    if all(name.startswith(PREFIX) for name in state):
        state = {name[len(PREFIX) :]: value for name, value in state.items()}
    return state


def load_tensors(path: Path) -> Any:
    """Return the tensors, numbers and containers in a file of `torch.save`, on the CPU.

    `torch.save` stores and never compresses, so that nothing in a file is larger than the file; a
    file with compressed parts is of another hand and could fill the memory.

    Raises:
        UnpicklingError: If the file holds other objects, which loading would run as code.
        ValueError: If parts of it are compressed.
        Exception: Whatever torch raises on damaged files.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for part in archive.infolist():
                if part.compress_type != zipfile.ZIP_STORED:
                    raise ValueError(
                        f"{part.filename} is compressed, as torch.save never writes it"
                    )
    with warnings.catch_warnings():
        # what it cannot read it refuses, so that there is nothing to warn of
        warnings.filterwarnings("ignore", "Detected pickle protocol", UserWarning)
        return torch.load(path, map_location="cpu", weights_only=True)
