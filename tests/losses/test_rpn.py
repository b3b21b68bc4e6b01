"""The loss of SiamRPN's heads against a slow oracle."""

import numpy as np
import pytest
import torch

from siamtrack.losses.boxes import rpn_loss, sample_labels


def batch(dtype=torch.float64, scale=1.0):
    generator = torch.Generator().manual_seed(0)
    scores, offsets, targets = (
        torch.randn(2, n, 3, 4, 4, generator=generator, dtype=dtype) * scale for n in (2, 4, 4)
    )
    labels = torch.randint(-1, 2, (2, 3, 4, 4), generator=generator)
    return scores, offsets, labels, targets


def test_agrees_with_the_oracle():
    scores, offsets, labels, targets = (x.numpy() for x in batch())
    costs = {0: [], 1: []}
    distances = []
    for b, k, i, j in np.ndindex(labels.shape):
        label = labels[b, k, i, j]
        if label >= 0:
            logits = scores[b, :, k, i, j]
            costs[label].append(-np.log(np.exp(logits[label]) / np.exp(logits).sum()))
        if label == 1:
            d = np.abs(offsets[b, :, k, i, j] - targets[b, :, k, i, j])
            distances.append(np.where(d < 1, d**2 / 2, d - 0.5).sum())
    score = (np.mean(costs[0]) + np.mean(costs[1])) / 2
    value = rpn_loss(*batch(), box_weight=2.0)
    assert value["score"].item() == pytest.approx(score, rel=1e-12)
    assert value["box"].item() == pytest.approx(np.mean(distances), rel=1e-12)
    assert value["loss"].item() == pytest.approx(score + 2 * np.mean(distances), rel=1e-12)


def test_gradcheck():
    scores, offsets, labels, targets = batch()
    tensors = [scores.requires_grad_(), offsets.requires_grad_()]
    assert torch.autograd.gradcheck(lambda s, o: rpn_loss(s, o, labels, targets)["loss"], tensors)


@pytest.mark.parametrize("label", [0, -1])
@pytest.mark.parametrize("scale", [1.0, 1e6])
def test_without_a_target_only_the_scores_learn_and_all_is_finite(label, scale):
    scores, offsets, labels, _ = batch(torch.float32, scale)
    scores.requires_grad_()
    offsets.requires_grad_()
    targets = torch.full_like(offsets, torch.nan).detach()  # there is nothing to aim at
    value = rpn_loss(scores, offsets, torch.full_like(labels, label), targets)
    value["loss"].backward()
    assert value["loss"].isfinite()
    assert value["box"] == 0
    assert (offsets.grad == 0).all()
    assert scores.grad.isfinite().all()
    assert (value["score"] == 0) == (label == -1)


def test_bad_input():
    scores, offsets, labels, targets = batch()
    with pytest.raises(ValueError, match="expected scores"):
        rpn_loss(scores, offsets[:, :3], labels, targets)
    with pytest.raises(ValueError, match="expected scores"):
        rpn_loss(scores, offsets, labels[:1], targets)
    with pytest.raises(ValueError, match="got 2"):
        rpn_loss(scores, offsets, labels.clamp(min=0) * 2, targets)


@pytest.mark.parametrize(("positive", "negative"), [(40, 100), (5, 100), (40, 10), (0, 7)])
def test_sampling_keeps_a_random_few(positive, negative):
    labels = torch.tensor([1] * positive + [0] * negative + [-1] * 9)
    generator = torch.Generator().manual_seed(0)
    kept, other = (sample_labels(labels, generator=generator) for _ in range(2))
    targets = min(positive, 16)
    assert (kept == 1).sum() == targets
    assert (kept == 0).sum() == min(negative, 64 - targets)
    assert ((kept == labels) | (kept == -1)).all()
    if positive > 16:
        assert not torch.equal(kept, other)


def test_sampling_refuses_more_targets_than_anchors():
    with pytest.raises(ValueError, match="positives <= total"):
        sample_labels(torch.zeros(3), 5, 4)
