"""Cross-correlation of template with search features, each sample with its own template."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def cross_correlation(kernel: Tensor, search: Tensor) -> Tensor:
    """Slide each template over its search image and sum over all channels.

    Fully-Convolutional Siamese Networks, Bertinetto et al. 2016, equation 2,
    https://arxiv.org/abs/1606.09549

    Args:
        kernel: Template features (B, C, h, w).
        search: Search features (B, C, H, W).

    Returns:
        Response maps (B, 1, H - h + 1, W - w + 1).

    Raises:
        ValueError: If batch sizes or channels differ, or the template is the larger one.

    Example:
        >>> import torch
        >>> cross_correlation(torch.ones(1, 2, 1, 1), torch.ones(1, 2, 1, 2))
        tensor([[[[2., 2.]]]])
    """
    check_features(kernel, search)
    response = F.conv2d(search.flatten(0, 1)[None], kernel, groups=len(kernel))
    return response.transpose(0, 1)


def depthwise_correlation(kernel: Tensor, search: Tensor) -> Tensor:
    """Slide each channel of each template over the same channel of its search image.

    SiamRPN++, Li et al., CVPR 2019, https://arxiv.org/abs/1812.11703

    Args:
        kernel: Template features (B, C, h, w).
        search: Search features (B, C, H, W).

    Returns:
        Maps (B, C, H - h + 1, W - w + 1).

    Raises:
        ValueError: As in `cross_correlation`.
    """
    check_features(kernel, search)
    batch, channels = kernel.shape[:2]
    weight = kernel.flatten(0, 1)[:, None]
    response = F.conv2d(search.flatten(0, 1)[None], weight, groups=batch * channels)
    return response.reshape(batch, channels, *response.shape[2:])


def check_features(kernel: Tensor, search: Tensor) -> None:
    """Refuse template and search features that do not fit each other.

    Raises:
        ValueError: If they do not; the message shows both shapes.
    """
    shapes = f"template {tuple(kernel.shape)}, search {tuple(search.shape)}"
    if kernel.ndim != 4 or search.ndim != 4:
        raise ValueError(f"expected features (B, C, H, W), got {shapes}")
    if len(kernel) != len(search) or len(kernel) == 0:
        raise ValueError(f"expected one template for each search image, got {shapes}")
    if kernel.shape[1] != search.shape[1]:
        raise ValueError(f"expected as many template as search channels, got {shapes}")
    if kernel.shape[2] > search.shape[2] or kernel.shape[3] > search.shape[3]:
        raise ValueError(f"the template is larger than the search feature: {shapes}")
