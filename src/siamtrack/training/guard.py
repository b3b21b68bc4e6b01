"""Numbers that are not finite stop a run, and the batch that made them is kept."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from siamtrack.training.batches import Batch


def check_finite(
    name: str, value: Tensor, batch: Batch, step: int, out: Path, rank: int = 0
) -> None:
    """Stop if a value is not finite, and write the batch to `out/bad_batch.pt`.

    Args:
        name: What the value is.
        value: Shape ().
        batch: The batch that it came from.
        step: Number of the step, from 0.
        out: Folder of the run.
        rank: Number of this process; others than 0 write to `bad_batch_RANK.pt`.

    Raises:
        FloatingPointError: If it is not finite. The weights have not been touched by this step.
    """
    if bool(torch.isfinite(value)):
        return
    file = out / (f"bad_batch_{rank}.pt" if rank else "bad_batch.pt")
    torch.save({"step": step, **batch._asdict()}, file)
    raise FloatingPointError(
        f"step {step}: the {name} is {value.item()}; its batch is in {file}, the last checkpoint "
        "is intact. Lower the rate, or look at the batch"
    )
