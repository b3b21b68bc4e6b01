"""From pairs to batches: drawn in order by threads or processes, or with much computed ahead."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from siamtrack.data.pairs import Pair
from siamtrack.training.distributed import Ranks

AHEAD = 3
"""Batches in preparation, beyond the pairs of a block that are used again."""


class Draws(Protocol):
    """Anything that gives pair `index`, always the same one."""

    def draw(self, index: int) -> Pair:
        """Draw a pair."""
        ...


@dataclass(frozen=True, slots=True)
class Prepared:
    """One pair without its pictures, in half precision.

    Attributes:
        stages: So many first stages of the backbone have been run.
        arrays: What they gave for the template (C, h, w) and the search patch (C, H, W); then, with
            a teacher, the four parts of a `Lesson`.
        pair: Where it comes from; its pictures are empty.
    """

    stages: int
    arrays: tuple[NDArray[np.float16], ...]
    pair: Pair


class Lesson(NamedTuple):
    """What a tracking network answers to B pairs, for a student to learn.

    Attributes:
        template: Its template features (B, C, t, t).
        search: Its search features (B, C, s, s); cell (j, i) stands at the search pixel
            (16 i, 16 j), as the student's.
        score: Its score map (B, s, s) in [0, 1]; cell (j, i) covers the search pixels from 16 i and
            16 j on.
        box: Its best box ltwh (B, 4) in search pixels.
    """

    template: Tensor
    search: Tensor
    score: Tensor
    box: Tensor


class Batch(NamedTuple):
    """B pairs as tensors, float32, channels last in memory; pictures are uint8 until `to`.

    Attributes:
        template: RGB in [0, 255] (B * K, 3, T, T), or what the first `stages` stages of the
            backbone have made of it (B * K, C, h, w); the K templates of a pair lie one after the
            other.
        size: Width and height (B * K, 2) of the target as a share of the template's side.
        search: The same of the search patches, (B, 3, S, S) or (B, C, H, W).
        boxes: Targets ltwh (B, 4) in search pixels; zeros where there is none.
        present: Whether the target is in the search patch (B,), 0 or 1.
        stages: Stages of the backbone that have been run; 0 for pictures.
        lesson: What a teacher answered ahead; None without one.
    """

    template: Tensor
    size: Tensor
    search: Tensor
    boxes: Tensor
    present: Tensor
    stages: int = 0
    lesson: Lesson | None = None

    @property
    def templates(self) -> int:
        """Templates of each pair, K."""
        return len(self.template) // len(self.search)

    def to(self, device: str) -> Batch:
        """Return the batch on a device, all of it float32.

        Pictures travel as bytes, a quarter of the size. To CUDA they go from pinned memory, while
        the device computes.
        """
        pins = torch.device(device).type == "cuda"

        def move(part: Tensor) -> Tensor:
            part = part.pin_memory() if pins and part.device.type == "cpu" else part
            return part.to(device, non_blocking=pins).float()

        template, size, search, boxes, present = (move(part) for part in self[:5])
        lesson = self.lesson and Lesson(*(move(part) for part in self.lesson))
        return Batch(template, size, search, boxes, present, self.stages, lesson)


Arrays = tuple[NDArray[Any], ...]
"""Template, size, search, boxes and present of B pairs as in `Batch`, but channels come last."""


def stacked(pairs: list[Pair]) -> Arrays:
    """Stack pairs into arrays, pictures (B, S, S, 3) as uint8 and the rest as float32."""
    templates = [each for pair in pairs for each in pair.templates]
    return (
        np.stack([patch for patch, _ in templates]),
        np.stack([size for _, size in templates]).astype(np.float32),
        np.stack([pair.search for pair in pairs]),
        np.stack([pair.box for pair in pairs]).astype(np.float32),
        np.array([pair.present for pair in pairs], np.float32),
    )


def as_batch(arrays: Arrays) -> Batch:
    """Return stacked pairs as tensors, without a copy."""
    template, size, search, boxes, present = map(torch.from_numpy, arrays)
    pictures = (each.permute(0, 3, 1, 2) for each in (template, search))
    return Batch(next(pictures), size, next(pictures), boxes, present)


def collate(pairs: list[Pair]) -> Batch:
    """Stack pairs into a batch, pictures as uint8."""
    return as_batch(stacked(pairs))


def collate_prepared(pairs: list[Prepared]) -> Batch:
    """Stack prepared pairs into a batch."""
    arrays = [
        torch.from_numpy(np.stack(parts)).float()
        for parts in zip(*(pair.arrays for pair in pairs), strict=True)
    ]
    template, search = (a.contiguous(memory_format=torch.channels_last) for a in arrays[:2])
    lesson = Lesson(*arrays[2:]) if len(arrays) > 2 else None
    plain = collate([pair.pair for pair in pairs])
    stages = pairs[0].stages
    return plain._replace(template=template, search=search, stages=stages, lesson=lesson)


def uses(block: int, pairs: int, repeats: int, seed: int) -> list[int]:
    """Return the order in which a block's pairs are used, each `repeats` times.

    The first time they come in their order, since the later ones may still be in preparation.

    Example:
        >>> sorted(uses(1, 3, 2, 0))
        [3, 3, 4, 4, 5, 5]
    """
    first = block * pairs
    order = list(range(first, first + pairs))
    for turn in range(1, repeats):
        rng = np.random.default_rng((seed, block, turn))
        order += (first + rng.permutation(pairs)).tolist()
    return order


def batches(
    sampler: Draws,
    size: int,
    first: int,
    loaders: int,
    ranks: Ranks | None = None,
    *,
    processes: bool = False,
    prepare: Callable[[Pair], Prepared] | None = None,
    block: int = 0,
    repeats: int = 1,
    seed: int = 0,
) -> Generator[Batch, None, None]:
    """Yield batch `first`, `first + 1` and so on indefinitely, whatever the number of loaders.

    Batch i holds the pairs from i * size on; prepared pairs are used several times, shuffled within
    blocks. Of several processes, each yields its part: together they see what one alone would.

    Args:
        sampler: Where pairs come from; drawn from several threads or processes at once.
        size: Pairs in a batch.
        first: Batch to begin with.
        loaders: Threads that draw and prepare; 0: the caller's thread draws, when it asks.
        ranks: This process among those of the run; alone if None. Each prepares all pairs of a
            block if they are used more than once.
        processes: Whether loaders are processes instead of threads; not with `prepare`. Each has a
            copy of the sampler, and an equal part of its memory of images.
        prepare: What is done with each pair ahead; None: nothing.
        block: Prepared pairs among which the uses are shuffled, a multiple of `size`. As many are
            kept in memory, and twice as many while the next block is prepared.
        repeats: How often each prepared pair is used.
        seed: Seed of the order of uses.

    Raises:
        ValueError: If the processes cannot share a batch evenly.
    """
    part = (ranks or Ranks()).part(size)
    if prepare is None and processes and loaders:
        return _from_processes(sampler, size, first, loaders, part)
    if prepare is None:
        return _ordered(sampler.draw, collate, size, first, loaders, part, size, 1, seed)

    def make(index: int) -> Prepared:
        return prepare(sampler.draw(index))

    return _ordered(
        make, collate_prepared, size, first, max(1, loaders), part, block, repeats, seed
    )


_sampler: Draws | None = None
"""What this process draws from, where it is a loader of another."""


def _begin(sampler: Draws, share: int) -> None:
    global _sampler
    cv2.setNumThreads(1)
    cache = getattr(sampler, "cache", None)
    if cache is not None:
        cache.capacity //= share
    _sampler = sampler


def _drawn(indices: list[int]) -> Arrays:
    assert _sampler is not None
    return stacked([_sampler.draw(index) for index in indices])


def _from_processes(
    sampler: Draws, size: int, first: int, loaders: int, part: range
) -> Generator[Batch, None, None]:
    """Yield batches that processes draw, each a whole one: what travels is a few large arrays."""
    workers = ProcessPoolExecutor(
        loaders, multiprocessing.get_context("spawn"), _begin, (sampler, loaders)
    )
    jobs: deque[Future[Arrays]] = deque()
    number = first
    try:
        while True:
            while len(jobs) < loaders + AHEAD:
                chosen = [number * size + place for place in part]
                jobs.append(workers.submit(_drawn, chosen))
                number += 1
            yield as_batch(jobs.popleft().result())
    finally:
        workers.shutdown(wait=False, cancel_futures=True)


def _ordered(
    make: Callable[[int], Any],
    stack: Callable[[list[Any]], Batch],
    size: int,
    first: int,
    loaders: int,
    part: range,
    block: int,
    repeats: int,
    seed: int,
) -> Generator[Batch, None, None]:
    steps = block * repeats // size
    number, place = divmod(first, steps)
    workers = ThreadPoolExecutor(loaders, thread_name_prefix="pairs") if loaders else None
    jobs: dict[int, Future[Any]] = {}
    begun = number * block
    # Just enough for the first turn through each block, and no more, so that loaders do not take
    # the processor from the training step
    ahead = block * (repeats - 1) // repeats + AHEAD * size
    try:
        while True:
            order = uses(number, block, repeats, seed)
            for step in range(place, steps):
                chosen = order[step * size + part.start : step * size + part.stop]
                if workers is None:
                    yield stack([make(index) for index in chosen])
                    continue
                # Begin what the next batches need
                wanted = number * block + step * size // repeats + ahead
                for index in range(begun, wanted):
                    if repeats > 1 or index % size in part:
                        jobs[index] = workers.submit(make, index)
                begun = max(begun, wanted)
                yield stack([jobs[index].result() for index in chosen])
            # Forget the block
            for index in range(number * block, (number + 1) * block):
                jobs.pop(index, None)
            number, place = number + 1, 0
    finally:
        if workers is not None:
            workers.shutdown(wait=False, cancel_futures=True)
