"""Mean of the averaged weights of two checkpoints of one structure; a checkpoint again.

    python benchmarks/average_checkpoints.py first.pt second.pt --share 0.6 --out mean.pt

Weights of runs that began with the same ones lie in one valley; their mean is often better than
either (Wortsman et al., "Model soups", ICML 2022, https://arxiv.org/abs/2203.05482). The rest of
the checkpoint is that of the second, without its optimizer's state.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from siamtrack.training import checkpoint


def mean(first: dict, second: dict, share: float) -> dict:
    """Mix weights by name; whole numbers, such as counts of batches, are those of the second."""
    if first.keys() != second.keys():
        raise ValueError(f"other weights in each: {sorted(first.keys() ^ second.keys())[:4]} ...")
    return {
        name: (first[name] * (1 - share) + value * share).to(value.dtype)
        if value.is_floating_point()
        else value
        for name, value in second.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("--share", type=float, default=0.5, help="of the second, in [0, 1]")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    first, second = checkpoint.read(given.first), checkpoint.read(given.second)
    weights = mean(first["average"], second["average"], given.share)
    optimizer = {"state": {}, "param_groups": []}
    changed = {"model": weights, "average": weights, "optimizer": optimizer}
    checkpoint.save(given.out, {**second, **changed})
    print(f"wrote {given.out}")


if __name__ == "__main__":
    main()
