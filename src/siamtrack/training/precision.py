"""Half the bits where they pay: autocast, but not for depth-wise convolutions on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class _FloatConv2d(nn.Conv2d):
    """A convolution that stays in float32 under autocast."""

    def forward(self, input: Tensor) -> Tensor:
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input.float())


def keep_depthwise_in_float32(model: nn.Module) -> None:
    """Let the depth-wise convolutions of `model` ignore autocast, in place.

    On CPUs the backward pass of a depth-wise convolution takes about three times as long in
    bfloat16 as in float32, which costs more than the other layers gain.
    """
    for module in model.modules():
        if type(module) is nn.Conv2d and module.groups == module.in_channels > 1:
            module.__class__ = _FloatConv2d
