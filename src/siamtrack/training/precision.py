"""Half the bits where they pay: autocast, but not for depth-wise convolutions on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class _FloatConv2d(nn.Conv2d):
    """A convolution that stays in float32 under autocast, in place of another one."""

    def __init__(self, other: nn.Conv2d) -> None:
        super().__init__(
            other.in_channels,
            other.out_channels,
            other.kernel_size,  # type: ignore[arg-type]
            other.stride,  # type: ignore[arg-type]
            other.padding,  # type: ignore[arg-type]
            other.dilation,  # type: ignore[arg-type]
            other.groups,
            padding_mode=other.padding_mode,
            device="meta",
        )
        self.weight, self.bias = other.weight, other.bias

    def forward(self, input: Tensor) -> Tensor:
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input.float())


def keep_depthwise_in_float32(model: nn.Module) -> None:
    """Replace the depth-wise convolutions inside `model` by ones that ignore autocast.

    Names and weights stay. On CPUs the backward pass of a depth-wise convolution takes about three
    times as long in bfloat16 as in float32, which costs more than the other layers gain.
    """
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.Conv2d and child.groups == child.in_channels > 1:
                setattr(parent, name, _FloatConv2d(child).train(child.training))
