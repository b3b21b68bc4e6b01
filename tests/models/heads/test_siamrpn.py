"""Both heads of SiamRPN: against plain loops, in their split form, and exported."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import siamtrack
from siamtrack.core.boxes import iou
from siamtrack.data.manifest import Pool, read_manifest
from siamtrack.data.pairs import PairConfig, PairSampler
from siamtrack.losses.tracking import cell_centers
from siamtrack.models.backbones import BACKBONES
from siamtrack.models.heads import HEADS, DepthwiseRPNHead, UpChannelRPNHead
from siamtrack.models.heads.anchors import assign, decode
from siamtrack.models.network import BoxTrackerConfig, Network
from siamtrack.packages.card import load_model
from siamtrack.training import TrainConfig, train
from siamtrack.training.checkpoint import export as export_model
from tests.helpers import clip
from tests.networks import answers, assert_alike
from tests.training.manifest import write_manifest
from tests.training.test_resume import TINY

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


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("classes", [1, 2])
@torch.no_grad()
def test_what_a_tracker_reads_are_the_boxes_of_all_anchors(kind, classes):
    head = build(kind, classes)
    template, search = features()
    kernel = head.kernel(template)
    scores, offsets = head(kernel, search)
    offsets[:, 2:].clamp_(-4, 4)
    boxes = decode(offsets, head.anchors(5, 100))
    score, distances, presence, seen = head.answer(kernel, search)
    assert torch.equal(seen, search)  # for the classifier that learns online
    middle = cell_centers(5, 8, 100)
    for b in range(2):
        best = -torch.inf
        for row in range(5):
            for column in range(5):
                logits = [
                    scores[b, 0, k, row, column]
                    if classes == 1
                    else scores[b, 1, k, row, column] - scores[b, 0, k, row, column]
                    for k in range(3)
                ]
                best = max(best, *map(float, logits))
                for k, logit in enumerate(logits):
                    cx, cy, width, height = boxes[b, :, k, row, column]
                    x, y = middle[column], middle[row]
                    sides = [x - cx + width / 2, y - cy + height / 2]
                    sides += [cx + width / 2 - x, cy + height / 2 - y]
                    found = distances[b, :, k, row, column]
                    torch.testing.assert_close(found, torch.stack(sides), rtol=1e-4, atol=1e-3)
                    torch.testing.assert_close(score[b, k, row, column], torch.sigmoid(logit))
        assert float(presence[b]) == pytest.approx(best)


@pytest.mark.parametrize("name", ["siamrpn", "siamrpn_dw"])
def test_it_learns_a_box_by_heart(name):
    """The mechanics: score and box of one pair, from random features of it."""
    torch.manual_seed(0)
    head = HEADS[name](6, 5, 8, hidden=16)
    learn = head.objective(TrainConfig(), 8, 100)
    template, search = features()
    box = torch.tensor([[30.0, 24.0, 56.0, 60.0], [0.0, 0.0, 0.0, 0.0]])
    pairs = SimpleNamespace(size=None, boxes=box, present=torch.tensor([1.0, 0.0]))
    optimizer = torch.optim.Adam(head.parameters(), 0.02)
    first = None
    for _ in range(150):
        parts = learn(template, search, pairs)
        first = first or float(parts["loss"].detach())
        optimizer.zero_grad()
        parts["loss"].backward()
        optimizer.step()
    assert float(parts["loss"].detach()) < 0.1 * first
    with torch.no_grad():
        kernel = head.kernel(template)
        _, offsets = head(kernel, search)
        presence = head.answer(kernel, search)[2]
    anchors = head.anchors(5, 100)
    labels, _ = assign(torch.tensor([58.0, 54.0, 56.0, 60.0]), anchors)
    assert (labels == 1).any()
    found = decode(offsets[0], anchors)[:, labels == 1].T.numpy()
    found[:, :2] -= found[:, 2:] / 2
    assert iou(found, np.repeat(box[:1].numpy(), len(found), 0)).min() > 0.8
    assert presence[0] > presence[1]


@pytest.mark.parametrize("name", ["siamrpn", "siamrpn_dw", "siamrpn_multi"])
def test_it_trains_exports_and_tracks(name, tmp_path):
    side = 159 if name == "siamrpn_multi" else 127
    model = BoxTrackerConfig(
        backbone="ciresnet16", width=0.05, template=side, search=255, head=name, head_width=8
    )
    few = PairConfig(template=side, search=255)
    config = replace(TINY, model=model, pairs=few, steps=2)
    pool = Pool(read_manifest(write_manifest(tmp_path / "data")))
    path = train(config, PairSampler(pool, config.pairs), tmp_path / "run")
    card = export_model(path, tmp_path / "model", formats=["torch"])
    assert card.kind == "box"
    assert card.tracker.online.weight == 0
    one, other = (
        answers(load_model(tmp_path / "model", runtime=runtime, threads=1), 2)
        for runtime in ("onnx", "torch")
    )
    assert_alike(one, other, 1e-3)
    tracker = siamtrack.load(tmp_path / "model", threads=1)
    pictures, boxes = clip(3)
    tracker.init(pictures[0], boxes[0])
    assert np.isfinite(tracker.update(pictures[1]).box).all()
