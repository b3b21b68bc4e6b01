"""The region head: its mask, its kernel, boxes as shares of the window, export, folded norms."""

import copy

import numpy as np
import pytest
import torch

from siamtrack.models.files import from_bytes, to_bytes
from siamtrack.models.heads.box import RegionHead
from siamtrack.models.network import BoxTrackerConfig, build_network, fold_norms, parted

CHANNELS, TEMPLATE, STRIDE, WIDTH = 6, 9, 16, 8
SMALL = BoxTrackerConfig(
    template=65, search=129, head_width=16, head_depth=1, head="region", folded=True
)


def build(dense=False):
    torch.manual_seed(0)
    return RegionHead(CHANNELS, TEMPLATE, STRIDE, WIDTH, 1, dense, extent=64.0).double().eval()


@torch.no_grad()
def test_the_mask_covers_the_cells_in_the_box_and_halves_those_at_its_edge():
    side = STRIDE * (TEMPLATE - 1) + 1
    # 64 x 32 pixels in a patch of 129: cells stand 16 pixels apart, the middle one at the center
    mask = build().mask(torch.tensor([[64 / side, 32 / side]]).double())[0, 0].numpy()
    assert mask.shape == (TEMPLATE, TEMPLATE)
    columns, rows = np.array([0, 0, 0.5, 1, 1, 1, 0.5, 0, 0]), np.zeros(9)
    rows[3:6] = 0.5, 1, 0.5
    np.testing.assert_allclose(mask, rows[:, None] * columns, atol=1e-9)


@torch.no_grad()
def test_two_boxes_in_one_template_give_two_kernels():
    head, template = build(), torch.randn(1, CHANNELS, TEMPLATE, TEMPLATE).double()
    wide, high = (
        head.kernel(template, torch.tensor([size]).double()) for size in ((0.6, 0.3), (0.3, 0.6))
    )
    assert (wide - high).abs().amax() > 1e-3
    feature = head.template_neck(template)
    mask = head.mask(torch.tensor([[0.6, 0.3]]).double())
    inside = (feature * mask).sum((2, 3)) / mask.sum()
    torch.testing.assert_close(wide[:, -2], inside)


@torch.no_grad()
@pytest.mark.parametrize("dense", [False, True])
def test_an_untrained_head_answers_boxes_of_the_usual_size(dense):
    head = build(dense)
    size = torch.full((2, 2), 0.5).double()
    kernel = head.kernel(torch.randn(2, CHANNELS, TEMPLATE, TEMPLATE).double(), size)
    logits, distances, presence, centers = head(kernel, torch.randn(2, CHANNELS, 17, 17).double())
    assert logits.shape == centers.shape == (2, 1, 17, 17)
    assert presence.shape == (2, 1)
    torch.testing.assert_close(distances, torch.full_like(distances, 32.0), rtol=0.3, atol=0.0)


def test_wrong_features_are_named():
    head = build()
    with pytest.raises(ValueError, match="expected a template of 9x9 cells"):
        head.kernel(torch.zeros(1, CHANNELS, 5, 5).double(), torch.zeros(1, 2).double())
    with pytest.raises(ValueError, match=r"expected sizes \(1, 2\)"):
        head.kernel(torch.zeros(1, CHANNELS, 9, 9).double(), torch.zeros(1).double())


@torch.no_grad()
def test_folded_norms_compute_the_same():
    torch.manual_seed(0)
    plain = build_network(BoxTrackerConfig(template=65, search=129, head_width=16, head_depth=1))
    for module in plain.backbone.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, std=0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    folded = copy.deepcopy(plain.backbone).eval()
    images = torch.rand(1, 3, 129, 129) * 2 - 1
    before = plain.backbone.eval()(images)
    fold_norms(folded)
    assert not any(isinstance(each, torch.nn.BatchNorm2d) for each in folded.modules())
    torch.testing.assert_close(folded(images), before, rtol=1e-4, atol=1e-5)
    assert build_network(SMALL).backbone.state_dict().keys() == folded.state_dict().keys()


@torch.no_grad()
def test_a_companion_becomes_a_network_of_its_own():
    torch.manual_seed(0)
    both = build_network(SMALL, SMALL).eval()
    own = parted(both, SMALL).eval()
    template, search = torch.rand(1, 3, 65, 65) * 255, torch.rand(1, 3, 129, 129) * 255
    size = torch.full((1, 2), 0.5)
    kernel = both.companion.kernel(both.features(template), size)
    expected = both.companion(kernel, both.features(search))
    torch.testing.assert_close(own(template, search, size), expected)
    with pytest.raises(ValueError, match="no companion head"):
        parted(own, SMALL)
    saved = from_bytes(to_bytes(both), "the file")  # the companion serves training only
    torch.testing.assert_close(saved(template, search, size), both(template, search, size))
