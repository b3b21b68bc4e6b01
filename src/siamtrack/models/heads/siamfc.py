"""The head of SiamFC: cross-correlation, scaled and shifted.

Fully-Convolutional Siamese Networks for Object Tracking, Bertinetto et al., 2016, equation 2,
https://arxiv.org/abs/1606.09549
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from siamtrack.models.correlation import cross_correlation
from siamtrack.models.heads.base import HEADS, Head


class SiamFCHead(Head):
    """response = scale * (kernel cross-correlated with search) + bias, with both numbers trained.

    Args:
        scale: Start of the scale; brings a sum over thousands of products into the range in which
            the logistic loss learns.
        bias: Start of the bias.
    """

    def __init__(self, scale: float = 1e-3, bias: float = 0.0) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(float(scale)))
        self.bias = nn.Parameter(torch.tensor(float(bias)))

    def forward(self, kernel: Tensor, search: Tensor) -> Tensor:
        """Match template features (B, C, h, w) with search features (B, C, H, W).

        Returns:
            Response maps (B, 1, H - h + 1, W - w + 1), unbounded.

        Raises:
            ValueError: If batch sizes or channels differ, or the template is the larger one.
        """
        return self.scale * cross_correlation(kernel, search) + self.bias


@HEADS.register("siamfc")
def siamfc(channels: int, template_cells: int, stride: int) -> SiamFCHead:
    """The head of SiamFC, which has the same two parameters for any backbone."""
    return SiamFCHead()
