"""Make the package's network of masks from a checkpoint: mask.onnx and mask.json.

python benchmarks/masks/pack.py runs/masks/checkpoint.pt --name mask-1
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import torch

from siamtrack.models.files import write_graph
from siamtrack.models.masks import SIDE, MaskNetwork
from siamtrack.packages.quantize import half_weights
from siamtrack.tracking.outline import CARD, GRAPH, PACKAGED, MaskCard

SUMMARY = (
    "Outlines the object in a box of any tracker, whatever kind it is; thin parts and objects that "
    "hide each other are its weak sides."
)
LICENSE = "Apache-2.0"
TRAINED_ON = (
    "stills of COCO, VOC 2007, Oxford pets, Weizmann horses and endangered animals, clips of DAVIS "
    "2016 train, SegTrack v2, schoolgirls and salient boundary (benchmarks/masks/README.md), "
    "{steps:,} steps of 16; most of these pictures allow research only, and none is distributed; "
    "encoder from ImageNet"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--out", type=Path, default=PACKAGED)
    parser.add_argument("--name", required=True)
    parser.add_argument("--before", type=int, default=0, help="steps of the run it began with")
    parser.add_argument("--scores", type=Path, help="JSON that evaluate.py wrote")
    options = parser.parse_args()
    state = torch.load(options.checkpoint, weights_only=True)
    model = MaskNetwork()
    model.load_state_dict(state["average"])
    model.eval()
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / GRAPH
    example = (torch.zeros(1, SIDE, SIDE, 3, dtype=torch.uint8), torch.full((1, 2), 0.6))
    names = ("patch", "size", "mask")
    free = {name: {0: "batch"} for name in names}
    write_graph(model, example, file, inputs=names[:2], outputs=names[2:], free=free)
    file.write_bytes(half_weights(file.read_bytes()))
    card = MaskCard(
        name=options.name,
        summary=SUMMARY,
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        license=LICENSE,
        trained_on=TRAINED_ON.format(steps=options.before + state["step"]),
        scores=json.loads(options.scores.read_text())["scores"] if options.scores else {},
    )
    (options.out / CARD).write_text(json.dumps(asdict(card), indent=2) + "\n")
    print(f"{file}: {file.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
