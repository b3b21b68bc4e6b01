"""The SiamFC head: scale and bias around the cross-correlation."""

import torch

from siamtrack.models.correlation import cross_correlation
from siamtrack.models.heads.siamfc import SiamFCHead

from ..exporting import export, run


def features(dtype=torch.float64, batch=3):
    generator = torch.Generator().manual_seed(0)
    shapes = (batch, 4, 2, 3), (batch, 4, 5, 7)
    return [torch.randn(shape, generator=generator, dtype=dtype) for shape in shapes]


def test_scale_and_bias():
    head = SiamFCHead(scale=0.5, bias=2.0).double()
    torch.testing.assert_close(head(*features()), 0.5 * cross_correlation(*features()) + 2)
    head(*features()).sum().backward()
    assert head.bias.grad == 60
    torch.testing.assert_close(head.scale.grad, cross_correlation(*features()).sum())


def test_exports_with_a_free_batch():
    head = SiamFCHead(scale=0.5, bias=2.0)
    data = export(head, tuple(features(torch.float32, 1)))
    inputs = features(torch.float32)
    torch.testing.assert_close(run(data, inputs)[0], head(*inputs).detach())
