"""The anchor-free head: kernel and boxes against plain arithmetic, equivariance, export."""

import math

import numpy as np
import pytest
import torch

from siamtrack.models.heads.box import CenterHead

from ..exporting import export, run

torch.set_num_threads(1)
CHANNELS, TEMPLATE, STRIDE, WIDTH = 6, 5, 16, 8


def build(depth=2, dtype=torch.float32):
    torch.manual_seed(0)
    head = CenterHead(CHANNELS, TEMPLATE, STRIDE, WIDTH, depth)
    for module in head.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, std=0.1)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    return head.to(dtype).eval()


def features(batch=2, side=9, dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    template = torch.randn(batch, CHANNELS, TEMPLATE, TEMPLATE, generator=generator, dtype=dtype)
    search = torch.randn(batch, CHANNELS, side, side, generator=generator, dtype=dtype)
    size = torch.rand(batch, 2, generator=generator, dtype=dtype) * 0.4 + 0.2
    return template, size, search


@torch.no_grad()
def test_shapes():
    head = build()
    template, size, search = features(3, 11)
    kernel = head.kernel(template, size)
    assert kernel.shape == (3, TEMPLATE**2 + 2, WIDTH)
    logits, distances, presence = head(kernel, search)
    assert logits.shape == (3, 1, 11, 11)
    assert distances.shape == (3, 4, 11, 11)
    assert presence.shape == (3, 1)


@torch.no_grad()
def test_the_kernel_holds_unit_cells_the_mean_of_the_centre_and_the_size():
    head = build(dtype=torch.float64)
    template, size, _ = features(dtype=torch.float64)
    kernel = head.kernel(template, size).numpy()
    feature = head.template_neck(template).numpy()
    for b, j, i in np.ndindex(2, TEMPLATE, TEMPLATE):
        cell = feature[b, :, j, i]
        np.testing.assert_allclose(kernel[b, j * TEMPLATE + i], cell / np.linalg.norm(cell))
    np.testing.assert_allclose(kernel[:, -2], feature[:, :, 1:4, 1:4].mean((2, 3)))
    np.testing.assert_allclose(kernel[:, -1, :2], size.numpy())
    assert (kernel[:, -1, 2:] == 0).all()


@torch.no_grad()
def test_similarity_is_the_cosine_of_every_pair_of_cells():
    head = build(dtype=torch.float64)
    template, size, search = features(dtype=torch.float64)
    seen = []
    head.similarity_norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    head(head.kernel(template, size), search)
    a, b = head.template_neck(template).numpy(), head.search_neck(search).numpy()
    for n, k, j, i in [(0, 0, 0, 0), (1, 7, 3, 5), (0, 24, 8, 2), (1, 13, 4, 4)]:
        x, y = a[n, :, k // TEMPLATE, k % TEMPLATE], b[n, :, j, i]
        cosine = x @ y / np.linalg.norm(x) / np.linalg.norm(y)
        assert seen[0][n, k, j, i].item() == pytest.approx(cosine, rel=1e-9)


@torch.no_grad()
def test_boxes_are_the_templates_box_times_a_bounded_factor():
    head = build()
    template, size, search = features()
    kernel = head.kernel(template, size)
    shape = 2 * STRIDE * torch.cat([size, size], 1)[:, :, None, None]
    for bias, factor in [(1.0, 1.0), (-50.0, -4.0), (50.0, 3.0)]:
        head.box.weight.zero_()
        head.box.bias.fill_(bias)
        _, distances, _ = head(kernel, search)
        torch.testing.assert_close(distances, (math.exp(factor) * shape).expand_as(distances))


def test_gradcheck():
    head = build(1, torch.float64)
    template, size, search = features(1, 4, torch.float64)
    tensors = [x.requires_grad_() for x in (template, size, search)]
    assert torch.autograd.gradcheck(lambda t, s, x: head(head.kernel(t, s), x), tensors)


def test_gradients_reach_every_parameter():
    head = build().train()
    template, size, search = features(4)
    outputs = head(head.kernel(template, size), search)
    sum(x.square().sum() for x in outputs).backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("depth", [1, 3])
@torch.no_grad()
def test_scores_and_boxes_shift_with_the_feature_but_for_the_towers_border(depth):
    """Each block of a tower pads by one cell, so as many cells at the border see the padding."""
    head = build(depth, torch.float64)
    template, size, search = features(1, 14, torch.float64)
    kernel = head.kernel(template, size)
    here, there = head(kernel, search[..., :-1, :-1]), head(kernel, search[..., 1:, 1:])
    for a, b in zip(here[:2], there[:2], strict=True):
        difference = (a[..., 1:, 1:] - b[..., :-1, :-1]).abs()
        inside = difference[..., depth:-depth, depth:-depth]
        assert inside.shape[-1] == 12 - 2 * depth
        assert inside.max() < 1e-12
        assert difference[..., depth - 1, :].max() > 1e-6


@torch.no_grad()
def test_samples_of_a_batch_do_not_touch_each_other():
    head = build()
    template, size, search = features(3)
    together = head(head.kernel(template, size), search)
    alone = head(head.kernel(template[1:2], size[1:2]), search[1:2])
    for a, b in zip(together, alone, strict=True):
        torch.testing.assert_close(a[1:2], b)


@torch.no_grad()
def test_exports_with_a_free_batch():
    head = build()
    template, size, search = features(1)
    data = export(head, (head.kernel(template, size), search))
    for batch in (1, 3):
        template, size, search = features(batch)
        kernel = head.kernel(template, size)
        results = run(data, [kernel, search])
        for result, expected in zip(results, head(kernel, search), strict=True):
            torch.testing.assert_close(result, expected, atol=1e-4, rtol=1e-4)


def test_what_does_not_fit_is_refused():
    head = build()
    template, size, search = features()
    kernel = head.kernel(template, size)
    for wrong, message in [
        ((template[:, :5], size), r"expected features \(B, 6"),
        ((template[0], size), r"expected features \(B, 6"),
        ((template[..., 1:], size), "5x5 cells"),
        ((template, size[:1]), r"expected sizes \(2, 2\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            head.kernel(*wrong)
    for wrong, message in [
        ((kernel, search[:, :5]), r"expected features \(B, 6"),
        ((kernel[:1], search), r"expected kernels \(2, 27, C\)"),
        ((kernel[:, 1:], search), r"expected kernels \(2, 27, C\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            head(*wrong)
