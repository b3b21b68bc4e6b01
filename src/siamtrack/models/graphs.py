"""The two graphs of a tracking network, and the one place that calls torch's ONNX exporter.

One graph runs once a target, the other in each frame. They are what is exported and what the torch
runtime runs, with names and shapes as in `siamtrack.runtimes.base.Graphs`.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from siamtrack.models.network import Network

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
