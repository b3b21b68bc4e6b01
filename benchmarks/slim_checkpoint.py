"""Keep what another run starts from: averaged weights in half precision, without the optimizer.

    python benchmarks/slim_checkpoint.py runs/third/checkpoint.pt benchmarks/base/checkpoint.pt

Give the result as `initial`; a run itself is resumed from its own checkpoint.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from torch import Tensor

from siamtrack.training import checkpoint


def halved(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return floating tensors in half precision, the others as they are."""
    return {
        name: value.half() if value.is_floating_point() else value
        for name, value in weights.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    state = checkpoint.read(given.checkpoint)
    weights = halved(state["average"])  # one set of tensors, which is stored once
    changed = {
        "model": weights,
        "average": weights,
        "optimizer": {"state": {}, "param_groups": []},
        "teacher": halved(state.get("teacher") or {}),
    }
    checkpoint.save(given.out, {**state, **changed})
    print(f"wrote {given.out}, {given.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
