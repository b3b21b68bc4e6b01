"""Counts by which a loss is divided, where its batch may be part of a larger one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

Mean = Callable[[Tensor], Tensor]

_parts: ContextVar[tuple[Mean, int] | None] = ContextVar("parts of a batch", default=None)


@contextmanager
def counting(mean: Mean, parts: int) -> Iterator[None]:
    """Let losses inside divide by the mean of their counts over the parts of a batch.

    Args:
        mean: From the count of this part, shape (), to the mean over all parts.
        parts: How many there are.
    """
    token = _parts.set((mean, parts))
    try:
        yield
    finally:
        _parts.reset(token)


def shared_count(count: Tensor | int, like: Tensor) -> Tensor:
    """Return what to divide a batch's sum by: its count, or inside `counting` the parts' mean.

    The mean over the parts of sum / shared count is then the sum of the whole batch over its count,
    as if it was computed at once, however unevenly the counted cells are spread.

    Args:
        count: Shape (); how many terms were summed here, without a gradient.
        like: Tensor whose device and floating dtype the result has.

    Returns:
        Shape (); that of the whole batch counts as 1 at least.
    """
    total = torch.as_tensor(count, device=like.device).detach().to(like.dtype)
    mean, parts = _parts.get() or (None, 1)
    return (total if mean is None else mean(total)).clamp(min=1 / parts)
