"""The whole tracking network: geometry, pixels in, equivariance, and its two exported halves."""

import pytest
import torch
from torch import nn

from siamtrack.losses.tracking import cell_centers
from siamtrack.models.network import BoxTrackerConfig, build_network

from .exporting import export, run

torch.set_num_threads(1)
SMALL = {"width": 0.25, "head_width": 16, "head_depth": 1}


def build(**settings):
    torch.manual_seed(0)
    return build_network(BoxTrackerConfig(**{**SMALL, **settings})).eval()


def inputs(model, batch=2):
    generator = torch.Generator().manual_seed(1)
    sides = model.config.template, model.config.search
    template, search = (
        torch.randint(0, 256, (batch, 3, side, side), generator=generator).float() for side in sides
    )
    return template, torch.rand(batch, 2, generator=generator) * 0.3 + 0.3, search


def answers(model, batch=2):
    template, size, search = inputs(model, batch)
    return model(template, search, size)


@pytest.mark.parametrize(
    ("settings", "cells", "template_cells"),
    [
        ({}, 17, 9),
        ({"search": 193}, 13, 9),
        ({"backbone": "ciresnet22", "template": 127, "search": 255}, 21, 5),
    ],
)
@torch.no_grad()
def test_shapes(settings, cells, template_cells):
    model = build(**settings)
    template, size, search = inputs(model)
    kernel = model.embed(template, size)
    assert kernel.shape == (2, template_cells**2 + 2, 16)
    logits, distances, presence = model.respond(kernel, search)
    assert logits.shape == (2, 1, cells, cells)
    assert distances.shape == (2, 4, cells, cells)
    assert presence.shape == (2, 1)
    assert (distances > 0).all()
    for a, b in zip((logits, distances, presence), model(template, search, size), strict=True):
        assert torch.equal(a, b)


@torch.no_grad()
def test_pixels_are_normalized_inside():
    model = build()
    template, size, search = inputs(model)
    assert model.normalize(torch.tensor([0.0, 127, 255])).tolist() == [-127 / 128, 0, 1]
    seen = []
    model.backbone.register_forward_pre_hook(lambda _, images: seen.append(images[0]))
    model(template, search, size)
    assert torch.equal(seen[0], (template - 127) / 128)
    assert torch.equal(seen[1], (search - 127) / 128)


@torch.no_grad()
def test_scores_shift_with_the_image_in_the_interior():
    """Exact with a padding-free backbone, but for the one cell that the head's tower pads."""
    model = build(backbone="ciresnet22", template=127, search=255)
    stride = model.backbone.stride
    template, size, _ = inputs(model, 1)
    image = torch.rand(1, 3, 255 + stride, 255 + stride) * 255
    kernel = model.embed(template, size)
    here = model.respond(kernel, image[..., :255, :255])
    there = model.respond(kernel, image[..., stride:, stride:])
    for a, b in zip(here[:2], there[:2], strict=True):
        difference = (a[..., 1:, 1:] - b[..., :-1, :-1]).abs() / a.abs().max()
        assert difference[..., 1:-1, 1:-1].max() < 1e-5
        assert difference[..., 0, :].max() > 1e-4


@torch.no_grad()
def test_the_grid_is_centred_in_the_patch():
    """An image mirrored about its centre has mirrored scores, for a network that mirrors."""
    model = build()
    for module in model.modules():
        if isinstance(module, nn.Conv2d):  # symmetric kernels
            module.weight.copy_((module.weight + module.weight.flip(-1)) / 2)
    template, size, search = inputs(model, 1)
    template = (template + template.flip(-1)) / 2
    kernel = model.embed(template, size)
    # the head tells a template cell from its mirror image, so make both weigh the same
    mix = model.head.mix[0][0].weight
    cells = mix[:, :81].reshape(-1, 9, 9)
    mix[:, :81] = ((cells + cells.flip(-1)) / 2).reshape(-1, 81, 1, 1)
    score, mirrored = model.respond(kernel, search)[0], model.respond(kernel, search.flip(-1))[0]
    torch.testing.assert_close(score, mirrored.flip(-1), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(score, mirrored, atol=1e-3)
    assert cell_centers(17, 16, 257)[8] == 128.5


class Halves(nn.Module):
    def __init__(self, model, half):
        super().__init__()
        self.model = model
        self.half = half

    def forward(self, *inputs):
        return getattr(self.model, self.half)(*inputs)


@torch.no_grad()
def test_both_halves_export_with_a_free_batch():
    model = build()
    template, size, search = inputs(model, 1)
    embed = export(Halves(model, "embed"), (template, size))
    respond = export(Halves(model, "respond"), (model.embed(template, size), search))
    for batch in (1, 3):
        template, size, search = inputs(model, batch)
        (kernel,) = run(embed, [template, size])
        torch.testing.assert_close(kernel, model.embed(template, size), atol=1e-4, rtol=1e-4)
        results = run(respond, [kernel, search])
        for result, expected in zip(results, model(template, search, size), strict=True):
            torch.testing.assert_close(result, expected, atol=1e-3, rtol=1e-3)


def test_gradients_reach_every_parameter():
    model = build().train()
    sum(x.square().mean() for x in answers(model)).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize(
    "settings",
    [{"template": 32}, {"search": 127}, {"head_width": 4}, {"head_depth": 0}],
)
def test_bad_settings(settings):
    with pytest.raises(ValueError, match=r"expected a whole number from|must not be the smaller"):
        BoxTrackerConfig(**settings)
