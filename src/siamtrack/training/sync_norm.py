"""Batch norm over the batches of all processes, on any device; torch's own needs GPUs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed, nn


class _Mean(torch.autograd.Function):
    """Mean of a tensor over processes; so is its gradient."""

    @staticmethod
    def forward(context: Any, value: Tensor) -> Tensor:
        return _mean(value)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return _mean(gradient)


def _mean(value: Tensor) -> Tensor:
    total = value.detach().clone().contiguous()
    distributed.all_reduce(total)
    return total / distributed.get_world_size()


class SyncedBatchNorm2d(nn.BatchNorm2d):
    """Batch norm whose statistics, while it trains, are those of all processes' batches.

    Processes have batches (B, C, H, W) of one shape. Where it does not train, or alone, it is
    torch's. Statistics are in float32.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Normalise (B, C, H, W)."""
        if not (self.training and distributed.is_initialized()):
            return super().forward(images)
        x = images.float()
        mean: Tensor = _Mean.apply(x.mean((0, 2, 3)))  # type: ignore[no-untyped-call]
        centred = x - mean[:, None, None]
        variance: Tensor = _Mean.apply(  # type: ignore[no-untyped-call]
            centred.square().mean((0, 2, 3))
        )
        if self.running_mean is not None and self.running_var is not None:
            assert self.num_batches_tracked is not None
            self.num_batches_tracked.add_(1)
            share = self.momentum or 1 / float(self.num_batches_tracked)
            count = x.numel() / x.shape[1] * distributed.get_world_size()
            self.running_mean.lerp_(mean.detach(), share)
            self.running_var.lerp_(variance.detach() * count / max(count - 1, 1), share)
        result = centred * (variance + self.eps).rsqrt()[:, None, None]
        if self.affine:
            result = result * self.weight[:, None, None] + self.bias[:, None, None]
        return result.to(images.dtype)


def sync_norms(model: nn.Module) -> None:
    """Turn every batch norm of a model into one over all processes; weights stay where they are."""
    for module in model.modules():
        if type(module) is nn.BatchNorm2d:
            # the two have the same state, and optimiser and schedule hold the parameters already
            module.__class__ = SyncedBatchNorm2d
