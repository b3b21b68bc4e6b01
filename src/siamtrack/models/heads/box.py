"""Heads that answer with a box: where the target is, how large, and whether it is there at all.

Similarity is the cosine of every template cell with every search cell ("pixel-wise correlation",
Yan et al., "Alpha-Refine", CVPR 2021, https://arxiv.org/abs/2007.02024). It is a plain matrix
product, so it exports to every runtime. Boxes are distances from the cell to the four sides (Tian
et al., "FCOS", ICCV 2019, https://arxiv.org/abs/1904.01355).
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from siamtrack.losses.tracking import center_loss, center_map, overlap, taught_map, tracking_loss
from siamtrack.models.heads.head import (
    HEADS,
    TAUGHT_FROM,
    Head,
    Lesson,
    Objective,
    Pairs,
    Parts,
    Recipe,
    check_feature,
    refuse_loss,
    trained_as,
)
from siamtrack.models.units import is_traced

MASK_EDGE = 1.0
"""Width of the soft edge of the template's mask, in cells."""


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


@trained_as("box")
class BoxHead(Head):
    """What box heads share: necks, two towers, and the checks of what goes in.

    A subclass says how template and search are joined (`match`) after a kernel of T * T + 2 rows.

    Args:
        channels: Channels of the backbone's features.
        template_cells: Cells along a side of the template feature, T.
        stride: Stride of the backbone in pixels; boxes come out in pixels.
        width: Inner channels, C.
        depth: Blocks in each of the two towers.
        beside: Channels that are joined with the T * T similarities.
        scores: Score maps.
        block: What the towers are made of.
    """

    kind = "box"
    outputs = ("score", "distances", "presence", "features")
    sized = True
    scored_by: ClassVar[int] = 0
    """Which output of `match` a tracker gets as the score."""

    def __init__(
        self,
        channels: int,
        template_cells: int,
        stride: int,
        width: int,
        depth: int,
        *,
        beside: int,
        scores: int = 1,
        block: type[Separable] | type[Dense] = Separable,
    ) -> None:
        super().__init__()
        self.stride, self.channels, self.cells = stride, channels, template_cells
        cells = template_cells * template_cells
        self.template_neck = point(channels, width)
        self.search_neck = point(channels, width)
        self.similarity_norm = nn.BatchNorm2d(cells)
        self.mix = nn.Sequential(point(cells + beside, width), nn.ReLU())
        self.score_tower = nn.Sequential(*[block(width) for _ in range(depth)])
        self.box_tower = nn.Sequential(*[block(width) for _ in range(depth)])
        self.score = nn.Conv2d(width, scores, 1)
        self.box = nn.Conv2d(width, 4, 1)
        self.presence = nn.Linear(2 * width + 1, 1)
        nn.init.constant_(self.score.bias, -4.0)  # type: ignore[arg-type]

    def forward(self, kernel: Tensor, search: Tensor) -> tuple[Tensor, ...]:
        """Match a kernel (B, T * T + 2, C) with a search feature (B, channels, H, W).

        Returns:
            Score logits (B, 1, H, W), distances to left, top, right and bottom in search pixels
            (B, 4, H, W), presence logits (B, 1), and what else the head has. Cell (j, i) stands at
            the patch pixel (stride * i + offset, stride * j + offset), with the offset that centers
            the grid in the patch.

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

    def match(self, kernel: Tensor, feature: Tensor) -> tuple[Tensor, ...]:
        """Match as a call does, a search feature (B, C, H, W) that passed the search neck."""
        raise NotImplementedError

    def answer(self, kernel: Tensor, search: Tensor) -> tuple[Tensor, ...]:
        """Return score (B, H, W) in [0, 1], distances, presence (B,) and features (B, C, H, W)."""
        features = self.search_neck(search)
        outputs = self.match(kernel, features)
        score = torch.sigmoid(outputs[self.scored_by][:, 0])
        return score, outputs[1], outputs[2][:, 0], features

    def objective(self, recipe: Recipe, stride: int, patch: int) -> Objective:
        """Return what learns score, box and presence; see `tracking_loss`.

        Raises:
            ValueError: If the recipe names a loss.
        """
        refuse_loss(self, recipe)

        def learn(
            template: Tensor, search: Tensor, pairs: Pairs, lesson: Lesson | None = None
        ) -> Parts:
            outputs = self(self.pair_kernel(template, pairs.size, len(search)), search)
            parts = tracking_loss(
                outputs[:3], pairs.boxes, pairs.present, stride, patch, recipe.sides, recipe.focus
            )
            if len(outputs) > 3:
                plain = center_map(pairs.boxes, pairs.present, outputs[3].shape[-1], stride, patch)
                target = plain if lesson is None else _taught(plain, pairs, lesson)
                parts["center"] = center_loss(outputs[3], target)
                parts["loss"] = parts["loss"] + recipe.centers * parts["center"]
            return parts

        return learn

    def joined(self, kernels: Tensor) -> Tensor:
        """Join kernels (B, K, T * T + 2, C) to a mean, whose cells stay as long as they were.

        Trackers join the first template and a recent one alike.
        """
        cells, rows = kernels[:, :, :-2], kernels[:, :, -2:].mean(1)
        mean, wanted = cells.mean(1), cells.norm(dim=-1, keepdim=True).mean(1)
        mean = mean * wanted / mean.norm(dim=-1, keepdim=True).clamp(min=1e-6)
        return torch.cat([mean, rows], dim=1)

    def _check(self, template: Tensor, size: Tensor | None) -> Tensor:
        """Refuse a template that the head was not built for, and return the sizes."""
        check_feature(template, self.channels)
        if size is None:
            raise ValueError(f"expected sizes ({len(template)}, 2) with the template, got none")
        if is_traced():
            return size
        if template.shape[2:] != (self.cells, self.cells):
            raise ValueError(
                f"expected a template of {self.cells}x{self.cells} cells, got shape "
                f"{tuple(template.shape)}"
            )
        if size.shape != (len(template), 2):
            raise ValueError(f"expected sizes ({len(template)}, 2), got shape {tuple(size.shape)}")
        return size

    def _read(self, joined: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Mix maps (B, ..., H, W) and read score logits, factors of the sides and presence."""
        mixed = self.mix(torch.cat(joined, dim=1))
        scored = self.score_tower(mixed)
        logits = _wide(self.score(scored))
        factors = torch.exp(_wide(self.box(self.box_tower(mixed))).clamp(-4.0, 3.0))
        first = logits if self.score.out_channels == 1 else logits[:, :1]
        pooled = [scored.amax((2, 3)), scored.mean((2, 3)), first.amax((2, 3))]
        return logits, factors, self.presence(torch.cat(pooled, dim=1))


