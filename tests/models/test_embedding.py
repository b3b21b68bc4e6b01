"""The embedder: unit vectors, gradients to the first layer, one place for bad input."""

import pytest
import torch

from siamtrack.losses import LOSSES
from siamtrack.models.backbones import BACKBONES, Embedder
from siamtrack.models.network import Network

torch.set_num_threads(1)


@pytest.fixture
def embedder():
    torch.manual_seed(0)
    return Embedder(BACKBONES["ciresnet16"](width=0.125), 16)


def test_vectors_have_unit_length(embedder):
    vectors = embedder.eval()(torch.randn(3, 3, 71, 63))
    assert vectors.shape == (3, 16, 1, 1)
    torch.testing.assert_close(vectors.flatten(1).norm(dim=1), torch.ones(3))
    assert embedder.stages()[-1] is embedder.project


@pytest.mark.parametrize("loss", ["contrastive", "triplet"])
def test_both_losses_reach_the_first_layer(embedder, loss):
    model = Network(embedder).train()
    images = torch.randn(4, 3, 63, 63)
    if loss == "contrastive":
        cost = LOSSES[loss]()(model.distance(images[:2], images[2:]), torch.tensor([0, 1]))
    else:
        cost = LOSSES[loss](margin=2.0)(model.embed(images).flatten(1), torch.tensor([0, 0, 1, 1]))
    cost.backward()
    first = embedder.backbone.stem.conv1.weight.grad
    assert first.isfinite().all()
    assert first.abs().max() > 0


def test_bad_input(embedder):
    with pytest.raises(ValueError, match="dimensions"):
        Embedder(embedder.backbone, 0)
    with pytest.raises(ValueError, match="at least 63 pixels"):
        embedder(torch.zeros(1, 3, 62, 63))
