"""A complete tracking network: backbone, box head, and the geometry that belongs to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from siamtrack.config import check_numbers
from siamtrack.models.backbones import BACKBONES


@dataclass(frozen=True)
class BoxTrackerConfig:
    """Structure of a `BoxTracker`.

    Attributes:
        backbone: Registered name of the backbone.
        width: Width multiplier of the backbone.
        template: Side of the template patch in pixels.
        search: Side of the search patch in pixels, in the template's scale.
        head_width: Inner channels of the head.
        head_depth: Separable blocks in each tower of the head.
        kind: Tells this structure from others in JSON.
    """

    backbone: str = "mobile"
    width: float = 1.0
    template: int = 129
    search: int = 257
    head_width: int = 96
    head_depth: int = 3
    kind: Literal["box"] = "box"

    def __post_init__(self) -> None:
        check_numbers(
            self,
            template=(33, 1024),
            search=(33, 2048),
            width=(0.01, 4),
            head_width=(8, 1024),
            head_depth=(1, 16),
        )
        if self.search < self.template:
            raise ValueError(
                f"template {self.template} and search {self.search}: the search patch must not be "
                "the smaller one"
            )


class BoxTracker(nn.Module):
    """Weight-sharing backbone on both branches and the anchor-free box head.

    Images are RGB in [0, 255], float32; normalisation happens inside, so that an exported graph
    takes plain pixels.
    """

    def __init__(self, config: BoxTrackerConfig) -> None:
        super().__init__()
        from siamtrack.models.heads.centre import CentreHead

        self.config = config
        self.backbone = BACKBONES[config.backbone](width=config.width)
        BACKBONES.check_made(config.backbone, self.backbone, "stages", "channels", "stride")
        with torch.no_grad():
            probe = self.backbone.eval()(torch.zeros(1, 3, config.template, config.template))
        self.backbone.train()
        self.head = CentreHead(
            self.backbone.channels,
            probe.shape[-1],
            self.backbone.stride,
            config.head_width,
            config.head_depth,
        )

    @staticmethod
    def normalise(images: Tensor) -> Tensor:
        """Map RGB in [0, 255] to about [-1, 1]."""
        return (images - 127.0) / 128.0

    def features(self, images: Tensor) -> Tensor:
        """Map RGB in [0, 255] (B, 3, H, W) to the backbone's features (B, channels, h, w)."""
        features: Tensor = self.backbone(self.normalise(images))
        return features

    def embed(self, template: Tensor, size: Tensor) -> Tensor:
        """Map template patches (B, 3, T, T) to kernels (B, K, C).

        Args:
            template: Patches.
            size: Width and height of the target as a share of the patch's side (B, 2).
        """
        return self.head.kernel(self.features(template), size)

    def respond(self, kernel: Tensor, search: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Match kernels (B, K, C) with search patches (B, 3, S, S).

        Returns:
            Score logits (B, 1, H, W), side distances in pixels (B, 4, H, W), presence logits
            (B, 1). Cell (j, i) stands at the patch pixel (stride * i + offset, stride * j +
            offset), with the offset that centres the grid in the patch.
        """
        logits, distances, presence = self.head(kernel, self.features(search))
        return logits, distances, presence

    def forward(
        self, template: Tensor, size: Tensor, search: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Match template patches (B, 3, T, T) and sizes (B, 2) with search patches (B, 3, S, S)."""
        return self.respond(self.embed(template, size), search)