class CenterHead(BoxHead):
    """Match a template feature with a search feature; boxes are factors of the template's."""

    def __init__(
        self, channels: int, template_cells: int, stride: int, width: int = 96, depth: int = 3
    ) -> None:
        super().__init__(channels, template_cells, stride, width, depth, beside=2 * width + 2)
        nn.init.constant_(self.box.bias, 1.0)  # type: ignore[arg-type]

    def kernel(self, template: Tensor, size: Tensor | None = None) -> Tensor:
        """Turn a template feature into the kernel.

        A square window does not show how wide and how high the box in its middle is, so the size
        goes along.

        Args:
            template: Template feature (B, channels, T, T).
            size: Width and height of the box as a share of the patch's side (B, 2).

        Returns:
            (B, T * T + 2, C): the template's cells at unit length, the mean of its center, and a
            row that begins with the size.

        Raises:
            ValueError: If the feature has other channels or cells, or not each has a size.
        """
        size = self._check(template, size)
        feature = self.template_neck(template)
        cells = F.normalize(feature.flatten(2), dim=1).transpose(1, 2)
        quarter = self.cells // 4
        middle = feature[:, :, quarter : self.cells - quarter, quarter : self.cells - quarter]
        row = F.pad(size, (0, cells.shape[-1] - 2))
        return torch.cat([cells, middle.mean((2, 3))[:, None], row[:, None]], dim=1)

    def match(self, kernel: Tensor, feature: Tensor) -> tuple[Tensor, ...]:
        """Match as a call does."""
        unit = F.normalize(feature, dim=1)
        similarity = torch.einsum("bkc,bchw->bkhw", kernel[:, :-2], unit)
        modulated = feature * kernel[:, -2, :, None, None]
        size = kernel[:, -1, :2, None, None]
        known = torch.log(size).expand(-1, -1, *feature.shape[2:])
        logits, factors, presence = self._read(
            [self.similarity_norm(similarity), feature, modulated, known]
        )
        # a box of the template's shape, changed by factors: left, top, right, bottom
        return logits, factors * (2 * self.stride * torch.cat([size, size], dim=1)), presence


