"""Measure a backbone: what it sees, what it costs, and what the guidelines of SiamDW say to it.

Deeper and Wider Siamese Networks for Real-Time Visual Tracking, Zhang and Peng, CVPR 2019, section
3, https://arxiv.org/abs/1901.01660: a stride of 4 or 8, a receptive field of 60 to 80 % of the
template, and features that no padding has reached.

Everything is measured on the network as it is, so that nobody has to describe it: any module that
maps images (B, 3, H, W) to features (B, C, H', W') will do.
"""

from __future__ import annotations

import copy
import math
import statistics
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from siamtrack.core.config import shown

STRIDES = (4, 8)
FIELD_SHARES = (0.6, 0.8)
ROUNDING = 1e-5
"""Shift errors below it are no sign of padding.

A cell may be computed by another loop than its neighbor (vector or rest, tile or edge), which adds
the same products in another order. Each layer then rounds by some 1e-7 of its largest activation;
which processors do so is not ours to know. Zero padding changes features by 0.1 or more.
"""
LARGEST_PATCH = 2048  # as in the configs of networks
LARGEST = 1100  # sides up to which images grow until the receptive field fits in, in pixels


@dataclass(frozen=True)
class Analysis:
    """What `analyse` measured.

    Attributes:
        name: Name of the backbone.
        template: Side of the template patch in pixels.
        search: Side of the search patch in pixels.
        stride: Distance of two cells in pixels.
        channels: Channels of the features.
        receptive_field: Side of the square that one cell sees, in pixels.
        field_share: The receptive field as a share of the template's side.
        template_cells: Cells along a side of the template feature.
        search_cells: Cells along a side of the search feature.
        response_cells: Cells along a side of the response to the whole template.
        shift_error: See `shift_error`; 0 without padding (up to rounding).
        parameters: Number of trainable values.
        template_macs: Multiplications with addition for one template.
        search_macs: The same for one search patch.
        weights_bytes: Size of the weights and statistics.
        activation_bytes: The most that a layer needs at once, its input and output, for one search
            patch.
        latency_ms: Median time for one search patch in torch, in milliseconds; None if not asked.
        threads: Threads of torch in that measurement.
        flags: What the guidelines reject, and where the network is not what it declares.
    """

    name: str
    template: int
    search: int
    stride: int
    channels: int
    receptive_field: int
    field_share: float
    template_cells: int
    search_cells: int
    response_cells: int
    shift_error: float
    parameters: int
    template_macs: int
    search_macs: int
    weights_bytes: int
    activation_bytes: int
    latency_ms: float | None
    threads: int
    flags: tuple[str, ...]


def analyse(
    network: nn.Module, name: str = "", template: int = 127, search: int = 255, repeats: int = 10
) -> Analysis:
    """Measure a backbone.

    Args:
        network: Maps images (B, 3, H, W) to features (B, C, H', W'). It is not changed.
        name: Name for the result.
        template: Side of the template patch in pixels.
        search: Side of the search patch in pixels.
        repeats: Runs of which the latency is the median; 0 for none.

    Raises:
        ValueError: If the template is larger than the search patch, the network does not take
            patches of these sides, or returns something else than features (B, C, H', W').

    Example:
        >>> from siamtrack.models.backbones import BACKBONES
        >>> found = analyse(BACKBONES["ciresnet22"](width=0.125), repeats=0)
        >>> found.stride, found.receptive_field, found.response_cells, found.shift_error < ROUNDING
        (8, 93, 17, True)
    """
    if not 1 <= template <= search <= LARGEST_PATCH:
        raise ValueError(
            f"template {shown(template)} and search {shown(search)}: expected template <= search, "
            f"up to {LARGEST_PATCH} pixels"
        )
    if repeats < 0:
        raise ValueError(f"repeats {repeats}: expected 0 or more")
    network = copy.deepcopy(network).eval()
    kernel, template_macs, _ = _run(network, template)
    features, search_macs, activation_bytes = _run(network, search)
    field, stride = receptive_field(network, search)
    values = [*network.parameters(), *network.buffers()]
    found = Analysis(
        name=name,
        template=template,
        search=search,
        stride=stride,
        channels=features.shape[1],
        receptive_field=field,
        field_share=field / template,
        template_cells=kernel.shape[-1],
        search_cells=features.shape[-1],
        response_cells=features.shape[-1] - kernel.shape[-1] + 1,
        shift_error=shift_error(network, search, stride),
        parameters=sum(p.numel() for p in network.parameters()),
        template_macs=template_macs,
        search_macs=search_macs,
        weights_bytes=sum(value.numel() * value.element_size() for value in values),
        activation_bytes=activation_bytes,
        latency_ms=_latency(network, search, repeats) if repeats else None,
        threads=torch.get_num_threads(),
        flags=(),
    )
    flags = (*_guidelines(found), *_undeclared(found, network))
    return Analysis(**{**vars(found), "flags": flags})


