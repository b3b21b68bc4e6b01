"""Cross-correlation of template with search features, each sample with its own template.

Every function here has two forms that give the same numbers. `grouped` is a convolution with one
group for each sample (or channel), the usual trick in training. It cannot be exported with a free
batch size, because the number of groups of an ONNX `Conv` is an attribute and not an input, and
many runtimes refuse a kernel that is computed. `matmul` (or, for single channels, a sum of shifted
products) uses nothing but matrix products, reshapes and slices, and exports to every runtime; ONNX
export takes it by itself.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from siamtrack.models.units import is_traced

Form = Literal["auto", "grouped", "matmul"]


def cross_correlation(kernel: Tensor, search: Tensor, form: Form = "auto") -> Tensor:
    """Slide each template over its search image and sum over all channels.

    Fully-Convolutional Siamese Networks, Bertinetto et al. 2016, equation 2,
    https://arxiv.org/abs/1606.09549

    Args:
        kernel: Template features (B, C, h, w).
        search: Search features (B, C, H, W).
        form: How to compute it; `auto` is `matmul` in ONNX export and `grouped` elsewhere.

    Returns:
        Response maps (B, 1, H - h + 1, W - w + 1).

    Raises:
        ValueError: If batch sizes or channels differ, or the template is the larger one.

    Example:
        >>> cross_correlation(torch.ones(1, 2, 1, 1), torch.ones(1, 2, 1, 2))
        tensor([[[[2., 2.]]]])
    """
    check_features(kernel, search)
    return _correlate(kernel[:, None], search, form)


def up_channel_correlation(kernel: Tensor, search: Tensor, form: Form = "auto") -> Tensor:
    """Slide O kernels of each sample (B, O * C, h, w) over its search image (B, C, H, W).

    High Performance Visual Tracking with Siamese Region Proposal Network, Li et al., CVPR 2018,
    equation 4, https://doi.org/10.1109/CVPR.2018.00935

    Returns:
        Maps (B, O, H - h + 1, W - w + 1).

    Raises:
        ValueError: If batch sizes differ, the kernel's channels are not a multiple of C, or the
            kernel is larger than the search feature.
    """
    check_features(kernel, search, multiple=True)
    outputs = kernel.shape[1] // search.shape[1]
    kernel = kernel.reshape(-1, outputs, search.shape[1], *kernel.shape[2:])
    return _correlate(kernel, search, form)


def depthwise_correlation(kernel: Tensor, search: Tensor, form: Form = "auto") -> Tensor:
    """Slide each channel of each template (B, C, h, w) over that of its search image (B, C, H, W).

    SiamRPN++, Li et al., CVPR 2019, https://arxiv.org/abs/1812.11703

    Returns:
        Maps (B, C, H - h + 1, W - w + 1). Errors as `cross_correlation`.
    """
    check_features(kernel, search)
    height, width = _response_size(kernel, search)
    if _is_grouped(form):
        batch, channels = kernel.shape[:2]
        weight = kernel.flatten(0, 1)[:, None]
        response = F.conv2d(search.flatten(0, 1)[None], weight, groups=batch * channels)
        return response.reshape(batch, channels, height, width)
    response = torch.zeros_like(search[..., :height, :width])
    for y in range(kernel.shape[2]):
        for x in range(kernel.shape[3]):
            shifted = search[..., y : y + height, x : x + width]
            response = response + kernel[..., y : y + 1, x : x + 1] * shifted
    return response


def _correlate(kernel: Tensor, search: Tensor, form: Form) -> Tensor:
    """Correlate kernels (B, O, C, h, w) with (B, C, H, W) to (B, O, H - h + 1, W - w + 1)."""
    if not _is_grouped(form):
        return _by_matmul(kernel, search)
    batch, outputs = kernel.shape[:2]
    response = F.conv2d(search.flatten(0, 1)[None], kernel.flatten(0, 1), groups=batch)
    return response.reshape(batch, outputs, *response.shape[2:])


def _by_matmul(kernel: Tensor, search: Tensor) -> Tensor:
    """Correlate without a convolution: all products first, then sums along diagonals.

    One matrix product gives p[y, x, Y, X], the product of kernel cell (y, x) with search cell (Y,
    X) summed over channels. The response at (i, j) is the sum of p[y, x, i + y, j + x]. Reading
    the rows y of a (h, H) table with a row length of H + 1 moves row y left by y, which turns each
    of those diagonals into a column: once for the rows and once for the columns.
    """
    outputs, channels, h, w = kernel.shape[1:]
    height, width = search.shape[2:]
    cells = kernel.permute(0, 1, 3, 4, 2).reshape(-1, outputs * h * w, channels)
    products = torch.matmul(cells, search.flatten(2))  # (B, O h w, H W)
    table = products.reshape(-1, outputs, h, w, height, width).transpose(3, 4)  # h, H, w, W
    table = F.pad(table.reshape(-1, outputs, h, height, w * width), (0, w))
    table = table.reshape(-1, outputs, h, height, w, width + 1)[..., : width - w + 1].sum(4)
    across = width - w + 1
    table = F.pad(table.reshape(-1, outputs, h * height, across), (0, 0, 0, h))
    table = table.reshape(-1, outputs, h, height + 1, across)[..., : height - h + 1, :]
    return table.sum(2)


def _is_grouped(form: Form) -> bool:
    if form not in get_args(Form):
        raise ValueError(f"form {form!r} is none of {', '.join(get_args(Form))}")
    return not is_traced() if form == "auto" else form == "grouped"


def _response_size(kernel: Tensor, search: Tensor) -> tuple[int, int]:
    return search.shape[2] - kernel.shape[2] + 1, search.shape[3] - kernel.shape[3] + 1


def check_features(kernel: Tensor, search: Tensor, multiple: bool = False) -> None:
    """Refuse template and search features that do not fit each other.

    With `multiple`, the template may have a multiple of the search feature's channels.

    Raises:
        ValueError: If they do not fit; the message shows both shapes.
    """
    if is_traced():
        return  # sizes are symbols there
    shapes = f"template {tuple(kernel.shape)}, search {tuple(search.shape)}"
    if kernel.ndim != 4 or search.ndim != 4:
        raise ValueError(f"expected features (B, C, H, W), got {shapes}")
    if len(kernel) != len(search) or len(kernel) == 0:
        raise ValueError(f"expected one template for each search image, got {shapes}")
    if multiple and (kernel.shape[1] == 0 or kernel.shape[1] % search.shape[1]):
        raise ValueError(f"expected a multiple of the search channels, got {shapes}")
    if not multiple and kernel.shape[1] != search.shape[1]:
        raise ValueError(f"expected as many template as search channels, got {shapes}")
    if kernel.shape[2] > search.shape[2] or kernel.shape[3] > search.shape[3]:
        raise ValueError(f"the template is larger than the search feature: {shapes}")
