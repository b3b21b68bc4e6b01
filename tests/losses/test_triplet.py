"""Mining and the probabilistic triplet loss against slow oracles."""

import numpy as np
import pytest
import torch

from siamtrack.losses import DenseTripletLoss, TripletLoss


def oracle(points, ids, margin, mining):
    def distance(i, j):
        return np.sqrt(((points[i] - points[j]) ** 2).sum())

    n, costs = len(points), []
    for a in range(n):
        positives = [j for j in range(n) if ids[j] == ids[a] and j != a]
        negatives = [j for j in range(n) if ids[j] != ids[a]]
        if not positives or not negatives:
            continue
        if mining == "hard":
            far = max(distance(a, p) for p in positives)
            near = min(distance(a, m) for m in negatives)
            costs.append(max(0.0, far - near + margin))
            continue
        for p in positives:
            d = distance(a, p)
            away = [distance(a, m) for m in negatives]
            if mining == "semi-hard":
                away = sorted(x for x in away if d < x < d + margin)[:1]
            costs.extend(max(0.0, d - x + margin) for x in away)
    return np.mean(costs) if costs else 0.0


@pytest.mark.parametrize("mining", ["all", "hard", "semi-hard"])
@pytest.mark.parametrize("seed", range(5))
def test_mining_agrees_with_the_oracle(mining, seed):
    rng = np.random.default_rng(seed)
    points, ids = rng.normal(size=(12, 3)), rng.integers(0, 4, 12)
    value = TripletLoss(0.7, mining)(torch.tensor(points), torch.tensor(ids))
    assert value.item() == pytest.approx(oracle(points, ids, 0.7, mining), rel=1e-12)


@pytest.mark.parametrize("mining", ["all", "hard", "semi-hard"])
def test_identical_points_have_a_finite_gradient(mining):
    points = torch.zeros(4, 3, requires_grad=True)
    TripletLoss(1.0, mining)(points, torch.tensor([0, 0, 1, 1])).backward()
    assert points.grad.isfinite().all()


def test_dense_form_agrees_with_the_oracle():
    rng = np.random.default_rng(0)
    response, labels = rng.normal(0, 3, (4, 1, 5, 5)), rng.integers(-1, 2, (4, 1, 5, 5))
    labels[3] = 0  # no target: not counted
    expected = []
    for v, y in zip(response[:3], labels[:3], strict=True):
        logs = [np.log(np.exp(p) / (np.exp(p) + np.exp(n))) for p in v[y == 1] for n in v[y == 0]]
        expected.append(-np.mean(logs))
    value = DenseTripletLoss()(torch.tensor(response), torch.tensor(labels))
    assert value.item() == pytest.approx(np.mean(expected), rel=1e-12)


def test_dense_form_depends_on_ranks_and_not_on_a_bias():
    response, labels = torch.randn(1, 1, 4, 4, dtype=torch.float64), torch.zeros(1, 1, 4, 4)
    labels[..., 1, 1] = 1
    loss = DenseTripletLoss()
    assert loss(response + 100, labels).item() == pytest.approx(loss(response, labels).item())


def test_wrong_settings_and_input_are_refused():
    with pytest.raises(ValueError, match="mining 'easy'"):
        TripletLoss(mining="easy")
    with pytest.raises(ValueError, match="margin"):
        TripletLoss(margin=0)
    with pytest.raises(ValueError, match=r"\(N, D\)"):
        TripletLoss()(torch.zeros(3), torch.zeros(3, dtype=torch.long))
    with pytest.raises(TypeError, match="integer"):
        TripletLoss()(torch.zeros(3, 2), torch.zeros(3))
