"""What all losses share: registered, gradcheck, a connected zero, finite for extreme input."""

import math

import pytest
import torch

from siamtrack.errors import UnknownNameError
from siamtrack.losses import LOSSES

MAPS = ["contrastive_dense", "focal", "logistic", "triplet_dense"]
BOXES = ["giou", "iou", "smooth_l1"]


def labels_for(shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-1, 2, shape, generator=generator)


def sample(name, dtype=torch.float64):
    """A small differentiable prediction, away from kinks, and its target."""
    generator = torch.Generator().manual_seed(1)
    if name in MAPS:
        return torch.randn(2, 1, 3, 3, generator=generator, dtype=dtype), labels_for((2, 1, 3, 3))
    if name in BOXES:
        lt = torch.rand(4, 2, generator=generator, dtype=dtype) * 4
        wh = torch.rand(4, 2, generator=generator, dtype=dtype) * 4 + 2
        truth = torch.cat([lt, lt + wh], 1)
        return truth + torch.randn(4, 4, generator=generator, dtype=dtype) * 0.4, truth
    if name == "contrastive":
        return torch.rand(6, generator=generator, dtype=dtype) * 2, torch.tensor([0, 1, 0, 1, 1, 0])
    return torch.randn(6, 3, generator=generator, dtype=dtype), torch.tensor([0, 0, 1, 1, 2, 2])


def test_every_loss_is_covered_here():
    assert set(LOSSES) == {*MAPS, *BOXES, "contrastive", "triplet"}


def test_unknown_name_suggests():
    with pytest.raises(UnknownNameError, match="did you mean 'triplet'"):
        LOSSES["tripet"]


@pytest.mark.parametrize("name", list(LOSSES))
def test_gradcheck(name):
    prediction, target = sample(name)
    loss = LOSSES[name]()
    assert torch.autograd.gradcheck(lambda p: loss(p, target), prediction.requires_grad_())


@pytest.mark.parametrize("mining", ["all", "hard", "semi-hard"])
def test_gradcheck_of_mining(mining):
    prediction, target = sample("triplet")
    loss = LOSSES["triplet"](margin=1.0, mining=mining)
    assert loss(prediction, target) > 0
    assert torch.autograd.gradcheck(lambda p: loss(p, target), prediction.requires_grad_())


@pytest.mark.parametrize("name", list(LOSSES))
@pytest.mark.parametrize("scale", [1e4, -1e4, 0.0])
def test_extreme_input_is_finite(name, scale):
    prediction, target = sample(name, torch.float32)
    if name == "contrastive":
        scale = abs(scale)
    prediction = (torch.sign(prediction) * scale).requires_grad_()
    value = LOSSES[name]()(prediction, target)
    value.backward()
    assert value.shape == ()
    assert math.isfinite(value.item())
    assert prediction.grad.isfinite().all()


@pytest.mark.parametrize("name", list(LOSSES))
def test_nothing_to_learn_gives_a_connected_zero(name):
    prediction, target = sample(name)
    if name in MAPS:
        target = torch.full_like(target, -1)
    elif name == "triplet":
        target = torch.arange(len(target))  # no two alike: no triplet
    else:
        prediction, target = prediction[:0], target[:0]
    prediction.requires_grad_()
    value = LOSSES[name]()(prediction, target)
    value.backward()
    assert value.item() == 0
    assert (prediction.grad == 0).all()


@pytest.mark.parametrize("name", list(LOSSES))
def test_mismatched_batch_is_refused(name):
    prediction, target = sample(name)
    with pytest.raises(ValueError, match=r"\(\d+,"):
        LOSSES[name]()(prediction, target[:-1])


@pytest.mark.parametrize("name", list(LOSSES))
def test_integer_prediction_is_refused(name):
    prediction, target = sample(name)
    with pytest.raises(TypeError, match="floating dtype"):
        LOSSES[name]()(prediction.long(), target)


@pytest.mark.parametrize("name", [*MAPS, "contrastive"])
@pytest.mark.parametrize("label", [2, -2])
def test_labels_outside_their_range_are_refused(name, label):
    prediction, target = sample(name)
    target.view(-1)[0] = label
    with pytest.raises(ValueError, match=f"got {label}"):
        LOSSES[name]()(prediction, target)


@pytest.mark.parametrize("name", MAPS)
def test_a_map_without_batch_is_refused(name):
    with pytest.raises(ValueError, match="batch"):
        LOSSES[name]()(torch.zeros(3), torch.zeros(3))


@pytest.mark.parametrize("name", MAPS)
def test_float_labels_mean_the_same(name):
    prediction, target = sample(name)
    loss = LOSSES[name]()
    assert loss(prediction, target) == loss(prediction, target.float())
