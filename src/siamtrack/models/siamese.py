"""Siamese networks: one backbone with one set of weights on both branches.

Signature Verification using a "Siamese" Time Delay Neural Network, Bromley et al., NIPS 1993;
Dimensionality Reduction by Learning an Invariant Mapping, Hadsell et al., CVPR 2006,
https://doi.org/10.1109/CVPR.2006.100; for tracking, Bertinetto et al. 2016,
https://arxiv.org/abs/1606.09549
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from siamtrack.losses.distance import euclidean
from siamtrack.models.backbones import Backbone
from siamtrack.models.heads.base import Head


class Siamese(nn.Module):
    """Compare images by one number (`distance`) or at every place (`respond`).

    Args:
        backbone: G, the network shared by both branches.
        head: Turns template features into kernels and matches these with search features; needed
            by `kernel` and `respond` only.

    Example:
        >>> import torch
        >>> from siamtrack.models.backbones import BACKBONES
        >>> from siamtrack.models.heads.siamfc import SiamFCHead
        >>> model = Siamese(BACKBONES["ciresnet22"](width=0.125), SiamFCHead())
        >>> kernel = model.kernel(torch.zeros(1, 3, 127, 127))
        >>> kernel.shape
        torch.Size([1, 64, 5, 5])
        >>> model.respond(kernel, torch.zeros(1, 3, 255, 255)).shape
        torch.Size([1, 1, 17, 17])
    """

    def __init__(self, backbone: Backbone, head: Head | None = None) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def embed(self, images: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to features (B, C, H', W'); `.flatten(1)` makes them vectors.

        Raises:
            ValueError: If the images have another shape, are not of a floating dtype, or are too
                small for one cell.
        """
        features: Tensor = self.backbone(images)
        return features

    def distance(self, first: Tensor, second: Tensor) -> Tensor:
        """Return D_W = `|G(first) - G(second)|`, the Euclidean distance of Hadsell et al.

        The gradient is zero, not infinite, where the two embeddings are equal.

        Args:
            first: Images (B, 3, H, W).
            second: Images of the same shape.

        Returns:
            Distances (B,).

        Raises:
            ValueError: If the shapes differ or are others.
        """
        if first.shape != second.shape:
            raise ValueError(
                "expected two batches of images of one shape, got "
                f"{tuple(first.shape)} and {tuple(second.shape)}"
            )
        return euclidean(self.embed(first).flatten(1), self.embed(second).flatten(1))

    def kernel(self, template: Tensor) -> Tensor:
        """Turn template images (B, 3, T, T) into the head's kernels, once for a whole video.

        Raises:
            ValueError: If there is no head, or the images have another shape or dtype.
        """
        return self._head().kernel(self.embed(template))

    def respond(self, kernel: Tensor, search: Tensor) -> Any:
        """Match kernels with search images (B, 3, S, S).

        Returns:
            What the head returns: response maps (B, 1, H - h + 1, W - w + 1) from `SiamFCHead`.

        Raises:
            ValueError: If there is no head, or kernel and search images do not fit.
        """
        return self._head()(kernel, self.embed(search))

    def forward(self, template: Tensor, search: Tensor) -> Any:
        """Match template images (B, 3, T, T) with search images (B, 3, S, S), as `respond`."""
        return self.respond(self.kernel(template), search)

    def _head(self) -> Head:
        if self.head is None:
            raise ValueError("this network has no head: build it as Siamese(backbone, head)")
        return self.head
