"""A network as files: its two ONNX graphs, and one `.safetensors` file with its structure.

Of the graphs one runs once a target, the other in each frame. They are what is exported and what
the torch runtime runs, with names and shapes as in `siamtrack.runtimes.base.Graphs`. Nothing in a
`.safetensors` file is ever run, unlike in a pickle, in TorchScript and in torch.export's `.pt2`,
which `torch.export.load` unpickles.
"""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from siamtrack.core.config import from_dict, parse_json, to_dict
from siamtrack.errors import WeightsError
from siamtrack.models.convert import convert
from siamtrack.models.network import BoxTrackerConfig, Network, SiamFCConfig, build_network

OPSET = 17
NOT_OURS: tuple[tuple[str, type[Warning]], ...] = (
    # at each call: it has a newer exporter. Our graphs are made, tested and quantized with this one
    ("You are using the legacy TorchScript-based ONNX export", DeprecationWarning),
    # of a function that the exporter itself calls
    ("The feature will be removed", DeprecationWarning),
    # of slices with a step, which it leaves in the graph as they are
    ("Constant folding - Only steps=1", UserWarning),
)
"""How warnings begin that torch's exporter gives of itself."""


@dataclass(frozen=True)
class Half:
    """One of the two graphs: module, names of inputs and outputs, inputs of a batch of one."""

    module: nn.Module
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    example: tuple[Tensor, ...]


def split(network: Network) -> tuple[Half, Half]:
    """Return the half for templates and the half for search patches, in eval mode.

    The halves share the weights of `network`, and live where it does.
    """
    head = network.own_head
    device = next(network.parameters()).device
    first, second = (
        torch.zeros(1, side, side, 3, dtype=torch.uint8, device=device) for side in network.sides
    )
    embed, search = _Template(network).eval(), _Search(network).eval()
    given = (first, torch.full((1, 2), 0.5, device=device)) if head.sized else (first,)
    with torch.no_grad():
        kernel = embed(*given)
    return (
        Half(embed, ("template", "size")[: len(given)], ("kernel",), given),
        Half(search, ("kernel", "search"), head.outputs, (kernel, second)),
    )


class _Template(nn.Module):
    """uint8 (B, T, T, 3), and the size (B, 2) where the head needs it, to the kernel."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, template: Tensor, size: Tensor | None = None) -> Tensor:
        return self.network.embed(_planes(template), size)


class _Search(nn.Module):
    """Kernel and uint8 (B, S, S, 3) to what the head answers."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, kernel: Tensor, search: Tensor) -> Tensor | tuple[Tensor, ...]:
        features = self.network.features(_planes(search))
        found = self.network.own_head.answer(kernel, features)
        return found[0] if len(found) == 1 else found


def _planes(patches: Tensor) -> Tensor:
    return patches.permute(0, 3, 1, 2).float()


def write_graph(
    module: nn.Module,
    example: tuple[Tensor, ...],
    file: str | Path,
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    free: Mapping[str, Mapping[int, str]] | None = None,
) -> None:
    """Write a module as an ONNX graph; batch statistics are folded into the convolutions.

    Args:
        module: In the mode, eval or train, that the graph shall have.
        example: Inputs as the graph will get them; sizes that are not free are constants after it.
        file: File to write or replace.
        inputs: Names of the inputs.
        outputs: Names of the outputs.
        free: Name of an input or output to its dimensions without a fixed size, and their names.
    """
    with warnings.catch_warnings():
        for words, kind in NOT_OURS:
            warnings.filterwarnings("ignore", words, kind)
        graph: Any = io.BytesIO()  # torch itself says nothing of disks where one is full
        torch.onnx.export(
            module,
            example,
            graph,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=None if free is None else {name: dict(of) for name, of in free.items()},
            opset_version=OPSET,
            dynamo=False,
        )
    Path(file).write_bytes(graph.getvalue())


STRUCTURE = "structure"
"""Key of the JSON in the file's metadata. Files without it are of another project."""


def to_bytes(network: Network, original: Mapping[str, Tensor] | None = None) -> bytes:
    """Return the file of a network.

    One of another project needs the tensors that it was converted from, which tell its structure.

    Raises:
        ValueError: If such a network comes without them.
    """
    from safetensors.torch import save

    if network.config is None:
        if original is None:
            raise ValueError(
                "a network of another project: expected the tensors that it was converted from"
            )
        return bytes(save({name: value.contiguous() for name, value in original.items()}))
    state = _without_companion(network.state_dict())
    weights = {name: value.cpu().contiguous() for name, value in state.items()}
    return bytes(save(weights, {STRUCTURE: json.dumps(to_dict(network.config))}))


def from_bytes(data: bytes, where: str) -> Network:
    """Build the network of a file of `to_bytes`, in eval mode; `where` names the file in messages.

    Raises:
        WeightsError: If it is no such file.
    """
    from safetensors.torch import load

    try:
        state = load(data)
        structure = _metadata(data).get(STRUCTURE)
        if structure is None:
            return convert(state)[0]
        network = _build(parse_json(structure))
        network.load_state_dict(_without_companion(state))
    except Exception as error:  # safetensors, JSON and torch each have their own
        raise WeightsError(f"{where} holds no network ({error}); export the model again") from error
    return network.eval()


def _without_companion(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Leave out the second head, which only training uses; files of version 0.1 may have it."""
    return {name: value for name, value in state.items() if not name.startswith("companion.")}


def _metadata(data: bytes) -> Mapping[str, Any]:
    """Read the JSON at the head of the file, whose length are its first eight bytes."""
    end = 8 + int.from_bytes(data[:8], "little")
    found: Mapping[str, Any] = parse_json(data[8:end]).get("__metadata__", {})
    return found


def _build(structure: Any) -> Network:
    if not isinstance(structure, Mapping):
        raise TypeError(f"its structure is {type(structure).__name__}, not an object")
    form = SiamFCConfig if structure.get("kind") == "siamfc" else BoxTrackerConfig
    return build_network(from_dict(form, structure))
