"""From dense features to one vector of an image, for metric learning."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from siamtrack.models.backbones import Backbone


class Embedder(Backbone):
    """A backbone, the mean over its cells, a linear map, and unit length.

    On the unit sphere distances lie in [0, 2], so that the margins of the contrastive loss (Hadsell
    et al. 2006) and of the triplet loss (Schroff et al., CVPR 2015,
    https://arxiv.org/abs/1503.03832, section 3.1) have a scale.

    Args:
        backbone: Gives features (B, C, H', W').
        dimensions: Length of the vectors, D.

    Example:
        >>> import torch
        >>> from siamtrack.models.backbones import BACKBONES
        >>> embedder = Embedder(BACKBONES["ciresnet16"](width=0.125), dimensions=16)
        >>> embedder(torch.randn(2, 3, 63, 63)).shape
        torch.Size([2, 16, 1, 1])
    """

    def __init__(self, backbone: Backbone, dimensions: int = 64) -> None:
        super().__init__()
        if dimensions < 1:
            raise ValueError(f"dimensions {dimensions}: expected at least 1")
        self.backbone = backbone
        self.project = nn.Linear(backbone.channels, dimensions)
        self.channels = dimensions
        self.stride = backbone.stride
        self.padding_free = False  # the mean sees the whole image
        self.smallest = backbone.smallest

    def stages(self) -> Sequence[nn.Module]:
        """Return the stages of the backbone, then the linear map."""
        return [*self.backbone.stages(), self.project]

    def extract(self, images: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to vectors of unit length (B, D, 1, 1)."""
        vectors = self.project(self.backbone.extract(images).mean((2, 3)))
        return F.normalize(vectors, dim=1)[:, :, None, None]
