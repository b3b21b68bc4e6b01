"""Several processes that train one network, as `torchrun` starts them.

Each takes its part of every batch, gradients are averaged, and all take the same step. Averaging is
one line of the loop rather than a wrapper round the network: which stages train changes in the
course of a run, and backbone, head and teacher are called apart.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed

PATIENCE = timedelta(hours=2)
"""How long processes wait for each other: the first one validates while the others wait."""


@dataclass(frozen=True)
class Ranks:
    """This process among those of a run.

    Attributes:
        number: Its number, from 0.
        count: How many there are.
    """

    number: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the one that logs, validates and writes checkpoints."""
        return self.number == 0

    def part(self, batch: int) -> range:
        """Return which pairs of a batch this process takes.

        Raises:
            ValueError: If they cannot be shared evenly.

        Example:
            >>> Ranks(1, 4).part(32)
            range(8, 16)
        """
        if batch % self.count:
            raise ValueError(
                f"batch {batch} on {self.count} processes: give a batch that they can share evenly"
            )
        size = batch // self.count
        return range(self.number * size, (self.number + 1) * size)

    def average(self, tensors: Iterable[Tensor | None]) -> None:
        """Replace each tensor by its mean over the processes, in one exchange.

        Every process gives as many of the same shapes; None is left out.
        """
        if self.count == 1:
            return
        known = [tensor for tensor in tensors if tensor is not None]
        flat = torch.cat([tensor.detach().reshape(-1).float() for tensor in known])
        distributed.all_reduce(flat)
        flat /= self.count
        means = torch.split(flat, [tensor.numel() for tensor in known])
        for tensor, mean in zip(known, means, strict=True):
            tensor.detach().copy_(mean.view(tensor.shape))

    def begin_alike(self, tensors: Iterable[Tensor], data: str) -> None:
        """Give all processes the first one's tensors.

        Raises:
            ValueError: If this process has other data (fingerprint `data`) than the first.
        """
        if self.count == 1:
            return
        given = [data]
        distributed.broadcast_object_list(given)
        if given[0] != data:
            raise ValueError(
                f"process {self.number} has other training data (fingerprint {data[:12]}) than "
                f"process 0 ({given[0][:12]}): give all machines the same data"
            )
        for tensor in tensors:
            distributed.broadcast(tensor, 0)


def join(device: str) -> Ranks:
    """Return this process's place among those that `torchrun` started; alone without it.

    Processes on a CPU talk by gloo, those on CUDA by nccl, and each takes its own GPU.

    Raises:
        ValueError: If there are more processes than GPUs on this machine.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Ranks()
    if not distributed.is_initialized():
        cuda = torch.device(device).type == "cuda"
        if cuda:
            local = int(os.environ.get("LOCAL_RANK", "0"))
            if local >= torch.cuda.device_count():
                raise ValueError(
                    f"process {local} on a machine with {torch.cuda.device_count()} GPUs: give "
                    "torchrun --nproc-per-node no more than that"
                )
            torch.cuda.set_device(local)
        distributed.init_process_group("nccl" if cuda else "gloo", timeout=PATIENCE)
        atexit.register(distributed.destroy_process_group)
    return Ranks(distributed.get_rank(), distributed.get_world_size())