@torch.enable_grad()
def receptive_field(network: nn.Module, side: int = 255) -> tuple[int, int]:
    """Return the side of what one cell sees and the distance of two cells, both in pixels.

    The gradient of a cell is different from zero where the cell sees. Weights of one sign keep
    contributions from cancelling, means in place of max-pools and no saturating activations keep
    them alive. The image grows until the field of its middle cell fits in.

    Args:
        network: Maps images (B, 3, H, W) to features (B, C, H', W').
        side: Side of the first image, in pixels.

    Returns:
        Receptive field and stride; a field that reaches beyond 1000 pixels is given as the image's
        side.
    """
    open_ = _all_seeing(network)
    while True:
        image = torch.full((1, 3, side, side), 1e-6, requires_grad=True)
        features = open_(image)
        middle = features.shape[-1] // 2
        first, last = _seen(features, image, middle)
        if (first > 0 and last < side - 1) or 2 * side > LARGEST:
            break
        side = 2 * side + 1
    if features.shape[-1] == 1:
        return last - first + 1, side
    other = middle - 1
    start, end = _seen(features, image, other)
    # with a border in the way, the middle of what is seen moves less than the cell
    step = (last - end) if last < side - 1 else (first - start)
    return last - first + 1, max(step, 1)


def _seen(features: Tensor, image: Tensor, cell: int) -> tuple[int, int]:
    """First and last image row that the cell in the middle column and row `cell` sees."""
    value = features[0, :, cell, features.shape[-1] // 2].sum()
    (gradient,) = torch.autograd.grad(value, image, retain_graph=True)
    rows = gradient.abs().sum((0, 1, 3)).nonzero().flatten()
    return int(rows[0]), int(rows[-1])


def _all_seeing(network: nn.Module) -> nn.Module:
    """Copy a network with weights that let every cell feel every pixel that it is connected to."""
    network = copy.deepcopy(network).float().eval()
    for module in network.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.MaxPool2d):
                pool = nn.AvgPool2d(child.kernel_size, child.stride, child.padding)
                setattr(module, name, pool)
            elif isinstance(child, (nn.ReLU, nn.ReLU6, nn.SiLU, nn.GELU, nn.Hardswish, nn.Sigmoid)):
                setattr(module, name, nn.Identity())
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
    return network


@torch.no_grad()
def shift_error(network: nn.Module, side: int, stride: int) -> float:
    """Return how far features are from moving with the image; below `ROUNDING` they do.

    An image of noise is shifted by one stride; the features should then be shifted by one cell. The
    largest difference of two cells that should be equal is divided by the largest activation.

    Args:
        network: Maps images (B, 3, H, W) to features (B, C, H', W').
        side: Side of the image in pixels.
        stride: Distance of two cells in pixels.
    """
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, 3, side + stride, side + stride, generator=generator)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a setting of Intel GPUs, which the next line reads
        # oneDNN's grouped convolutions round differently at different places, by 1e-7
        with torch.backends.mkldnn.flags(enabled=False):
            here = network(image[..., :side, :side])
            there = network(image[..., stride:, stride:])
    difference = (here[..., 1:, 1:] - there[..., :-1, :-1]).abs()
    if difference.numel() == 0:
        return math.nan
    return float(difference.max() / here.abs().max().clamp(min=1e-30))


@torch.no_grad()
def _run(network: nn.Module, side: int) -> tuple[Tensor, int, int]:
    """Features of one image, MACs, and the most bytes that a layer holds."""
    counter: Any = FlopCounterMode(display=False)
    with _largest_layer(network) as bytes_, counter:
        try:
            features: Any = network(torch.zeros(1, 3, side, side))
        except RuntimeError as error:
            raise ValueError(
                f"the network does not take images (1, 3, {side}, {side}): {error}"
            ) from error
    if not isinstance(features, Tensor) or features.ndim != 4 or len(features) != 1:
        given = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
        raise ValueError(f"expected features (1, C, H', W') from a backbone, got {given}")
    return features, counter.get_total_flops() // 2, max(bytes_, default=0)


@contextmanager
def _largest_layer(network: nn.Module) -> Iterator[list[int]]:
    sizes: list[int] = []

    def note(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        tensors = [x for x in (*inputs, output) if isinstance(x, Tensor)]
        sizes.append(sum(x.numel() * x.element_size() for x in tensors))

    leaves = [module for module in network.modules() if not list(module.children())]
    handles = [leaf.register_forward_hook(note) for leaf in leaves]
    try:
        yield sizes
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def _latency(network: nn.Module, side: int, repeats: int) -> float:
    image = torch.randn(1, 3, side, side)
    times = []
    for _ in range(repeats + 2):  # the first two warm up
        start = time.perf_counter()
        network(image)
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[2:])


def _guidelines(found: Analysis) -> Iterator[str]:
    if found.stride not in STRIDES:
        yield f"stride {found.stride}: the guidelines ask for 4 or 8"
    low, high = FIELD_SHARES
    if not low <= found.field_share <= high:
        yield (
            f"receptive field {found.receptive_field} px is {found.field_share:.0%} of the "
            f"template: the guidelines ask for {low:.0%} to {high:.0%}"
        )
    if found.shift_error > ROUNDING:
        yield f"padding reaches the features: a shift changes them by {found.shift_error:.1%}"


def _undeclared(found: Analysis, network: nn.Module) -> Iterator[str]:
    for name in ("stride", "channels"):
        declared = getattr(network, name, None)
        if declared is not None and declared != getattr(found, name):
            yield f"declares {name} {declared}, but {getattr(found, name)} was measured"
    if getattr(network, "padding_free", False) and found.shift_error > ROUNDING:
        yield "declares to be free of padding, but a shift changes the features"
