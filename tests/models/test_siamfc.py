import numpy as np
import pytest
import torch

from siamtrack.models.correlation import cross_correlation, depthwise_correlation
from siamtrack.models.heads.siamfc import SiamFCHead

torch.set_num_threads(1)


@pytest.fixture
def features():
    torch.manual_seed(0)
    return torch.randn(3, 4, 2, 3).double(), torch.randn(3, 4, 5, 7).double()


def test_both_correlations_agree_with_the_oracle(features):
    kernel, search = (x.numpy() for x in features)
    oracle = np.zeros((3, 4, 4, 5))
    for b, c, i, j in np.ndindex(oracle.shape):
        oracle[b, c, i, j] = (kernel[b, c] * search[b, c, i : i + 2, j : j + 3]).sum()
    np.testing.assert_allclose(depthwise_correlation(*features).numpy(), oracle)
    full = cross_correlation(*features).numpy()
    np.testing.assert_allclose(full, oracle.sum(1, keepdims=True))


def test_scale_and_bias(features):
    head = SiamFCHead(scale=0.5, bias=2.0).double()
    torch.testing.assert_close(head(*features), 0.5 * cross_correlation(*features) + 2)
    head(*features).sum().backward()
    assert head.bias.grad == 60
    assert head.scale.grad is not None


@pytest.mark.parametrize("correlation", [cross_correlation, depthwise_correlation])
@pytest.mark.parametrize(
    ("kernel", "search", "message"),
    [
        ((4, 2, 2), (1, 4, 5, 5), "expected features"),
        ((2, 4, 2, 2), (3, 4, 5, 5), "one template for each"),
        ((2, 3, 2, 2), (2, 4, 5, 5), "channels"),
        ((2, 4, 6, 2), (2, 4, 5, 5), "larger than"),
    ],
)
def test_misfits(correlation, kernel, search, message):
    with pytest.raises(ValueError, match=message):
        correlation(torch.zeros(kernel), torch.zeros(search))
