"""Counts by which a loss is divided, when a batch is spread over processes."""

from __future__ import annotations

import torch
from torch import Tensor, distributed


def shared_count(count: Tensor | int, like: Tensor) -> Tensor:
    """Return what to divide a batch's sum by: its count, or the mean of those of all processes.

    The mean over processes of sum / shared count is then the sum of the whole batch over its count,
    as one process would compute it, however unevenly the counted cells are spread. Every process of
    a group has to call it as often as the others.

    Args:
        count: Shape (); how many terms were summed here, without a gradient.
        like: Tensor whose device and floating dtype the result has.

    Returns:
        Shape (); that of the whole batch counts as 1 at least.
    """
    total = torch.as_tensor(count, device=like.device).detach().to(like.dtype)
    if not (distributed.is_available() and distributed.is_initialized()):
        return total.clamp(min=1.0)
    total = total.clone()
    distributed.all_reduce(total)
    return total.clamp(min=1.0) / distributed.get_world_size()
