"""Networks as ONNX files: the one place that calls torch's exporter."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

OPSET = 17
NOT_OURS: tuple[tuple[str, type[Warning]], ...] = (
    # at each call: it has a newer exporter. Our graphs are made, tested and quantised with this one
    ("You are using the legacy TorchScript-based ONNX export", DeprecationWarning),
    # of a function that the exporter itself calls
    ("The feature will be removed", DeprecationWarning),
    # of slices with a step, which it leaves in the graph as they are
    ("Constant folding - Only steps=1", UserWarning),
)
"""How warnings begin that torch's exporter gives of itself."""


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

    Raises:
        OSError: If the file cannot be written.
    """
    with warnings.catch_warnings():
        for words, kind in NOT_OURS:
            warnings.filterwarnings("ignore", words, kind)
        graph: Any = io.BytesIO()  # torch itself says nothing of disks where one is full
        torch.onnx.export(
            module, example, graph, input_names=list(inputs), output_names=list(outputs),
            dynamic_axes=None if free is None else {name: dict(of) for name, of in free.items()},
            opset_version=OPSET, dynamo=False,
        )  # fmt: skip
    Path(file).write_bytes(graph.getvalue())
