"""The region head: what the template's box covers, told apart from what surrounds it.

Its windows have four times the side of the target's square root of area, whatever its shape, so
that sizes are shares of the window and nothing but the picture says how large the target is now.
The box of the template enters as a mask of its cells: a user may draw a part of an object. As in
the centre head, similarity is the cosine of template cells with search cells ("pixel-wise
correlation", Yan et al., "Alpha-Refine", CVPR 2021, https://arxiv.org/abs/2007.02024), and boxes
are distances to the four sides (Tian et al., "FCOS", ICCV 2019,
https://arxiv.org/abs/1904.01355).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from siamtrack.models.heads.base import check_feature
from siamtrack.models.heads.centre import Separable, point
from siamtrack.models.tracing import is_traced

MASK_EDGE = 1.0
"""Width of the soft edge of the template's mask, in cells."""


class Dense(nn.Module):
    """3x3 convolution with a shortcut, (B, C, H, W) to the same shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H, W)."""
        return F.relu(x + self.layers(x))


class RegionHead(nn.Module):
    """Match the region of a template with a search feature and read score, box and presence.

    Args:
        channels: Channels of the backbone's features.
        template_cells: Cells along a side of the template feature, T.
        stride: Stride of the backbone in pixels; boxes come out in pixels.
        width: Inner channels, C.
        depth: Blocks in each of the two towers.
        dense: Blocks are full 3x3 convolutions; separable ones otherwise.
        extent: Side of a box that the head answers before it has learned anything, pixels.
    """

    def __init__(
        self,
        channels: int,
        template_cells: int,
        stride: int,
        width: int = 96,
        depth: int = 3,
        dense: bool = False,
        extent: float = 64.0,
    ) -> None:
        super().__init__()
        self.stride, self.channels, self.cells, self.extent = (
            stride, channels, template_cells, extent,
        )  # fmt: skip
        cells = template_cells * template_cells
        block = Dense if dense else Separable
        self.template_neck = point(channels, width)
        self.search_neck = point(channels, width)
        self.inside = nn.Parameter(torch.tensor([0.3, 0.7]))
        self.similarity_norm = nn.BatchNorm2d(cells)
        self.mix = nn.Sequential(point(cells + 3 * width, width), nn.ReLU())
        self.score_tower = nn.Sequential(*[block(width) for _ in range(depth)])
        self.box_tower = nn.Sequential(*[block(width) for _ in range(depth)])
        self.score = nn.Conv2d(width, 2, 1)
        self.box = nn.Conv2d(width, 4, 1)
        self.presence = nn.Linear(2 * width + 1, 1)
        nn.init.constant_(self.score.bias, -4.0)  # type: ignore[arg-type]
        nn.init.normal_(self.box.weight, std=0.01)
        nn.init.zeros_(self.box.bias)  # type: ignore[arg-type]

    def mask(self, size: Tensor) -> Tensor:
        """Return how much of each template cell (B, 1, T, T) the box covers, in [0, 1].

        Args:
            size: Width and height of the box as a share of the patch's side (B, 2).
        """
        # cell i stands at pixel stride * i of a patch of stride * (T - 1) + 1 pixels
        count = self.cells
        side = self.stride * (count - 1) + 1
        place = (torch.arange(count, device=size.device, dtype=size.dtype) - (count - 1) / 2).abs()
        half = size * (side / (2 * self.stride))
        inside = ((half[:, :, None] - place) / MASK_EDGE + 0.5).clamp(0, 1)
        return (inside[:, 1, :, None] * inside[:, 0, None, :])[:, None]

    def kernel(self, template: Tensor, size: Tensor) -> Tensor:
        """Turn a template feature into the kernel.

        Args:
            template: Template feature (B, channels, T, T).
            size: Width and height of the box as a share of the patch's side (B, 2).

        Returns:
            (B, T * T + 2, C): the template's cells at unit length, those in the box longer than
            the others, the mean feature of the box, and that of what surrounds it.

        Raises:
            ValueError: If the feature has other channels or cells, or not each has a size.
        """
        check_feature(template, self.channels)
        if not is_traced():
            if template.shape[2:] != (self.cells, self.cells):
                raise ValueError(
                    f"expected a template of {self.cells}x{self.cells} cells, got shape "
                    f"{tuple(template.shape)}"
                )
            if size.shape != (len(template), 2):
                raise ValueError(
                    f"expected sizes ({len(template)}, 2), got shape {tuple(size.shape)}"
                )
        feature, mask = self.template_neck(template), self.mask(size)
        gain = self.inside[0] + self.inside[1] * mask
        cells = (F.normalize(feature, dim=1) * gain).flatten(2).transpose(1, 2)
        around = 1 - mask
        rows = [
            (feature * part).sum((2, 3)) / part.sum((2, 3)).clamp(min=1.0)
            for part in (mask, around)
        ]
        return torch.cat([cells, *(row[:, None] for row in rows)], dim=1)

    def forward(self, kernel: Tensor, search: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Match a kernel (B, T * T + 2, C) with a search feature (B, channels, H, W).

        Returns:
            Logits of the overlap that the cell's box has (B, 1, H, W), distances to left, top,
            right and bottom in search pixels (B, 4, H, W), presence logits (B, 1), and logits of
            the target's center (B, 1, H, W), as center-based trackers score.

        Raises:
            ValueError: If the two do not fit each other or the head.
        """
        check_feature(search, self.channels)
        if not is_traced() and kernel.shape[:2] != (len(search), self.cells**2 + 2):
            raise ValueError(
                f"expected kernels ({len(search)}, {self.cells**2 + 2}, C) for search features "
                f"{tuple(search.shape)}, got shape {tuple(kernel.shape)}"
            )
        return self.match(kernel, self.search_neck(search))

    def match(self, kernel: Tensor, feature: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Do the same with a search feature (B, C, H, W) that passed the search neck."""
        unit = F.normalize(feature, dim=1)
        similarity = torch.bmm(kernel[:, :-2], unit.flatten(2))
        similarity = similarity.reshape(feature.shape[0], -1, *feature.shape[2:])
        target = feature * kernel[:, -2, :, None, None]
        around = feature * kernel[:, -1, :, None, None]
        joined = [self.similarity_norm(similarity), feature, target, around]
        mixed = self.mix(torch.cat(joined, dim=1))
        scored = self.score_tower(mixed)
        logits = self.score(scored).float()  # the rest may run in half precision
        sides = self.box(self.box_tower(mixed)).float()
        distances = torch.exp(sides.clamp(-4.0, 3.0)) * (self.extent / 2)
        pooled = torch.cat(
            [scored.amax((2, 3)), scored.mean((2, 3)), logits[:, :1].amax((2, 3))], dim=1
        )
        return logits[:, :1], distances, self.presence(pooled), logits[:, 1:]
