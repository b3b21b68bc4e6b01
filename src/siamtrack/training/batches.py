"""From pairs to tensors: batches in order, a few of them prepared ahead by threads."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from siamtrack.data.pairs import Pair
from siamtrack.training.distributed import Ranks

AHEAD = 3
"""Batches in preparation."""


class Draws(Protocol):
    """Anything that gives pair `index`, always the same one."""

    def draw(self, index: int) -> Pair:
        """Draw a pair."""
        ...


class Batch(NamedTuple):
    """B pairs as tensors.

    Attributes:
        template: RGB in [0, 255] (B, 3, T, T), float32, channels last in memory.
        size: Width and height (B, 2) of the target as a share of the template's side.
        search: RGB in [0, 255] (B, 3, S, S), float32, channels last in memory.
        boxes: Targets ltwh (B, 4) in search pixels; zeros where there is none.
        present: Whether the target is in the search patch (B,), 0 or 1.
    """

    template: Tensor
    size: Tensor
    search: Tensor
    boxes: Tensor
    present: Tensor

    def to(self, device: str) -> Batch:
        """Return the batch on a device."""
        return self if device == "cpu" else Batch(*(part.to(device) for part in self))


def collate(pairs: list[Pair]) -> Batch:
    """Stack pairs into a batch."""

    def images(patches: list[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.stack(patches)).permute(0, 3, 1, 2).float()

    return Batch(
        images([pair.template for pair in pairs]),
        torch.from_numpy(np.stack([pair.size for pair in pairs])).float(),
        images([pair.search for pair in pairs]),
        torch.from_numpy(np.stack([pair.box for pair in pairs])).float(),
        torch.tensor([float(pair.present) for pair in pairs]),
    )


def batches(
    sampler: Draws, size: int, first: int, loaders: int, ranks: Ranks | None = None
) -> Generator[Batch, None, None]:
    """Yield batch `first`, `first + 1` and so on for ever; batch i holds pairs i * size onwards.

    Of several processes, each yields its part: together they see what one alone would.

    Args:
        sampler: Where pairs come from; drawn from several threads at once.
        size: Pairs in a batch.
        first: Batch to begin with.
        loaders: Threads that draw; 0: the caller's thread does, when it asks.
        ranks: This process among those of the run; alone if None.

    Raises:
        ValueError: If the processes cannot share a batch evenly.
    """
    part = (ranks or Ranks()).part(size)
    return _batches(sampler, size, part, first, loaders)


def _batches(
    sampler: Draws, size: int, part: range, step: int, loaders: int
) -> Generator[Batch, None, None]:
    if loaders == 0:
        while True:
            yield collate([sampler.draw(step * size + i) for i in part])
            step += 1
    workers = ThreadPoolExecutor(loaders, thread_name_prefix="pairs")
    jobs: dict[int, list[Future[Pair]]] = {}
    try:
        while True:
            for future in range(step, step + AHEAD):
                if future not in jobs:
                    start = future * size
                    jobs[future] = [workers.submit(sampler.draw, start + i) for i in part]
            yield collate([job.result() for job in jobs.pop(step)])
            step += 1
    finally:
        workers.shutdown(wait=False, cancel_futures=True)
