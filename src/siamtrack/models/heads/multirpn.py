"""The head of SiamRPN++ on features of several depths: one depth-wise head for each, averaged.

Li et al., "SiamRPN++", CVPR 2019, section 3.3, https://arxiv.org/abs/1812.11703
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from siamtrack.models.heads.anchors import RATIOS
from siamtrack.models.heads.base import HEADS, check_feature
from siamtrack.models.heads.siamrpn import DepthwiseRPNHead, RPNHead


class MultiRPNHead(RPNHead):
    """Necks that bring each depth to the same channels, then a `DepthwiseRPNHead` for each.

    Args:
        channels: Channels of all depths together.
        template_cells: Cells along a side of the template feature, at least `centre`.
        stride: Stride of the backbone in pixels.
        splits: Channels of each depth, which lie side by side in the features; one depth if empty.
        hidden: Channels of the necks and in which template and search are matched.
        centre: Cells in the middle of the template feature that become the kernel.
        ratios: Height by width of the anchors.
        scales: Sides of the anchors in strides.
    """

    def __init__(
        self,
        channels: int,
        template_cells: int,
        stride: int,
        splits: Sequence[int] = (),
        hidden: int = 256,
        centre: int = 7,
        ratios: Sequence[float] = RATIOS,
        scales: Sequence[float] = (8.0,),
    ) -> None:
        super().__init__(stride, ratios, scales, classes=2)
        self.channels = channels
        self.splits = list(splits) or [channels]
        if sum(self.splits) != channels:
            raise ValueError(f"splits {self.splits} do not add up to {channels} channels")
        if not 3 <= centre <= template_cells:
            raise ValueError(f"centre {centre}: expected 3 <= centre <= {template_cells} cells")
        self.centre = centre
        self.necks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(inputs, hidden, 1, bias=False), nn.BatchNorm2d(hidden))
            for inputs in self.splits
        )
        self.heads = nn.ModuleList(
            DepthwiseRPNHead(hidden, centre, stride, hidden, ratios, scales) for _ in self.splits
        )

    def kernel(self, template: Tensor) -> Tensor:
        """Map (B, channels, h, w) to kernels (B, depths * 2 hidden, centre - 2, centre - 2).

        Raises:
            ValueError: If the features have other channels or less cells than `centre`.
        """
        check_feature(template, self.channels, self.centre)
        y, x = ((side - self.centre) // 2 for side in template.shape[2:])
        features = self._necks(template[..., y : y + self.centre, x : x + self.centre])
        # a ModuleList does not say what it holds
        kernels = [head.kernel(f) for head, f in zip(self.heads, features, strict=True)]  # type: ignore[operator]
        return torch.cat(kernels, 1)

    def forward(self, kernel: Tensor, search: Tensor) -> tuple[Tensor, Tensor]:
        """Match kernels with search features (B, channels, H, W); see `RPNHead`.

        Raises:
            ValueError: If they do not fit.
        """
        check_feature(search, self.channels, self.centre)
        features, kernels = self._necks(search), kernel.chunk(len(self.heads), 1)
        outputs = [h(k, f) for h, k, f in zip(self.heads, kernels, features, strict=True)]
        scores, offsets = zip(*outputs, strict=True)
        return torch.stack(scores).mean(0), torch.stack(offsets).mean(0)

    def _necks(self, features: Tensor) -> list[Tensor]:
        parts = torch.split(features, self.splits, dim=1)
        return [neck(part) for neck, part in zip(self.necks, parts, strict=True)]


HEADS.register("siamrpn_multi")(MultiRPNHead)
