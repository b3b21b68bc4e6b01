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
        # torch says at each call that it has a newer exporter; our graphs are made, tested and
        # quantised with this one
        warnings.filterwarnings(
            "ignore", "You are using the legacy TorchScript-based ONNX export", DeprecationWarning
        )
        # of slices with a step, which it leaves in the graph as they are
        warnings.filterwarnings("ignore", "Constant folding - Only steps=1", UserWarning)
        graph: Any = (
            io.BytesIO()
        )  # on a full disk torch itself would raise what says nothing of disks
        torch.onnx.export(
            module, example, graph, input_names=list(inputs), output_names=list(outputs),
            dynamic_axes=None if free is None else {name: dict(of) for name, of in free.items()},
            opset_version=OPSET, dynamo=False,
        )  # fmt: skip
    Path(file).write_bytes(graph.getvalue())
