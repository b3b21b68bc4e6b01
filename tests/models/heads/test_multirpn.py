"""The head on several depths: the mean of depth-wise heads, on a template cut to its middle."""

import pytest
import torch

from siamtrack.models.backbones import BACKBONES
from siamtrack.models.heads import HEADS, MultiRPNHead
from siamtrack.models.network import Network

from ..exporting import export, run

torch.set_num_threads(1)
SPLITS = [3, 5]


def build():
    torch.manual_seed(0)
    head = MultiRPNHead(8, 9, 8, SPLITS, hidden=4, center=5, ratios=[0.5, 1])
    for module in head.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean)
            torch.nn.init.uniform_(module.weight, 0.5, 2)
    return head.eval()


def features(batch=2):
    generator = torch.Generator().manual_seed(1)
    shapes = (batch, 8, 9, 9), (batch, 8, 11, 11)
    return [torch.randn(shape, generator=generator) for shape in shapes]


@torch.no_grad()
def test_it_is_the_mean_of_its_heads():
    head = build()
    template, search = features()
    kernel = head.kernel(template)
    assert kernel.shape == (2, 2 * 2 * 4, 3, 3)
    scores, offsets = head(kernel, search)
    assert scores.shape == (2, 2, 2, 7, 7)
    assert offsets.shape == (2, 4, 2, 7, 7)
    expected = []
    for index, (start, end) in enumerate([(0, 3), (3, 8)]):
        neck, one = head.necks[index], head.heads[index]
        middle = neck(template[:, start:end])[..., 2:7, 2:7]
        expected.append(one(one.kernel(middle), neck(search[:, start:end])))
    for found, each in zip((scores, offsets), zip(*expected, strict=True), strict=True):
        torch.testing.assert_close(found, (each[0] + each[1]) / 2)


@torch.no_grad()
def test_weights_say_how_much_each_depth_counts():
    plain, head = build(), MultiRPNHead(8, 9, 8, SPLITS, 4, 5, [0.5, 1], weighted=True).eval()
    head.load_state_dict(plain.state_dict(), strict=False)
    template, search = features()
    kernel = head.kernel(template)
    for found, expected in zip(head(kernel, search), plain(kernel, search), strict=True):
        torch.testing.assert_close(found, expected)
    head.score_weight[:] = torch.tensor([0.0, 50.0])
    last = head.heads[1](kernel.chunk(2, 1)[1], head.necks[1](search[:, 3:]))
    torch.testing.assert_close(head(kernel, search)[0], last[0])
    torch.testing.assert_close(head(kernel, search)[1], plain(kernel, search)[1])


@pytest.mark.parametrize("weighted", [False, True])
def test_gradients_reach_every_parameter(weighted):
    head = MultiRPNHead(8, 9, 8, SPLITS, 4, 5, [0.5, 1], weighted=weighted)
    template, search = features()
    scores, offsets = head(head.kernel(template), search)
    (scores.square().sum() + offsets.square().sum()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters())


@torch.no_grad()
def test_exports_with_a_free_batch():
    head = build()
    template, search = features(1)
    data = export(head, (head.kernel(template), search))
    template, search = features(3)
    kernel = head.kernel(template)
    for result, expected in zip(run(data, [kernel, search]), head(kernel, search), strict=True):
        torch.testing.assert_close(result, expected, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_it_serves_a_siamese_network():
    torch.manual_seed(0)
    backbone = BACKBONES["mobilenetv2"](width=0.25)
    head = HEADS["siamrpn_multi"](backbone.channels, 15, 8, splits=backbone.splits, hidden=8)
    scores, _ = Network(backbone, head).eval()(
        torch.randn(2, 3, 127, 127), torch.randn(2, 3, 255, 255)
    )
    assert scores.shape == (2, 2, 5, 25, 25)


def test_bad_input():
    head = build()
    template, search = features()
    with pytest.raises(ValueError, match="with H and W of at least 5"):
        head.kernel(template[..., :4])
    with pytest.raises(ValueError, match=r"expected features \(B, 8"):
        head(head.kernel(template), search[:, :7])
    with pytest.raises(ValueError, match="one template for each"):
        head(head.kernel(template)[:1], search)
    with pytest.raises(ValueError, match="do not add up to 8"):
        MultiRPNHead(8, 9, 8, [3, 3])
    with pytest.raises(ValueError, match="expected 3 <= center <= 6"):
        MultiRPNHead(8, 6, 8)