class RegionHead(BoxHead):
    """Match what the template's box covers, told apart from what surrounds it.

    Windows have four times the side of the target's square root of area, whatever its shape, so
    that sizes are shares of the window and nothing but the picture says how large the target is
    now. The box of the template enters as a mask of its cells: a user may draw a part of an object.
    A fourth output are logits of the target's center (B, 1, H, W). Trackers score by these: on
    video they are confused less than the first, the overlap that the cell's box has, which teaches.

    Further arguments are those of `BoxHead`.

    Args:
        dense: Blocks are full 3x3 convolutions; separable ones otherwise.
        extent: Side of a box that the head answers before it has learned anything, pixels.
    """

    scored_by = 3

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
        super().__init__(
            channels,
            template_cells,
            stride,
            width,
            depth,
            beside=3 * width,
            scores=2,
            block=Dense if dense else Separable,
        )
        self.extent = extent
        self.inside = nn.Parameter(torch.tensor([0.3, 0.7]))
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

    def kernel(self, template: Tensor, size: Tensor | None = None) -> Tensor:
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
        size = self._check(template, size)
        feature, mask = self.template_neck(template), self.mask(size)
        gain = self.inside[0] + self.inside[1] * mask
        cells = (F.normalize(feature, dim=1) * gain).flatten(2).transpose(1, 2)
        around = 1 - mask
        rows = [
            (feature * part).sum((2, 3)) / part.sum((2, 3)).clamp(min=1.0)
            for part in (mask, around)
        ]
        return torch.cat([cells, *(row[:, None] for row in rows)], dim=1)

    def match(self, kernel: Tensor, feature: Tensor) -> tuple[Tensor, ...]:
        """Match as a call does."""
        unit = F.normalize(feature, dim=1)
        similarity = torch.bmm(kernel[:, :-2], unit.flatten(2))
        similarity = similarity.reshape(feature.shape[0], -1, *feature.shape[2:])
        target = feature * kernel[:, -2, :, None, None]
        around = feature * kernel[:, -1, :, None, None]
        logits, factors, presence = self._read(
            [self.similarity_norm(similarity), feature, target, around]
        )
        return logits[:, :1], factors * (self.extent / 2), presence, logits[:, 1:]


def point(inputs: int, outputs: int) -> nn.Sequential:
    """Return a 1x1 convolution with a batch norm, (B, inputs, H, W) to (B, outputs, H, W)."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))


def _wide(x: Tensor) -> Tensor:
    """Return half precision, in which the rest may run, as float32."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def _taught(plain: Tensor, pairs: Pairs, lesson: Lesson) -> Tensor:
    """Center maps (B, H, W) to learn: the teacher's where its box is right, else the boxes' own."""
    right = (overlap(lesson.box, pairs.boxes) > TAUGHT_FROM) & (pairs.present > 0)
    return torch.where(right[:, None, None], taught_map(lesson.score), plain)


HEADS.register("center")(CenterHead)
HEADS.register("centre")(CenterHead)  # in configs of version 0.1
HEADS.register("region")(RegionHead)
