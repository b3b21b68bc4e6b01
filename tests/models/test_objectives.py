"""Head, objective and loss that do not fit each other: one sentence, before any computing."""

from types import SimpleNamespace

import pytest
import torch

from siamtrack.core.config import from_dict, to_dict
from siamtrack.errors import UnknownNameError
from siamtrack.models.heads import OBJECTIVES
from siamtrack.models.network import BoxTrackerConfig, Network, SiamFCConfig, build_network
from siamtrack.training import TrainConfig

FC = build_network(SiamFCConfig(backbone="alexnet", width=0.05, template=87, search=127))
SMALL = {"backbone": "alexnet", "width": 0.05, "template": 127, "search": 191, "head_width": 8}


def recipe(**changes):
    return from_dict(TrainConfig, {**to_dict(TrainConfig()), **changes})


def value_of(**changes):
    """The loss of one pair whose response is random."""
    torch.manual_seed(0)
    maps = torch.randn(2, FC.backbone.channels, 6, 6), torch.randn(2, FC.backbone.channels, 11, 11)
    pairs = SimpleNamespace(
        size=None, boxes=torch.tensor([[43.0, 43.0, 40.0, 40.0]] * 2), present=torch.ones(2)
    )
    return float(FC.objective(recipe(**changes))(*maps, pairs)["loss"].detach())


def test_arguments_of_a_loss_reach_it():
    one, same, other = (
        value_of(loss="contrastive", loss_arguments=given)
        for given in ({}, {"margin": 3}, {"margin": 1})
    )
    assert one == same  # the default of the form for response maps
    assert other < one  # background pushes within a smaller radius
    assert value_of(loss="focal", loss_arguments={"gamma": 0}) > value_of(loss="focal")


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"loss": "giou"},
            ValueError,
            "'giou' takes boxes, and the head gives response maps",
        ),
        (
            {"loss": "smooth_l1"},
            ValueError,
            "contrastive, contrastive_dense, focal, logistic",
        ),
        ({"loss": "contrastiv"}, UnknownNameError, "did you mean 'contrastive'"),
        (
            {"loss": "contrastive", "loss_arguments": {"marge": 1.0}},
            UnknownNameError,
            "unknown argument of the loss 'contrastive' 'marge': did you mean 'margin'",
        ),
        (
            {"loss": "triplet", "loss_arguments": {"margin": 1.0}},
            UnknownNameError,
            "argument of the loss 'triplet' 'margin': Known: none",
        ),
        (
            {"loss": "contrastive", "loss_arguments": {"margin": -1.0}},
            ValueError,
            "margin must be above 0, got -1",
        ),
        (
            {"loss": "focal", "loss_arguments": {"gamma": "two"}},
            ValueError,
            "loss 'focal' with {'gamma': 'two'}",
        ),
        (
            {"objective": "anchors"},
            ValueError,
            "trains a RPNHead, and the head is a SiamFC",
        ),
        ({"objective": "box"}, ValueError, "trains a BoxHead, and the head is a SiamFCHead"),
        ({"objective": "respons"}, UnknownNameError, "did you mean 'response'"),
    ],
)
def test_what_does_not_fit_a_response_head(changes, error, message):
    with pytest.raises(error) as raised:
        FC.objective(recipe(**changes))
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("head", ["region", "siamrpn_dw"])
def test_heads_with_a_loss_of_their_own_refuse_another(head):
    network = build_network(BoxTrackerConfig(**SMALL, head=head))
    network.objective(recipe())
    for changes in ({"loss": "contrastive"}, {"loss_arguments": {"margin": 1.0}}):
        with pytest.raises(ValueError, match="this head has a loss of its own; leave out `loss`"):
            network.objective(recipe(**changes))
    with pytest.raises(ValueError, match="objective 'response' trains a ResponseHead"):
        network.objective(recipe(objective="response"))


def test_an_objective_may_be_named():
    assert value_of(objective="response") == value_of()
    assert {"anchors", "box", "response"} <= set(OBJECTIVES)


def test_a_network_without_a_head_has_none():
    with pytest.raises(ValueError, match="has no head"):
        Network(FC.backbone).objective(recipe())
