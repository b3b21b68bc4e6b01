import pytest
import torch

from siamtrack.losses import LOSSES
from siamtrack.models.backbones import BACKBONES
from siamtrack.models.heads.siamfc import SiamFCHead
from siamtrack.models.network import Network

torch.set_num_threads(1)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Network(BACKBONES["ciresnet22"](width=0.125), SiamFCHead()).eval()


@torch.no_grad()
def test_the_response_peaks_where_the_template_was_cut(model):
    search = torch.randn(1, 3, 255, 255)
    kernel = model.embed(search[..., 24:151, 40:167])  # cell (3, 5) of stride 8
    kernel = kernel - kernel.mean((2, 3), keepdim=True)
    response = model.respond(kernel, search)
    assert response.shape == (1, 1, 17, 17)
    assert divmod(response.argmax().item(), 17) == (3, 5)


@torch.no_grad()
def test_forward_is_embed_then_respond_and_samples_are_apart(model):
    # in double: float32 sums of two samples and of one round differently, by 2e-6 of the value
    model, double = model.double(), {"dtype": torch.float64}
    template, search = torch.randn(2, 3, 127, 127, **double), torch.randn(2, 3, 255, 255, **double)
    both = model(template, search)
    torch.testing.assert_close(both, model.respond(model.embed(template), search))
    torch.testing.assert_close(both[1:], model(template[1:], search[1:]))


@torch.no_grad()
def test_distance_is_euclidean_and_symmetric(model):
    a, b = torch.randn(2, 3, 127, 127), torch.randn(2, 3, 127, 127)
    expected = (model.embed(a) - model.embed(b)).flatten(1).norm(dim=1)
    torch.testing.assert_close(model.distance(a, b), expected)
    torch.testing.assert_close(model.distance(b, a), expected)


def test_the_gradient_of_a_zero_distance_is_finite(model):
    images = torch.randn(2, 3, 127, 127)
    distance = model.distance(images, images)
    assert distance.tolist() == [0, 0]
    LOSSES["contrastive"]()(distance, torch.ones(2)).backward()
    assert all(torch.isfinite(p.grad).all() for p in model.backbone.parameters())


def test_bad_input(model):
    good = torch.zeros(1, 3, 127, 127)
    kernel = torch.zeros(1, 64, 5, 5)
    with pytest.raises(ValueError, match=r"\(B, 3, H, W\)"):
        model.embed(good[0])
    with pytest.raises(ValueError, match=r"\(B, 3, H, W\)"):
        model.embed(good[:, :1])
    with pytest.raises(ValueError, match="floating dtype"):
        model.embed(good.byte())
    with pytest.raises(ValueError, match="at least"):
        model.embed(good[..., :50])
    with pytest.raises(ValueError, match=r"\(B, 3, H, W\)"):
        model.embed(good[:0])
    with pytest.raises(ValueError, match=r"\(B, 3, H, W\)"):
        model.backbone(good[:, :2])
    with pytest.raises(ValueError, match="larger than"):
        model(torch.zeros(1, 3, 255, 255), good)
    with pytest.raises(ValueError, match="one template for each"):
        model(good.repeat(2, 1, 1, 1), torch.zeros(3, 3, 255, 255))
    with pytest.raises(ValueError, match="one shape"):
        model.distance(good, good[..., :-1])
    with pytest.raises(ValueError, match="no head"):
        Network(model.backbone).respond(kernel, good)
    with pytest.raises(ValueError, match="one template for each"):
        model.respond(kernel.repeat(2, 1, 1, 1), good)
    with pytest.raises(ValueError, match="larger than"):
        model.respond(torch.zeros(1, 64, 9, 9), good)
