"""A checkpoint of a SiamFC network some times as wide that computes the same, to train on from.

    python benchmarks/widen_checkpoint.py benchmarks/ciresnet22/triplet.pt --times 4 --out wide.pt

After Chen et al., "Net2Net", ICLR 2016, https://arxiv.org/abs/1511.05641: every channel becomes
several, and what reads them divides by as many. `--noise` changes each weight by so large a part of
itself, since copies that are equal would stay equal.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import torch

from siamtrack.core.config import to_dict
from siamtrack.training import checkpoint


def widened(
    weights: dict[str, torch.Tensor], times: int, noise: float, seed: int
) -> dict[str, torch.Tensor]:
    """Return the weights of a network `times` as wide; all are those of convolutions or norms."""
    generator, found = torch.Generator().manual_seed(seed), {}
    for name, values in weights.items():
        if values.ndim == 4:
            inputs = 1 if values.shape[1] == 3 else times
            values = values.repeat(times, inputs, 1, 1) / inputs
            values = values * (1 + noise * torch.randn(values.shape, generator=generator))
        elif values.ndim == 1:
            values = values.repeat(times)
        elif name == "head.scale":  # of a sum over all channels
            values = values / times
        found[name] = values.clone()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--times", type=int, default=4)
    parser.add_argument("--noise", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    state = checkpoint.read(given.checkpoint)
    config = checkpoint.config_of(state)
    weights = widened(state["average"], given.times, given.noise, given.seed)
    model = replace(config.model, width=config.model.width * given.times)
    replace(config, model=model).network().load_state_dict(weights)  # or says what differs
    values = to_dict(config) | {"model": to_dict(model)}
    optimizer = {"state": {}, "param_groups": []}
    changed = {"config": json.dumps(values), "model": weights, "average": weights}
    checkpoint.save(given.out, {**state, **changed, "optimizer": optimizer})
    print(f"wrote {given.out}")


if __name__ == "__main__":
    main()
