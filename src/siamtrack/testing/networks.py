"""Checks for backbones, heads and losses; needs torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from siamtrack.core.settings import TrackerSettings
from siamtrack.testing.base import KINDS, expect, refuses

BACKBONE, HEAD, LOSS = KINDS["backbone"], KINDS["head"], KINDS["loss"]
Make = Callable[..., Any]
SIDE = 127
"""Side of the pictures that backbones are tried on."""


def _built(make: Make) -> Any:
    torch.manual_seed(0)
    return make().eval()


def _images(side: int, rows: int = 2) -> torch.Tensor:
    return torch.randn((rows, 3, side, side), generator=torch.Generator().manual_seed(0))


@BACKBONE.add
def says_what_it_is(make: Make) -> None:
    """It is a torch module with channels, stride, padding_free and smallest."""
    network = _built(make)
    expect(isinstance(network, nn.Module), f"made {type(network).__name__}, no torch module")
    for name in ("channels", "stride", "smallest"):
        value = getattr(network, name, None)
        expect(
            isinstance(value, int) and value >= 1,
            f"{name} is {value!r}: expected a whole number from 1",
        )
    free = getattr(network, "padding_free", None)
    expect(isinstance(free, bool), f"padding_free is {free!r}: expected True or False")


@BACKBONE.add
def has_its_channels(make: Make) -> None:
    """Images (B, 3, H, W) become finite features (B, channels, H', W')."""
    network = _built(make)
    with torch.no_grad():
        features = network(_images(SIDE))
    expect(
        features.ndim == 4 and features.shape[:2] == (2, network.channels),
        f"features of shape {tuple(features.shape)}: expected (2, {network.channels}, H, W)",
    )
    expect(bool(features.isfinite().all()), "features that are not finite")


@BACKBONE.add
def has_its_stride(make: Make) -> None:
    """Images that are larger by four strides have four cells more."""
    network = _built(make)
    with torch.no_grad():
        small, large = (
            network(_images(side, 1)).shape[-1] for side in (SIDE, SIDE + 4 * network.stride)
        )
    if large == small == 1:
        return  # one vector for a whole image
    expect(
        large == small + 4,
        f"stride {network.stride}, but images larger by four strides have {large - small} cells "
        "more, not 4",
    )


@BACKBONE.add
def is_padding_free_if_it_says_so(make: Make) -> None:
    """An image that is shifted by one stride has features that are shifted by one cell."""
    network = _built(make)
    if not network.padding_free:
        return
    wide = _images(SIDE + network.stride, 1)
    with torch.no_grad():
        here = network(wide[..., :SIDE, :SIDE])
        there = network(wide[..., network.stride :, network.stride :])
    apart = float((here[..., 1:, 1:] - there[..., :-1, :-1]).abs().max())
    scale = max(float(here.abs().max()), 1e-12)
    expect(
        apart <= 1e-4 * scale,
        f"features of a shifted image differ by {apart / scale:.2g} of the largest one: crop what "
        "padding reaches, or say padding_free = False",
    )


@BACKBONE.add
def knows_its_smallest_image(make: Make) -> None:
    """The smallest image has one cell, and a smaller one is refused."""
    network = _built(make)
    if network.smallest == 1:
        return
    with torch.no_grad():
        cells = network(_images(network.smallest, 1)).shape[-1]
    expect(cells == 1, f"an image of {network.smallest} pixels, the smallest, has {cells} cells")
    small = _images(network.smallest - 1, 1)
    refuses(lambda: network(small), f"an image of {network.smallest - 1} pixels")


@BACKBONE.add
def unfreezes_in_stages(make: Make) -> None:
    """Every parameter is in one of its stages, and in no other."""
    network = _built(make)
    stages = list(network.stages())
    expect(len(stages) > 0, "no stages: return the parts from the input to the output")
    counted = [id(p) for stage in stages for p in stage.parameters()]
    expect(len(counted) == len(set(counted)), "a parameter is in two stages")
    missing = [name for name, p in network.named_parameters() if id(p) not in set(counted)]
    expect(not missing, f"{len(missing)} parameters are in no stage, the first is {missing[:1]}")


@BACKBONE.add
def learns(make: Make) -> None:
    """Every parameter gets a finite gradient."""
    _gradients(_built(make).train(), lambda network: network(_images(SIDE)))


@BACKBONE.add
def treats_images_alone(make: Make) -> None:
    """In evaluation an image has the same features in a batch as alone, and stays as it is."""
    network, images = _built(make), _images(SIDE)
    kept = images.clone()
    with torch.no_grad():
        whole, alone = network(images), network(images[:1])
    apart = float((whole[:1] - alone).abs().max() / whole.abs().max().clamp(min=1e-12))
    expect(apart < 1e-4, f"features in a batch differ by {apart:.2g} from those of one image")
    expect(bool(torch.equal(images, kept)), "the images were changed: work on a copy")


def _gradients(network: nn.Module, call: Callable[[Any], torch.Tensor]) -> None:
    network.zero_grad()
    call(network).square().mean().backward()  # type: ignore[no-untyped-call]
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        expect(parameter.grad is not None, f"{name} gets no gradient")
        good = parameter.grad is None or bool(parameter.grad.isfinite().all())
        expect(good, f"{name} gets a gradient that is not finite")


CHANNELS, CELLS, STRIDE = 16, 6, 8
"""What heads are built for."""


def _head(make: Make) -> Any:
    torch.manual_seed(0)
    return make(CHANNELS, CELLS, STRIDE).eval()


def _features(rows: int = 2) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    template = torch.randn((rows, CHANNELS, CELLS, CELLS), generator=rng)
    search = torch.randn((rows, CHANNELS, 22, 22), generator=rng)
    return template, search, torch.full((rows, 2), 0.5)


@HEAD.add
def says_how_it_is_read(make: Make) -> None:
    """Kind, outputs and settings are those that trackers know."""
    head = _head(make)
    expect(head.kind in ("box", "response", ""), f"kind {head.kind!r}: expected box or response")
    expect(isinstance(head.settings, TrackerSettings), "settings are no TrackerSettings")
    expect(
        "score" in head.outputs and len(set(head.outputs)) == len(head.outputs),
        f"outputs {head.outputs}: expected different names, `score` among them",
    )


@HEAD.add
def answers_what_it_names(make: Make) -> None:
    """`answer` gives a finite tensor for each of `outputs`, with a row for each search feature."""
    head = _head(make)
    template, search, size = _features()
    with torch.no_grad():
        kernel = head.kernel(template, size if head.sized else None)
        found = head.answer(kernel, search)
    expect(len(kernel) == 2, f"kernel of shape {tuple(kernel.shape)} for two templates")
    expect(len(found) == len(head.outputs), f"{len(found)} tensors for the outputs {head.outputs}")
    for name, value in zip(head.outputs, found, strict=True):
        expect(len(value) == 2, f"{name} of shape {tuple(value.shape)} for two search features")
        expect(bool(value.isfinite().all()), f"{name} has numbers that are not finite")
    score = found[head.outputs.index("score")]
    anchors = ", or (B, A, H, W) for A anchors"
    expect(
        score.ndim in (3, 4), f"score of shape {tuple(score.shape)}: expected (B, H, W){anchors}"
    )


@HEAD.add
def treats_pairs_alone(make: Make) -> None:
    """A pair has the same answer in a batch as alone."""
    head = _head(make)
    template, search, size = _features()
    with torch.no_grad():
        kernel = head.kernel(template, size if head.sized else None)
        whole, alone = head.answer(kernel, search), head.answer(kernel[:1], search[:1])
    for name, one, other in zip(head.outputs, whole, alone, strict=True):
        apart = float((one[:1] - other).abs().max())
        expect(apart < 1e-3, f"{name} in a batch differs by {apart:.2g} from that of one pair")


def _example(make: Make) -> tuple[Any, torch.Tensor, torch.Tensor]:
    """Return a loss, and a prediction and a target for it: response maps unless it names others."""
    loss = make()
    form = getattr(loss, "dense", None)
    loss = loss if form is None else form()
    rng = torch.Generator().manual_seed(0)
    given = getattr(loss, "example", None)
    if callable(given):
        prediction, target = given()
        return loss, prediction, target
    prediction = torch.randn((2, 9, 9), generator=rng)
    labels = (torch.rand((2, 9, 9), generator=rng) > 0.8).float()
    labels[:, 0] = -1  # cells that do not count
    return loss, prediction, labels


@LOSS.add
def gives_a_number(make: Make) -> None:
    """The value is finite and of shape ()."""
    loss, prediction, target = _example(make)
    value = loss(prediction, target)
    expect(tuple(value.shape) == (), f"a value of shape {tuple(value.shape)}: expected ()")
    expect(bool(value.isfinite()), f"the value is {float(value.detach())}")


@LOSS.add
def has_a_gradient(make: Make) -> None:
    """The prediction gets a finite gradient that is not zero, and a step against it helps."""
    loss, prediction, target = _example(make)
    prediction = prediction.clone().requires_grad_()
    value = loss(prediction, target)
    value.backward()
    gradient = prediction.grad
    expect(gradient is not None, "the prediction gets no gradient")
    assert gradient is not None
    expect(bool(gradient.isfinite().all()), "the gradient has numbers that are not finite")
    expect(float(gradient.abs().max()) > 0, "the gradient is zero everywhere")
    with torch.no_grad():
        less = loss(prediction - 1e-2 * gradient / gradient.abs().max(), target)
    expect(
        float(less) < float(value.detach()),
        "a small step against the gradient does not lower the loss",
    )


@LOSS.add
def survives_nothing_to_learn(make: Make) -> None:
    """Where no cell counts, the value is zero and can still be differentiated."""
    loss, prediction, target = _example(make)
    if callable(getattr(loss, "example", None)):
        return
    prediction = prediction.clone().requires_grad_()
    value = loss(prediction, torch.full_like(target, -1))
    number = float(value.detach())
    expect(number == 0, f"the loss is {number:g} where no cell counts: expected 0")
    value.backward()


@LOSS.add
def refuses_other_shapes(make: Make) -> None:
    """A target of another shape is refused, and not spread over the prediction."""
    loss, prediction, target = _example(make)
    refuses(lambda: loss(prediction, target[:1]), "a target of another shape")
