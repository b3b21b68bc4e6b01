"""Correlations against a slow oracle, in both forms, and exported to ONNX with a free batch."""

import numpy as np
import pytest
import torch
from torch import nn

from siamtrack.models import correlation
from siamtrack.models.correlation import (
    cross_correlation,
    depthwise_correlation,
    up_channel_correlation,
)

from .exporting import export, operators, run

torch.set_num_threads(1)
OUTPUTS = 2
FORMS = ["grouped", "matmul"]
ALL = [cross_correlation, depthwise_correlation, up_channel_correlation]


def pair(batch=3, channels=4, kernel=(2, 3), search=(5, 7), outputs=1, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    shapes = (batch, outputs * channels, *kernel), (batch, channels, *search)
    return [torch.randn(shape, generator=generator, dtype=dtype) for shape in shapes]


def depthwise_oracle(kernel, search):
    """Maps (B, C, H - h + 1, W - w + 1) in plain loops."""
    h, w = kernel.shape[2:]
    oracle = np.zeros((*search.shape[:2], search.shape[2] - h + 1, search.shape[3] - w + 1))
    for b, c, i, j in np.ndindex(oracle.shape):
        oracle[b, c, i, j] = (kernel[b, c] * search[b, c, i : i + h, j : j + w]).sum()
    return oracle


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kernel", [(1, 1), (2, 3), (3, 2), (5, 7), (5, 1)])
def test_all_agree_with_the_oracle(form, kernel):
    tensors = pair(kernel=kernel, outputs=OUTPUTS)
    k, s = (x.numpy() for x in tensors)
    single = tensors[0][:, :4], tensors[1]
    oracle = depthwise_oracle(k[:, :4], s)
    np.testing.assert_allclose(depthwise_correlation(*single, form).numpy(), oracle, atol=1e-12)
    full = oracle.sum(1, keepdims=True)
    np.testing.assert_allclose(cross_correlation(*single, form).numpy(), full, atol=1e-12)
    second = depthwise_oracle(k[:, 4:], s).sum(1, keepdims=True)
    up = up_channel_correlation(*tensors, form).numpy()
    np.testing.assert_allclose(up, np.concatenate([full, second], 1), atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("function", ALL)
def test_gradcheck(function, form):
    tensors = [x.requires_grad_() for x in pair(2, 2, (2, 2), (3, 4))]
    assert torch.autograd.gradcheck(lambda *x: function(*x, form), tensors)


@pytest.mark.parametrize("side", [5, 6])
def test_forms_agree_in_single_precision_on_features_of_real_size(side):
    tensors = pair(2, 512, (side, side), (side + 16, side + 16), dtype=torch.float32)
    grouped, matmul = (cross_correlation(*tensors, form) for form in FORMS)
    assert grouped.shape == (2, 1, 17, 17)
    assert (grouped - matmul).abs().max() < 1e-5 * grouped.abs().max()


class Exported(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, kernel, search):
        return self.function(kernel, search)


@pytest.mark.parametrize("traced", [1, 2])
@pytest.mark.parametrize("function", ALL)
def test_exports_with_a_free_batch_and_without_a_computed_kernel(function, traced):
    outputs = OUTPUTS if function is up_channel_correlation else 1
    make = {"outputs": outputs, "dtype": torch.float32, "kernel": (5, 5), "search": (21, 21)}
    data = export(Exported(function), tuple(pair(traced, **make)))
    assert "Conv" not in operators(data)
    for batch in (1, 3):
        tensors = pair(batch, **make)
        (response,) = run(data, tensors)
        torch.testing.assert_close(response, function(*tensors, "grouped"), atol=1e-4, rtol=1e-5)


def test_the_default_form_is_the_grouped_convolution_outside_of_export(monkeypatch):
    tensors = pair()
    with monkeypatch.context() as patch:
        patch.setattr(correlation, "_by_matmul", None)
        cross_correlation(*tensors)
    with pytest.raises(ValueError, match="form 'fft' is none of auto"):
        cross_correlation(*tensors, "fft")


@pytest.mark.parametrize("function", [cross_correlation, depthwise_correlation])
@pytest.mark.parametrize(
    ("kernel", "search", "message"),
    [
        ((4, 2, 2), (1, 4, 5, 5), "expected features"),
        ((2, 4, 2, 2), (3, 4, 5, 5), "one template for each"),
        ((0, 4, 2, 2), (0, 4, 5, 5), "one template for each"),
        ((2, 3, 2, 2), (2, 4, 5, 5), "as many template"),
        ((2, 8, 2, 2), (2, 4, 5, 5), "as many template"),
        ((2, 4, 6, 2), (2, 4, 5, 5), "larger than"),
        ((2, 4, 2, 6), (2, 4, 5, 5), "larger than"),
    ],
)
def test_misfits(function, kernel, search, message):
    with pytest.raises(ValueError, match=message):
        function(torch.zeros(kernel), torch.zeros(search))


def test_up_channel_misfits():
    with pytest.raises(ValueError, match="multiple"):
        up_channel_correlation(torch.zeros(1, 6, 1, 1), torch.zeros(1, 4, 5, 5))
