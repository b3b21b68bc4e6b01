"""Backbones, heads and losses: ours pass, and what is broken fails in the right check."""

import pytest
import torch
from torch import nn

from siamtrack.losses import LOSSES, Loss
from siamtrack.losses.base import check_response, zero
from siamtrack.models.backbones import BACKBONES, Backbone
from siamtrack.models.heads import HEADS
from siamtrack.testing import CheckError, check_backbone, check_head, check_loss

pytestmark = pytest.mark.needs("torch")


@pytest.mark.parametrize("name", ["alexnet", "ciresnet16"])
def test_our_backbones_pass(name):
    check_backbone(lambda: BACKBONES[name](width=0.25))


@pytest.mark.parametrize("name", ["region", "siamrpn_dw"])
def test_our_heads_pass(name):
    check_head(HEADS[name])


@pytest.mark.parametrize("name", ["logistic", "focal"])
def test_our_losses_pass(name):
    check_loss(LOSSES[name])


class Plain(Backbone):
    stride, channels, padding_free, smallest = 8, 8, True, 15

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 7, 4), nn.Conv2d(8, 8, 3, 2)

    def stages(self):
        return [self.first, self.second]

    def extract(self, images):
        return self.second(self.first(images))


class Padded(Plain):
    def __init__(self):
        super().__init__()
        self.second = nn.Conv2d(8, 8, 3, 2, padding=1)


class OtherStride(Plain):
    stride = 4


class OtherChannels(Plain):
    channels = 9


class Forgotten(Plain):
    def stages(self):
        return [self.second]


class Smaller(Plain):
    smallest = 23


class Mixed(Plain):
    def extract(self, images):
        return super().extract(images - images.mean(0, keepdim=True))


class Frozen(Plain):
    def extract(self, images):
        return self.second(self.first(images).detach())


def test_a_plain_one_passes():
    check_backbone(Plain)


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (nn.Identity, "says_what_it_is"),
        (OtherChannels, "has_its_channels"),
        (OtherStride, "has_its_stride"),
        (Padded, "is_padding_free_if_it_says_so"),
        (Smaller, "knows_its_smallest_image"),
        (Forgotten, "unfreezes_in_stages"),
        (Frozen, "learns"),
        (Mixed, "treats_images_alone"),
    ],
)
def test_a_broken_backbone_fails_in_the_right_check(broken, check):
    with pytest.raises(CheckError, match=f"check '{check}'"):
        check_backbone(broken)


class Squared(Loss):
    def forward(self, prediction, target):
        check_response("squared", prediction, target)
        counts = target >= 0
        if not counts.any():
            return zero(prediction)
        return ((prediction - target) ** 2)[counts].mean()


class PerSample(Squared):
    def forward(self, prediction, target):
        return ((prediction - target) ** 2).mean((1, 2))


class Uphill(Squared):
    def forward(self, prediction, target):
        value = super().forward(prediction, target)
        return value.detach() * 2 - value


class NotANumber(Squared):
    def forward(self, prediction, target):
        check_response("it", prediction, target)
        return ((prediction - target) ** 2)[target >= 0].mean()


class Spread(Squared):
    def forward(self, prediction, target):
        return super().forward(prediction, target.expand_as(prediction))


def test_a_plain_loss_passes():
    check_loss(Squared)


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (PerSample, "gives_a_number"),
        (Uphill, "has_a_gradient"),
        (NotANumber, "survives_nothing_to_learn"),
        (Spread, "refuses_other_shapes"),
    ],
)
def test_a_broken_loss_fails_in_the_right_check(broken, check):
    with pytest.raises(CheckError, match=f"check '{check}'"):
        check_loss(broken)


def test_a_loss_that_takes_boxes_gives_an_example():
    class Boxes(Loss):
        @staticmethod
        def example():
            return torch.rand(4, 4) + 1, torch.rand(4, 4) + 1

        def forward(self, prediction, target):
            if prediction.shape != target.shape:
                raise ValueError("shapes differ")
            return (prediction - target).abs().mean()

    check_loss(Boxes)
