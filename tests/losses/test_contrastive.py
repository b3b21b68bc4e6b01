"""Hadsell's loss against a slow oracle, and the behaviour of its dense form."""

import numpy as np
import pytest
import torch

from siamtrack.losses import ContrastiveLoss, DenseContrastiveLoss
from siamtrack.losses.metric import euclidean, pairwise


def oracle(distances, labels, margin):
    total = 0.0
    for d, y in zip(distances, labels, strict=True):
        total += (1 - y) / 2 * d**2 + y / 2 * max(0.0, margin - d) ** 2
    return total / len(distances)


@pytest.mark.parametrize("margin", [0.5, 1.0, 3.0])
def test_agrees_with_the_oracle(margin):
    rng = np.random.default_rng(0)
    distances, labels = rng.uniform(0, 3, 50), rng.integers(0, 2, 50)
    value = ContrastiveLoss(margin)(torch.tensor(distances), torch.tensor(labels))
    assert value.item() == pytest.approx(oracle(distances, labels, margin), rel=1e-12)


@pytest.mark.parametrize("margin", [1.0, 3.0])
def test_dense_form_agrees_with_the_oracle(margin):
    rng = np.random.default_rng(0)
    response, labels = rng.normal(0, 4, (3, 1, 5, 5)), rng.integers(-1, 2, (3, 1, 5, 5))
    expected = 0.0
    for r, y in zip(response, labels, strict=True):
        for kind in (0, 1):
            distances = np.log1p(np.exp(-r[y == kind]))
            pairs = np.full(len(distances), 1 - kind)
            expected += 0.5 * oracle(distances, pairs, margin) / len(response)
    value = DenseContrastiveLoss(margin)(torch.tensor(response), torch.tensor(labels))
    assert value.item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("label", [0, 1])
def test_gradient_at_distance_zero_is_finite(label):
    a = torch.ones(2, 4, requires_grad=True)
    ContrastiveLoss()(euclidean(a, a.detach().clone()), torch.full((2,), label)).backward()
    assert (a.grad == 0).all()


def test_similar_pairs_attract_and_near_dissimilar_ones_repel():
    distance = torch.tensor([0.5, 0.5, 2.0], requires_grad=True)
    ContrastiveLoss(1.0)(distance, torch.tensor([0, 1, 1])).backward()
    assert distance.grad[0] > 0
    assert distance.grad[1] < 0
    assert distance.grad[2] == 0


def test_negative_distances_are_refused():
    with pytest.raises(ValueError, match="contrastive_dense"):
        ContrastiveLoss()(torch.tensor([-1.0]), torch.tensor([0]))


@pytest.mark.parametrize("loss", [ContrastiveLoss, DenseContrastiveLoss])
@pytest.mark.parametrize("margin", [0.0, -1.0, float("nan")])
def test_margin_must_be_positive(loss, margin):
    with pytest.raises(ValueError, match="margin"):
        loss(margin=margin)


def test_pairwise_distances_keep_their_digits_for_near_points():
    points = torch.tensor([[1e4, 0.0], [1e4, 1e-3]], requires_grad=True)
    distance = pairwise(points)
    assert distance[0, 1].item() == pytest.approx(1e-3)
    distance.sum().backward()
    assert points.grad.isfinite().all()
