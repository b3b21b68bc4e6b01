"""Several processes that train one network, as `torchrun` starts them.

Each takes its part of every batch, gradients are averaged, and all take the same step. Averaging is
one line of the loop rather than a wrapper around the network: which stages train changes in the
course of a run, and backbone, head and teacher are called separately. All communication between the
processes of a run is in this file.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, distributed, nn

from siamtrack.losses.base import counting

PATIENCE = timedelta(hours=2)
"""How long processes wait for each other: the first one validates while the others wait."""


@dataclass(frozen=True)
class Ranks:
    """This process among the `count` of a run; its number is from 0."""

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
        means = torch.split(_mean(flat), [tensor.numel() for tensor in known])
        for tensor, mean in zip(known, means, strict=True):
            tensor.detach().copy_(mean.view(tensor.shape))

    def counts_of_the_batch(self) -> AbstractContextManager[None]:
        """Let losses divide by the counts of the whole batch instead of this process's part.

        The mean of the losses over the processes is then the loss of the whole batch. Every process
        has to compute the same losses inside, since each count is exchanged.
        """
        return nullcontext() if self.count == 1 else counting(_mean, self.count)

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


def _mean(value: Tensor) -> Tensor:
    """Return the mean of a tensor over the processes, without gradient."""
    total = value.detach().clone().contiguous()
    distributed.all_reduce(total)
    return total / distributed.get_world_size()


class _Mean(torch.autograd.Function):
    """Mean of a tensor over processes; so is its gradient."""

    @staticmethod
    def forward(context: Any, value: Tensor) -> Tensor:
        return _mean(value)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return _mean(gradient)


class SyncedBatchNorm2d(nn.BatchNorm2d):
    """Batch norm whose statistics, while it trains, are those of all processes' batches.

    It runs on any device, where torch's own needs GPUs. Processes have batches (B, C, H, W) of one
    shape. Where it does not train, or alone, it is torch's. Statistics are in float32.
    """

    @classmethod
    def like(cls, norm: nn.BatchNorm2d) -> SyncedBatchNorm2d:
        """Return a norm that shares the parameters and statistics of another."""
        new = cls(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        new.weight, new.bias = norm.weight, norm.bias
        new.running_mean, new.running_var = norm.running_mean, norm.running_var
        new.num_batches_tracked = norm.num_batches_tracked
        return new.train(norm.training)

    def forward(self, images: Tensor) -> Tensor:
        """Normalize (B, C, H, W)."""
        if not (self.training and distributed.is_initialized()):
            return super().forward(images)
        # Statistics of the batch of all processes
        x = images.float()
        mean: Tensor = _Mean.apply(x.mean((0, 2, 3)))  # type: ignore[no-untyped-call]
        centered = x - mean[:, None, None]
        variance: Tensor = _Mean.apply(  # type: ignore[no-untyped-call]
            centered.square().mean((0, 2, 3))
        )
        # Running statistics, with the unbiased variance as in torch
        if self.running_mean is not None and self.running_var is not None:
            assert self.num_batches_tracked is not None
            self.num_batches_tracked.add_(1)
            share = self.momentum or 1 / float(self.num_batches_tracked)
            count = x.numel() / x.shape[1] * distributed.get_world_size()
            self.running_mean.lerp_(mean.detach(), share)
            self.running_var.lerp_(variance.detach() * count / max(count - 1, 1), share)
        result = centered * (variance + self.eps).rsqrt()[:, None, None]
        if self.affine:
            result = result * self.weight[:, None, None] + self.bias[:, None, None]
        return result.to(images.dtype)


def sync_norms(model: nn.Module) -> None:
    """Replace every batch norm inside a model by one over all processes; names and weights stay."""
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.BatchNorm2d:
                setattr(parent, name, SyncedBatchNorm2d.like(child))
