"""Add a refiner to a model: the model with the graphs of a checkpoint, in a folder of its own.

python benchmarks/refine/pack.py runs/refine/checkpoint.pt --model lite --name base --out base
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn

from siamtrack.core.settings import RefineSettings
from siamtrack.models.files import write_graph
from siamtrack.models.refine import SIDE, RefineNetwork
from siamtrack.packages.card import (
    DEFAULT,
    PACKAGED,
    file_key,
    model_files,
    model_folder,
    read_card,
)
from siamtrack.packages.quantize import half_weights
from siamtrack.packages.write import write_card, writing

SETTINGS = RefineSettings(weight=0.8, doubt=1.0, keep=3, every=5)


SUMMARY = (
    "`lite` with a refiner that measures each box anew: the default, for everything; it follows "
    "changes of size and shape further than `lite`."
)
ADDED = " The refiner of `base` measures its boxes anew."
TRAINED_ON = (
    ". Refiner: {steps:,} steps of 16 on boxes of 42 sets and the masks of `mask-2` "
    "(benchmarks/refine/README.md), from the weights of `mask-2`; boxes of 451 tracks were labeled "
    "by LightFC (MIT), none of whose weights are copied; most of these pictures allow research "
    "only, and none is distributed"
)


class Reference(nn.Module):
    """The branch that runs once a target."""

    def __init__(self, network: RefineNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, patch: Tensor, size: Tensor) -> Tensor:
        """Map patches (B, 96, 96, 3) and sizes (B, 2) to memory (B, 180, 35)."""
        return self.network.remember(patch, size)


def graphs(checkpoint: Path) -> dict[str, bytes]:
    """Return both graphs of a checkpoint, with weights in half precision."""
    model = RefineNetwork()
    model.load_state_dict(torch.load(checkpoint, weights_only=True)["average"])
    model.eval()
    patch, size = torch.zeros(1, SIDE, SIDE, 3, dtype=torch.uint8), torch.full((1, 2), 0.6)
    with torch.no_grad():
        memory = model.remember(patch, size)
    halves = (
        ("reference", Reference(model).eval(), (patch, size), ("patch", "size"), ("memory",)),
        ("refine", model, (patch, size, memory), ("patch", "size", "memory"), ("sides",)),
    )
    made = {}
    with TemporaryDirectory() as place:
        for name, module, example, inputs, outputs in halves:
            file = Path(place) / f"{name}.onnx"
            free = {each: {0: "batch"} for each in (*inputs, *outputs)}
            if "memory" in inputs:
                free["memory"][1] = "cells"
            write_graph(module, example, file, inputs=inputs, outputs=outputs, free=free)
            made[file.name] = half_weights(file.read_bytes())
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--model", default="lite")
    parser.add_argument("--name", default="base")
    parser.add_argument("--version", default="")
    parser.add_argument("--steps", type=int, default=0, help="steps of all runs that led to it")
    parser.add_argument("--scores", type=Path, help="JSON for the card")
    parser.add_argument("--feed", type=float, default=0.0, help="see RefineSettings")
    parser.add_argument("--rate", type=float, help="size_rate of the tracker, if not as it is")
    parser.add_argument("--shares", help="leave out the files that this packaged model has too")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    source = model_folder(options.model)
    card = read_card(source)
    tracker = replace(card.tracker, refine=replace(SETTINGS, feed=options.feed))
    if options.rate is not None:
        tracker = replace(tracker, size_rate=options.rate)
    card = replace(
        card,
        name=options.name,
        version=options.version,
        tracker=tracker,
        summary=SUMMARY if options.name == DEFAULT else card.summary + ADDED,
        trained_on=card.trained_on + TRAINED_ON.format(steps=options.steps),
        scores=json.loads(options.scores.read_text()) if options.scores else {},
    )
    with writing(options.out, card, source) as draft:
        for name, data in graphs(options.checkpoint).items():
            draft.put(name, data)
            print(f"{name}: {len(data) / 1e6:.2f} MB")
    if options.shares:
        # For the package: what that model has as well lies there once
        there, card = PACKAGED / options.shares, read_card(options.out)
        for name in model_files(card):
            same = read_card(there).sha256.get(file_key(name)) == card.sha256[file_key(name)]
            if same and (there / name).is_file():
                (options.out / name).unlink()
        write_card(options.out, replace(card, shares=options.shares))


if __name__ == "__main__":
    main()
