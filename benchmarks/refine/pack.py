"""Make the two graphs of a refiner from a checkpoint: reference.onnx and refine.onnx.

python benchmarks/refine/pack.py runs/refine/checkpoint.pt --out models/refine
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn

from siamtrack.models.graphs import write_graph
from siamtrack.models.refine import SIDE, RefineNetwork
from siamtrack.packages.quantize import half_weights


class Reference(nn.Module):
    def __init__(self, network: RefineNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, patch: Tensor, size: Tensor) -> Tensor:
        return self.network.remember(patch, size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    model = RefineNetwork()
    model.load_state_dict(torch.load(options.checkpoint, weights_only=True)["average"])
    model.eval()
    options.out.mkdir(parents=True, exist_ok=True)
    patch, size = torch.zeros(1, SIDE, SIDE, 3, dtype=torch.uint8), torch.full((1, 2), 0.6)
    with torch.no_grad():
        memory = model.remember(patch, size)
    halves = (
        ("reference", Reference(model).eval(), (patch, size), ("patch", "size"), ("memory",)),
        ("refine", model, (patch, size, memory), ("patch", "size", "memory"), ("sides", "spread")),
    )
    for name, module, example, inputs, outputs in halves:
        file = options.out / f"{name}.onnx"
        free = {each: {0: "batch"} for each in (*inputs, *outputs)}
        write_graph(module, example, file, inputs=inputs, outputs=outputs, free=free)
        file.write_bytes(half_weights(file.read_bytes()))
        print(f"{file}: {file.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
