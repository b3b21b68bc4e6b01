"""A complete SiamFC: any backbone of the family, cross-correlation, and the geometry of both.

Fully-Convolutional Siamese Networks for Object Tracking, Bertinetto et al., 2016,
https://arxiv.org/abs/1606.09549; with the backbones of Deeper and Wider Siamese Networks, Zhang and
Peng, CVPR 2019, https://arxiv.org/abs/1901.01660
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from siamtrack.core.config import check_numbers
from siamtrack.models.backbones import BACKBONES, Backbone
from siamtrack.models.heads.siamfc import SiamFCHead


@dataclass(frozen=True)
class SiamFCConfig:
    """Structure of a `SiamFCTracker`.

    Attributes:
        kind: Tells this structure from others in JSON.
        backbone: Registered name of the backbone.
        width: Width multiplier of the backbone.
        template: Side of the template patch in pixels.
        search: Side of the search patch in pixels, in the template's scale.
        padded: Whether the residual units pad instead of crop, to compare with: what SiamDW argues
            against. Backbones that have no such choice refuse it.
    """

    kind: Literal["siamfc"] = "siamfc"
    backbone: str = "ciresnet22"
    width: float = 1.0
    template: int = 127
    search: int = 255
    padded: bool = False

    def __post_init__(self) -> None:
        check_numbers(self, template=(33, 1024), search=(33, 2048), width=(0.01, 4))
        if self.search < self.template:
            raise ValueError(
                f"template {self.template} and search {self.search}: the search patch must not be "
                "the smaller one"
            )


class SiamFCTracker(nn.Module):
    """Weight-sharing backbone on both branches, and their cross-correlation.

    Images are RGB in [0, 255], float32; normalisation happens inside, so that an exported graph
    takes plain pixels. The response is the mean of the products in one correlation, plus a bias:
    the scale is one over their number, whatever backbone and width, so that responses start at a
    few units, where every loss learns. Only the bias is trained. (A gradient on the scale would be
    a sum over thousands of products, and one step could multiply the scale by hundreds.)

    Args:
        config: Structure.

    Raises:
        ValueError: If the backbone cannot pad, or does not fit the template.

    Example:
        >>> model = SiamFCTracker(SiamFCConfig(width=0.125)).eval()
        >>> model(torch.zeros(1, 3, 127, 127), torch.zeros(1, 3, 255, 255)).shape
        torch.Size([1, 1, 17, 17])
    """

    def __init__(self, config: SiamFCConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = _backbone(config)
        with torch.no_grad():
            probe = self.backbone.eval()(torch.zeros(1, 3, config.template, config.template))
        self.backbone.train()
        self.head = SiamFCHead(scale=1 / probe.numel())
        self.head.scale.requires_grad_(False)

    @staticmethod
    def normalise(images: Tensor) -> Tensor:
        """Map RGB in [0, 255] to about [-1, 1]."""
        return (images - 127.0) / 128.0

    def features(self, images: Tensor) -> Tensor:
        """Map RGB in [0, 255] (B, 3, H, W) to the backbone's features (B, channels, h, w)."""
        features: Tensor = self.backbone(self.normalise(images))
        return features

    def embed(self, template: Tensor) -> Tensor:
        """Map template patches (B, 3, T, T) to kernels (B, C, h, w)."""
        return self.head.kernel(self.features(template))

    def respond(self, kernel: Tensor, search: Tensor) -> Tensor:
        """Match kernels (B, C, h, w) with search patches (B, 3, S, S).

        Returns:
            Response maps (B, 1, H, W), unbounded. Cell (j, i) stands for a target whose centre is
            at the patch pixel (stride * i + offset, stride * j + offset), with the offset that
            centres the grid in the patch.
        """
        response: Tensor = self.head(kernel, self.features(search))
        return response

    def forward(self, template: Tensor, search: Tensor) -> Tensor:
        """Match template patches (B, 3, T, T) with search patches (B, 3, S, S), as `respond`."""
        return self.respond(self.embed(template), search)


def _backbone(config: SiamFCConfig) -> Backbone:
    build = BACKBONES[config.backbone]
    try:
        more = {"crop": False} if config.padded else {}
        backbone = build(width=config.width, **more)
    except TypeError as error:
        if not config.padded:
            raise
        raise ValueError(
            f"backbone {config.backbone!r} has no padded form: compare the CIResNets"
        ) from error
    BACKBONES.check_made(config.backbone, backbone, "stages", "channels", "stride")
    return backbone
