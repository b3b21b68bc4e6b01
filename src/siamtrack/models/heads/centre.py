"""The anchor-free box head: where the target is, how large, and whether it is there at all.

Similarity is the cosine of every template cell with every search cell ("pixel-wise correlation",
Yan et al., "Alpha-Refine", CVPR 2021, https://arxiv.org/abs/2007.02024). It is a plain matrix
product, so it exports to every runtime. Boxes are distances from the cell to the four sides (Tian
et al., "FCOS", ICCV 2019, https://arxiv.org/abs/1904.01355).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from siamtrack.models.heads.base import check_feature
from siamtrack.models.tracing import is_traced


class Separable(nn.Module):
    """Depth-wise 3x3 and point-wise convolution with a shortcut, (B, C, H, W) to the same shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H, W)."""
        return F.relu(x + self.layers(x))


class CentreHead(nn.Module):
    """Match a template feature with a search feature and read score, box and presence.

    Args:
        channels: Channels of the backbone's features.
        template_cells: Cells along a side of the template feature, T.
        stride: Stride of the backbone in pixels; boxes come out in pixels.
        width: Inner channels, C.
        depth: Separable blocks in each of the two towers.
    """

    def __init__(
        self, channels: int, template_cells: int, stride: int, width: int = 96, depth: int = 3
    ) -> None:
        super().__init__()
        self.stride = stride
        self.channels = channels
        self.cells = template_cells
        self.template_neck = point(channels, width)
        self.search_neck = point(channels, width)
        cells = template_cells * template_cells
        self.similarity_norm = nn.BatchNorm2d(cells)
        self.mix = nn.Sequential(point(cells + 2 * width + 2, width), nn.ReLU())
        self.score_tower = nn.Sequential(*[Separable(width) for _ in range(depth)])
        self.box_tower = nn.Sequential(*[Separable(width) for _ in range(depth)])
        self.score = nn.Conv2d(width, 1, 1)
        self.box = nn.Conv2d(width, 4, 1)
        self.presence = nn.Linear(2 * width + 1, 1)
        nn.init.constant_(self.score.bias, -4.0)  # type: ignore[arg-type]
        nn.init.constant_(self.box.bias, 1.0)  # type: ignore[arg-type]

    def kernel(self, template: Tensor, size: Tensor) -> Tensor:
        """Turn a template feature into the kernel.

        A square window does not show how wide and how high the box in its middle is, so the size
        goes along.

        Args:
            template: Template feature (B, channels, T, T).
            size: Width and height of the box as a share of the patch's side (B, 2).

        Returns:
            (B, T * T + 2, C): the template's cells at unit length, the mean of its centre, and a
            row that begins with the size.

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
        feature = self.template_neck(template)
        cells = F.normalize(feature.flatten(2), dim=1).transpose(1, 2)
        quarter = self.cells // 4
        centre = feature[:, :, quarter : self.cells - quarter, quarter : self.cells - quarter]
        row = F.pad(size, (0, cells.shape[-1] - 2))
        return torch.cat([cells, centre.mean((2, 3))[:, None], row[:, None]], dim=1)

    def forward(self, kernel: Tensor, search: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Match a kernel (B, T * T + 2, C) with a search feature (B, channels, H, W).

        Returns:
            Score logits (B, 1, H, W), distances to left, top, right and bottom in search pixels
            (B, 4, H, W), presence logits (B, 1).

        Raises:
            ValueError: If the two do not fit each other or the head.
        """
        check_feature(search, self.channels)
        if not is_traced() and kernel.shape[:2] != (
            len(search),
            self.cells**2 + 2,
        ):
            raise ValueError(
                f"expected kernels ({len(search)}, {self.cells**2 + 2}, C) for search features "
                f"{tuple(search.shape)}, got shape {tuple(kernel.shape)}"
            )
        return self.match(kernel, self.search_neck(search))

    def match(self, kernel: Tensor, feature: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Do the same with a search feature (B, C, H, W) that passed the search neck."""
        unit = F.normalize(feature, dim=1)
        similarity = torch.einsum("bkc,bchw->bkhw", kernel[:, :-2], unit)
        modulated = feature * kernel[:, -2, :, None, None]
        size = kernel[:, -1, :2, None, None]
        known = torch.log(size).expand(-1, -1, *feature.shape[2:])
        joined = [self.similarity_norm(similarity), feature, modulated, known]
        mixed = self.mix(torch.cat(joined, dim=1))
        scored = self.score_tower(mixed)
        logits = self.score(scored)
        # a box of the template's shape, changed by factors: left, top, right, bottom
        shape = 2 * self.stride * torch.cat([size, size], dim=1)
        distances = torch.exp(self.box(self.box_tower(mixed)).clamp(-4.0, 3.0)) * shape
        pooled = torch.cat([scored.amax((2, 3)), scored.mean((2, 3)), logits.amax((2, 3))], dim=1)
        return logits, distances, self.presence(pooled)


def point(inputs: int, outputs: int) -> nn.Sequential:
    """Return a 1x1 convolution with a batch norm, (B, inputs, H, W) to (B, outputs, H, W)."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
