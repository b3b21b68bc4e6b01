"""Both heads of SiamRPN: against plain loops, in their split form, and exported."""

import pytest
import torch
from torch.nn import functional as F

from siamtrack.models.backbones import BACKBONES
from siamtrack.models.heads import HEADS, DepthwiseRPNHead, UpChannelRPNHead
from siamtrack.models.network import Network

from ..exporting import export, run

torch.set_num_threads(1)
BOTH = [UpChannelRPNHead, DepthwiseRPNHead]


def build(kind, classes=2):
    torch.manual_seed(0)
    head = kind(6, 5, 8, hidden=4, ratios=[0.5, 1, 2], classes=classes)
    for module in head.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean)
            torch.nn.init.uniform_(module.weight, 0.5, 2)
    return head.eval()


def features(batch=2, dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    shapes = (batch, 6, 5, 5), (batch, 6, 9, 9)
    return [torch.randn(shape, generator=generator, dtype=dtype) for shape in shapes]


@pytest.mark.parametrize("classes", [1, 2])
@torch.no_grad()
def test_up_channel_head_is_one_correlation_for_each_anchor_and_number(classes):
    head = build(UpChannelRPNHead, classes).double()
    template, search = features(dtype=torch.float64)
    scores, offsets = head(head.kernel(template), search)
    assert scores.shape == (2, classes, 3, 5, 5)
    assert offsets.shape == (2, 4, 3, 5, 5)
    adjusted = torch.zeros(2, 12, 5, 5, dtype=torch.float64)
    for b in range(2):
        k = head.score_template(template[b])
        s = head.score_search(search[b])[None]
        for c in range(classes):
            for a in range(3):
                first = 4 * (c * 3 + a)
                expected = F.conv2d(s, k[None, first : first + 4])[0, 0]
                torch.testing.assert_close(scores[b, c, a], expected)
        k, s = head.box_template(template[b]), head.box_search(search[b])[None]
        for n in range(12):
            adjusted[b, n] = F.conv2d(s, k[None, 4 * n : 4 * n + 4])[0, 0]
    torch.testing.assert_close(offsets.flatten(1, 2), head.box_adjust(adjusted))


@torch.no_grad()
def test_depthwise_head_matches_each_channel_by_itself():
    head = build(DepthwiseRPNHead).double()
    template, search = features(dtype=torch.float64)
    scores, offsets = head(head.kernel(template), search)
    branches = [
        (head.score_template, head.score_search, head.score, scores),
        (head.box_template, head.box_search, head.box, offsets),
    ]
    for of_template, of_search, read, result in branches:
        k, s = of_template(template), of_search(search)
        maps = torch.stack(
            [
                torch.stack(
                    [F.conv2d(s[b, c][None, None], k[b, c][None, None])[0, 0] for c in range(4)]
                )
                for b in range(2)
            ]
        )
        torch.testing.assert_close(result.flatten(1, 2), read(maps))


@pytest.mark.parametrize("kind", BOTH)
def test_gradients_reach_every_parameter(kind):
    head = build(kind).train()
    template, search = features()
    scores, offsets = head(head.kernel(template), search)
    (scores.square().sum() + offsets.square().sum()).backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    first = next(head.score_template.parameters()).grad
    assert first.abs().max() > 0


@pytest.mark.parametrize("kind", BOTH)
@torch.no_grad()
def test_exports_with_a_free_batch(kind):
    head = build(kind)
    template, search = features(1)
    data = export(head, (head.kernel(template), search))
    for batch in (1, 3):
        template, search = features(batch)
        kernel = head.kernel(template)
        results = run(data, [kernel, search])
        for result, expected in zip(results, head(kernel, search), strict=True):
            torch.testing.assert_close(result, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", BOTH)
def test_anchors_fit_the_scores(kind):
    head = build(kind)
    template, search = features()
    scores, _ = head(head.kernel(template), search)
    assert head.anchors(scores.shape[-1], 255).shape == (4, *scores.shape[2:])
    assert "shapes" not in head.state_dict()


@pytest.mark.parametrize("kind", BOTH)
def test_features_that_do_not_fit_are_refused(kind):
    head = build(kind)
    template, search = features()
    kernel = head.kernel(template)
    for wrong in (template[:, :5], template[..., :2], template[0]):
        with pytest.raises(ValueError, match=r"expected features \(B, 6, H, W\)"):
            head.kernel(wrong)
    with pytest.raises(ValueError, match=r"expected features \(B, 6, H, W\)"):
        head(kernel, search[:, :5])
    with pytest.raises(ValueError, match="one template for each"):
        head(kernel[:1], search)
    with pytest.raises(ValueError, match="larger than"):
        head(head.kernel(search), template)


def test_bad_settings():
    with pytest.raises(ValueError, match="3x3 cells"):
        UpChannelRPNHead(8, 2, 4)
    with pytest.raises(ValueError, match="classes"):
        DepthwiseRPNHead(8, 5, 8, classes=3)


@pytest.mark.parametrize("name", ["siamfc", "siamrpn", "siamrpn_dw"])
@torch.no_grad()
def test_registered_heads_serve_a_siamese_network(name):
    torch.manual_seed(0)
    backbone = BACKBONES["ciresnet22"](width=0.125)
    options = {} if name == "siamfc" else {"hidden": 8}
    head = HEADS[name](backbone.channels, 5, backbone.stride, **options)
    model = Network(backbone, head).eval()
    template, search = torch.randn(2, 3, 127, 127), torch.randn(2, 3, 255, 255)
    results = model(template, search)
    again = model.respond(model.kernel(template), search)
    for result, same in zip(results, again, strict=True):
        assert result.shape[-2:] == (17, 17)
        assert torch.equal(result, same)
    with pytest.raises(ValueError, match="no head"):
        Network(backbone).kernel(template)
