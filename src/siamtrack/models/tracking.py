"""A complete tracking network: backbone, box head, and the geometry that belongs to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from siamtrack.core.config import check_numbers
from siamtrack.models.backbones import BACKBONES
from siamtrack.models.heads.centre import CentreHead
from siamtrack.models.heads.region import RegionHead


@dataclass(frozen=True)
class BoxTrackerConfig:
    """Structure of a `BoxTracker`.

    Attributes:
        backbone: Registered name of the backbone.
        width: Width multiplier of the backbone.
        template: Side of the template patch in pixels.
        search: Side of the search patch in pixels, in the template's scale.
        head_width: Inner channels of the head.
        head_depth: Blocks in each tower of the head.
        head: `centre`, to which the size of the template's box is given as numbers, or `region`,
            to which it is given as a mask.
        dense: The blocks of a `region` head are full 3x3 convolutions; separable ones otherwise.
        folded: The batch norms of the backbone are folded into its convolutions, which then have
            biases: the same network, and nearly twice as fast to train on a CPU.
        kind: Tells this structure from others in JSON.
    """

    backbone: str = "mobile"
    width: float = 1.0
    template: int = 129
    search: int = 257
    head_width: int = 96
    head_depth: int = 3
    head: Literal["centre", "region"] = "centre"
    dense: bool = False
    folded: bool = False
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


def build_head(
    config: BoxTrackerConfig, channels: int, template_cells: int, stride: int
) -> CentreHead | RegionHead:
    """Build the head of a structure, with random weights.

    Args:
        config: The structure.
        channels: Channels of the backbone's features.
        template_cells: Cells along a side of the template feature.
        stride: Stride of the backbone in pixels.
    """
    sizes = (channels, template_cells, stride, config.head_width, config.head_depth)
    if config.head == "centre":
        return CentreHead(*sizes)
    return RegionHead(*sizes, dense=config.dense, extent=config.search / 4)


def fold_norms(module: nn.Module) -> None:
    """Fold each batch norm that follows a convolution into it, in place.

    Only neighbours within an `nn.Sequential` are folded. The norm's place is taken by an identity,
    so that the names of the other layers stay.
    """
    for child in module.children():
        fold_norms(child)
    if not isinstance(module, nn.Sequential):
        return
    for index in range(len(module) - 1):
        layer, norm = module[index], module[index + 1]
        if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            module[index] = fuse_conv_bn_eval(layer.eval(), norm.eval()).train()
            module[index + 1] = nn.Identity()


class BoxTracker(nn.Module):
    """Weight-sharing backbone on both branches and the anchor-free box head.

    Images are RGB in [0, 255], float32; normalisation happens inside, so that an exported graph
    takes plain pixels.

    Args:
        config: Structure.
        companion: Structure of a second head on the same backbone, which only training uses: it
            becomes a network of its own by `siamtrack.models.tracking.parted`.
    """

    def __init__(self, config: BoxTrackerConfig, companion: BoxTrackerConfig | None = None) -> None:
        super().__init__()
        self.config = config
        self.backbone = BACKBONES[config.backbone](width=config.width)
        BACKBONES.check_made(config.backbone, self.backbone, "stages", "channels", "stride")
        with torch.no_grad():
            probe = self.backbone.eval()(torch.zeros(1, 3, config.template, config.template))
        self.backbone.train()
        if config.folded:
            fold_norms(self.backbone)
        self.head = build_head(
            config, self.backbone.channels, probe.shape[-1], self.backbone.stride
        )
        self.companion = (
            None
            if companion is None
            else build_head(
                companion, self.backbone.channels, probe.shape[-1], self.backbone.stride
            )
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
        logits, distances, presence = self.head(kernel, self.features(search))[:3]
        return logits, distances, presence

    def forward(
        self, template: Tensor, size: Tensor, search: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Match template patches (B, 3, T, T) and sizes (B, 2) with search patches (B, 3, S, S)."""
        return self.respond(self.embed(template, size), search)


def parted(network: BoxTracker, structure: BoxTrackerConfig) -> BoxTracker:
    """Return the network of a companion head: the same backbone, and that head as its own.

    Args:
        network: A network that was trained with a companion; it shares its weights with the result.
        structure: What the companion was built from.

    Raises:
        ValueError: If the network has no companion.
    """
    if network.companion is None:
        raise ValueError("the network has no companion head: train it with `companion`")
    other = BoxTracker(structure)
    other.backbone, other.head = network.backbone, network.companion
    return other
