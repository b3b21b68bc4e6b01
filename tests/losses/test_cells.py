"""The balanced logistic and the focal loss against slow oracles."""

import numpy as np
import pytest
import torch

from siamtrack.losses import BalancedLogisticLoss, FocalLoss


@pytest.fixture
def maps():
    rng = np.random.default_rng(3)
    return rng.normal(0, 3, (3, 1, 5, 5)), rng.integers(-1, 2, (3, 1, 5, 5))


def test_logistic_agrees_with_the_oracle(maps):
    expected = 0.0
    for v, label in zip(*maps, strict=True):
        positive = [np.log(1 + np.exp(-x)) for x in v[label == 1]]
        negative = [np.log(1 + np.exp(x)) for x in v[label == 0]]
        expected += (np.mean(positive) + np.mean(negative)) / 2 / 3
    value = BalancedLogisticLoss()(*map(torch.tensor, maps))
    assert value.item() == pytest.approx(expected, rel=1e-12)


def test_logistic_of_a_negative_pair_weighs_one_half():
    value = BalancedLogisticLoss()(torch.zeros(2, 1, 3, 3), torch.zeros(2, 1, 3, 3))
    assert value.item() == pytest.approx(np.log(2) / 2)


@pytest.mark.parametrize(("alpha", "gamma"), [(0.25, 2.0), (0.5, 0.0), (0.9, 0.5), (1.0, 4.0)])
def test_focal_agrees_with_the_oracle(maps, alpha, gamma):
    total = 0.0
    for x, label in zip(maps[0].ravel(), maps[1].ravel(), strict=True):
        p = 1 / (1 + np.exp(-x))
        if label == 1:
            total -= alpha * (1 - p) ** gamma * np.log(p)
        elif label == 0:
            total -= (1 - alpha) * p**gamma * np.log(1 - p)
    value = FocalLoss(alpha, gamma)(*map(torch.tensor, maps))
    assert value.item() == pytest.approx(total / (maps[1] == 1).sum(), rel=1e-10)


def test_focal_settings_are_checked():
    with pytest.raises(ValueError, match="alpha"):
        FocalLoss(alpha=1.5)
    with pytest.raises(ValueError, match="gamma"):
        FocalLoss(gamma=-1)
