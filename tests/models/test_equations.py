"""The equations of docs/models.md, written again in slow NumPy, give what the code gives.

Every test names the section whose equations it evaluates.
"""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from siamtrack.core.settings import OnlineSettings, TrackerSettings
from siamtrack.losses.base import build_loss
from siamtrack.losses.response import response_labels
from siamtrack.models.heads import CenterHead, RegionHead, UpChannelRPNHead
from siamtrack.models.refine import RefineNetwork
from siamtrack.packages.card import Card
from siamtrack.runtimes.base import Response
from siamtrack.tracking.crops import whole_window
from siamtrack.tracking.decode import BoxDecoder
from siamtrack.tracking.online import OnlineClassifier, cells
from siamtrack.training import TrainConfig

torch.set_num_threads(1)
STRIDE, PATCH, CELLS = 8, 104, 9
BOXES = np.array([[30.0, 40.0, 40.0, 24.0], [80.0, 10.0, 12.0, 60.0], [0.0, 0.0, 0.0, 0.0]])
PRESENT = np.array([1, 1, 0])


def places(count, stride=STRIDE, patch=PATCH):
    return [(i - (count - 1) / 2) * stride + patch / 2 for i in range(count)]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softplus(x):
    return np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0)


def bce(logit, target):
    return softplus(logit) - target * logit


def iou_and_hull(a, b):
    """Boxes ltrb: IoU and GIoU."""
    inter = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
    area = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    union = sum(area) - inter
    hull = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
    return inter / union, inter / union - (hull - union) / hull


def ltrb(box):
    return box[0], box[1], box[0] + box[2], box[1] + box[3]


def smooth_l1(d, beta=1.0):
    return d * d / (2 * beta) if abs(d) < beta else abs(d) - beta / 2


def labels_of(size=CELLS, radius=16.0):
    """Section 4."""
    labels = np.zeros((len(BOXES), size, size))
    for b, (left, top, width, height) in enumerate(BOXES):
        if not PRESENT[b]:
            continue
        c, d = left + width / 2, top + height / 2
        if max(abs(c - PATCH / 2), abs(d - PATCH / 2)) > STRIDE * size / 2:
            labels[b] = -1
            continue
        for j, y in enumerate(places(size)):
            for i, x in enumerate(places(size)):
                labels[b, j, i] = (x - c) ** 2 + (y - d) ** 2 <= max(radius, 0.7072 * STRIDE) ** 2
    return labels


def balanced(cost, labels):
    """Section 2."""
    values = []
    for c, y in zip(cost, labels, strict=True):
        halves = [c[y == value].mean() / 2 for value in (1, 0) if (y == value).any()]
        if halves:
            values.append(sum(halves))
    return np.mean(values)


def test_labels_of_a_response():
    for size, radius in ((CELLS, 16.0), (CELLS, 1.0), (5, 8.0)):
        found = response_labels(
            torch.tensor(BOXES), torch.tensor(PRESENT), size, STRIDE, PATCH, radius
        )
        np.testing.assert_array_equal(found[:, 0], labels_of(size, radius))
    assert (labels_of(5) == -1).any()


@pytest.mark.parametrize("name", ["logistic", "contrastive", "triplet", "focal"])
def test_losses_of_a_response(name):
    """Sections 2 to 4."""
    labels = labels_of(5)
    maps = np.random.default_rng(0).normal(0, 2, labels.shape)
    if name == "logistic":
        expected = balanced(softplus(np.where(labels == 1, -maps, maps)), labels)
    elif name == "contrastive":
        far = softplus(-maps)
        expected = balanced(
            np.where(labels == 1, far**2 / 2, np.maximum(0, 2 - far) ** 2 / 2), labels
        )
    elif name == "triplet":
        values = []
        for v, y in zip(maps, labels, strict=True):
            pairs = [
                -math.log(math.exp(p) / (math.exp(p) + math.exp(n)))
                for p in v[y == 1]
                for n in v[y == 0]
            ]
            values += [np.mean(pairs)] if pairs else []
        expected = np.mean(values)
    else:
        p = sigmoid(np.where(labels == 1, maps, -maps))
        cost = -np.where(labels == 1, 0.25, 0.75) * (1 - p) ** 2 * np.log(p)
        expected = cost[labels >= 0].sum() / max(1, (labels == 1).sum())
    loss = build_loss(name, {"margin": 2.0} if name == "contrastive" else {})
    found = loss(torch.tensor(maps)[:, None], torch.tensor(labels)[:, None])
    assert float(found) == pytest.approx(expected, rel=1e-9)


def test_pairs_and_triplets():
    """Sections 2 and 3: the forms for distances and embeddings."""
    rng = np.random.default_rng(1)
    far, different = rng.uniform(0, 2, 7), np.array([0, 1, 1, 0, 1, 0, 1])
    expected = np.mean(
        [
            (1 - y) / 2 * d**2 + y / 2 * max(0, 1 - d) ** 2
            for d, y in zip(far, different, strict=True)
        ]
    )
    loss = build_loss("contrastive", takes="distances")
    found = loss(torch.tensor(far), torch.tensor(different))
    assert float(found) == pytest.approx(expected)
    vectors, names = rng.normal(size=(6, 3)), [1, 1, 2, 2, 3, 3]
    costs = {"hard": [], "semi-hard": [], "all": []}
    d = np.linalg.norm(vectors[:, None] - vectors[None], axis=-1)
    for a in range(6):
        same = [i for i in range(6) if names[i] == names[a] and i != a]
        other = [i for i in range(6) if names[i] != names[a]]
        hard = max(d[a, p] for p in same) - min(d[a, n] for n in other)
        costs["hard"].append(max(0, hard + 2.0))
        for p in same:
            costs["all"] += [max(0, d[a, p] - d[a, n] + 2.0) for n in other]
            near = [d[a, n] for n in other if d[a, p] < d[a, n] < d[a, p] + 2.0]
            costs["semi-hard"] += [max(0, d[a, p] - min(near) + 2.0)] if near else []
    for mining, values in costs.items():
        loss = build_loss("triplet", {"margin": 2.0, "mining": mining}, "embeddings")
        found = loss(torch.tensor(vectors), torch.tensor(names))
        assert float(found) == pytest.approx(np.mean(values)), mining


def pairs(boxes=BOXES):
    return SimpleNamespace(
        size=torch.tensor([[0.5, 0.3], [0.2, 0.6], [0.4, 0.4]]),
        boxes=torch.tensor(boxes).float(),
        present=torch.tensor(PRESENT).float(),
    )


def test_what_siamrpn_learns():
    """Section 7, SiamRPN: anchors, assignment, cross entropy and smooth L1."""
    torch.manual_seed(0)
    head = UpChannelRPNHead(4, 4, STRIDE, hidden=3, scale=0.05)
    template, search = torch.randn(3, 4, 4, 4), torch.randn(3, 4, CELLS + 3, CELLS + 3)
    scores, offsets = (x.detach().double().numpy() for x in head(head.kernel(template), search))
    boxes = np.array([[20.0, 20.0, 60.0, 70.0], [10.0, 30.0, 84.0, 38.0], [0.0, 0.0, 0.0, 0.0]])
    costs, distances = {0: [], 1: []}, []
    for k, ratio in enumerate((0.33, 0.5, 1, 2, 3)):
        w = 8 * math.floor(STRIDE / math.sqrt(ratio))
        h = 8 * math.floor(ratio * w / 8)
        for b, j, i in np.ndindex(3, CELLS, CELLS):
            cx, cy = places(CELLS)[i], places(CELLS)[j]
            anchor, label = (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2), 0
            if PRESENT[b]:
                overlap = iou_and_hull(anchor, ltrb(boxes[b]))[0]
                label = 1 if overlap > 0.6 else 0 if overlap < 0.3 else -1
            if label < 0:
                continue
            s = scores[b, :, k, j, i]
            costs[label].append(-s[label] + math.log(math.exp(s[0]) + math.exp(s[1])))
            if label == 1:
                left, top, width, height = boxes[b]
                true = [(left + width / 2 - cx) / w, (top + height / 2 - cy) / h]
                true += [math.log(width / w), math.log(height / h)]
                found = offsets[b, :, k, j, i]
                distances.append(sum(smooth_l1(f - t) for f, t in zip(found, true, strict=True)))
    assert len(distances) > 3
    score = sum(np.mean(each) / 2 for each in costs.values())
    parts = head.objective(TrainConfig(), STRIDE, PATCH)(template, search, pairs(boxes))
    assert float(parts["score"]) == pytest.approx(score, rel=1e-4)
    assert float(parts["box"]) == pytest.approx(np.mean(distances), rel=1e-4)
    assert float(parts["loss"].detach()) == pytest.approx(
        score + 1.2 * np.mean(distances), rel=1e-4
    )


def conv(x, layer):
    """A convolution of (C, H, W) with zeros around."""
    weight = layer.weight.detach().double().numpy()
    pad, groups = layer.padding[0], layer.groups
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    rows, columns = (side - weight.shape[-1] + 1 for side in x.shape[1:])
    found = np.zeros((len(weight), rows, columns))
    each = len(weight) // groups
    for g in range(groups):
        part = x[g * weight.shape[1] : (g + 1) * weight.shape[1]]
        for v, u in np.ndindex(*weight.shape[2:]):
            taps = weight[g * each : (g + 1) * each, :, v, u]
            window = part[:, v : v + rows, u : u + columns]
            found[g * each : (g + 1) * each] += np.einsum("oc,cyx->oyx", taps, window)
    return found if layer.bias is None else found + layer.bias.detach().numpy()[:, None, None]


def norm(x, layer):
    mean, var, weight, bias = (
        each.detach().double().numpy()[:, None, None]
        for each in (layer.running_mean, layer.running_var, layer.weight, layer.bias)
    )
    return (x - mean) / np.sqrt(var + layer.eps) * weight + bias


def block(x, layer):
    relu = torch.nn.ReLU
    y = x
    for part in layer.layers:
        if isinstance(part, torch.nn.Conv2d):
            y = conv(y, part)
        else:
            y = np.maximum(y, 0) if isinstance(part, relu) else norm(y, part)
    return np.maximum(x + y, 0)


def unit(x):
    return x / np.linalg.norm(x, axis=0, keepdims=True)


HEADS = {
    "center": lambda: CenterHead(6, 5, STRIDE, width=7, depth=2),
    "region": lambda: RegionHead(6, 5, STRIDE, width=7, depth=2, extent=PATCH / 4),
    "dense": lambda: RegionHead(6, 5, STRIDE, width=7, depth=1, dense=True, extent=PATCH / 4),
}


def built(name):
    torch.manual_seed(3)
    head = HEADS[name]().eval()
    for module in head.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 1.5)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.2)
    torch.nn.init.normal_(head.box.weight, 0, 0.3)
    torch.nn.init.normal_(head.score.weight, 0, 0.3)
    return head, torch.randn(3, 6, 5, 5), torch.randn(3, 6, CELLS, CELLS)


@pytest.mark.parametrize("name", HEADS)
@torch.no_grad()
def test_box_heads(name):
    """Section 7, box heads: from features to logits, sides and presence."""
    head, template, search = built(name)
    outputs = [each.double().numpy() for each in head(head.kernel(template, pairs().size), search)]
    for b in range(3):
        t = norm(conv(template[b].double().numpy(), head.template_neck[0]), head.template_neck[1])
        f = norm(conv(search[b].double().numpy(), head.search_neck[0]), head.search_neck[1])
        size = pairs().size[b].double().numpy()
        similarity = np.einsum("ckl,cyx->klyx", unit(t), unit(f))
        if name == "center":
            middle = t[:, 1:4, 1:4].mean((1, 2))  # cells from 5 // 4 to 5 - 5 // 4
            beside = [f, f * middle[:, None, None]]
            beside.append(np.broadcast_to(np.log(size)[:, None, None], (2, CELLS, CELLS)))
            scale = 2 * STRIDE * np.array([*size, *size])
        else:
            p, q = size * (STRIDE * 4 + 1) / (2 * STRIDE)
            away = np.abs(np.arange(5) - 2)
            mask = np.outer(np.clip(q - away + 0.5, 0, 1), np.clip(p - away + 0.5, 0, 1))
            a, gain = head.inside.double().numpy()
            similarity *= (a + gain * mask)[:, :, None, None]
            means = [(t * m).sum((1, 2)) / max(m.sum(), 1) for m in (mask, 1 - mask)]
            beside = [f, *(f * mean[:, None, None] for mean in means)]
            scale = np.full(4, PATCH / 8)
        joined = [norm(similarity.reshape(25, CELLS, CELLS), head.similarity_norm), *beside]
        mixed = np.maximum(norm(conv(np.concatenate(joined), head.mix[0][0]), head.mix[0][1]), 0)
        one, other = mixed, mixed
        for layer in head.score_tower:
            one = block(one, layer)
        for layer in head.box_tower:
            other = block(other, layer)
        logits = conv(one, head.score)
        sides = np.exp(np.clip(conv(other, head.box), -4, 3)) * scale[:, None, None]
        pooled = np.concatenate([one.max((1, 2)), one.mean((1, 2)), [logits[0].max()]])
        presence = head.presence.weight.double().numpy()[0] @ pooled + float(head.presence.bias)
        np.testing.assert_allclose(outputs[0][b, 0], logits[0], rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(outputs[1][b], sides, rtol=1e-3)
        assert outputs[2][b, 0] == pytest.approx(presence, abs=1e-3)
        if len(outputs) > 3:
            np.testing.assert_allclose(outputs[3][b, 0], logits[1], rtol=1e-3, atol=1e-4)


@torch.no_grad()
def test_what_box_heads_learn():
    """Section 7, the table of losses, with and without a teacher."""
    head, template, search = built("region")
    recipe = TrainConfig(sides=0.5, centers=0.7, focus=0.8)
    logits, sides, presence, center = (
        each.double().numpy() for each in head(head.kernel(template, pairs().size), search)
    )
    score = box = extent = count = total = 0.0
    g = np.zeros((3, CELLS, CELLS))
    for b, (left, top, w, h) in enumerate(BOXES):
        for j, i in np.ndindex(CELLS, CELLS):
            x, y = places(CELLS)[i], places(CELLS)[j]
            q, counted = 0.0, True
            if PRESENT[b]:
                dx, dy = x - left - w / 2, y - top - h / 2
                g[b, j, i] = math.exp(
                    -((dx / max(w / 6, STRIDE / 2)) ** 2 + (dy / max(h / 6, STRIDE / 2)) ** 2) / 2
                )
                e = (dx / max(w / 4, 0.71 * STRIDE)) ** 2 + (dy / max(h / 4, 0.71 * STRIDE)) ** 2
                counted = e <= 1 or e > 4
                if e <= 1:
                    d = sides[b, :, j, i]
                    found = (x - d[0], y - d[1], x + d[2], y + d[3])
                    q, generalized = iou_and_hull(found, ltrb(BOXES[b]))
                    q = max(q, 0.0)
                    near = math.exp(-0.8 * e)
                    box += near * (1 - generalized)
                    extent += near * smooth_l1(math.log((d[0] + d[2]) / w), 0.1)
                    extent += near * smooth_l1(math.log((d[1] + d[3]) / h), 0.1)
                    count, total = count + 1, total + near
            s = logits[b, 0, j, i]
            score += counted * abs(sigmoid(s) - q) ** 2 * bce(s, q)
    assert count > 3
    usual = score / count + 1.5 * (box + 0.5 * extent) / total
    usual += 0.3 * np.mean([bce(s, p) for s, p in zip(presence[:, 0], PRESENT, strict=True)])
    learn = head.objective(recipe, STRIDE, PATCH)
    # A teacher whose box is right for the first pair alone
    taught = np.random.default_rng(5).uniform(0, 1, (3, CELLS - 1, CELLS - 1))
    shifted = BOXES + np.array([[1.0, 1, 0, 0], [9, 0, 0, 0], [0, 0, 5, 5]])
    lesson = SimpleNamespace(score=torch.tensor(taught).float(), box=torch.tensor(shifted).float())
    corners = np.pad(taught[0], 1, mode="edge")
    around = [corners[y : y + CELLS, x : x + CELLS] for y in (0, 1) for x in (0, 1)]
    for given in (None, lesson):
        target = g.copy()
        if given is not None:
            target[0] = np.mean(around, axis=0)
        cost = np.abs(sigmoid(center[:, 0]) - target) ** 2 * bce(center[:, 0], target)
        whole = usual + 0.7 * cost.sum() / (target > 0.3).sum()
        found = learn(template, search, pairs(), given)["loss"]
        assert float(found) == pytest.approx(whole, rel=1e-4)


@pytest.mark.parametrize("boxes_a_cell", [1, 3])
@pytest.mark.parametrize(("rim", "area"), [(0, 0.0), (1, 2.0)])
def test_from_response_to_box(boxes_a_cell, rim, area):
    """Section 7, from response to box: windows, penalty, cosine window and size."""
    rng = np.random.default_rng(boxes_a_cell)
    settings = TrackerSettings(
        context=0.4, area=area, window=0.3, rim=rim, penalty=0.2, size_rate=0.5, size_floor=0.6
    )
    card = Card("a", "", "box", 127, PATCH * 2, STRIDE, {}, settings)
    last = np.array([50.3, 40.6, 30.0, 44.0])
    shape = (boxes_a_cell, CELLS, CELLS)
    score = rng.uniform(0, 1, shape).astype(np.float32)
    sides = rng.uniform(10, 60, (4, *shape)).astype(np.float32)
    plain = boxes_a_cell == 1
    response = Response(
        score if plain else score[None], sides.transpose(1, 0, 2, 3) if plain else sides[None]
    )
    decoder = BoxDecoder(card)
    (window,) = decoder.windows(last, (200, 300), 0, 0)
    found = decoder.decode(last, [window], response)
    # The window, of whole pixels
    w, h = last[2:]
    g = 0.4 * (w + h)
    z = area * math.sqrt(w * h) if area else math.sqrt((w + g) * (h + g))
    side = z * card.search / card.template
    assert window == whole_window(last[0] + w / 2, last[1] + h / 2, side, card.search)
    assert abs(window.width - side) <= 0.5
    # The best box
    scale, best, chosen = card.search / window.width, -1.0, None
    hann = [
        0.5 - 0.5 * math.cos(2 * math.pi * (i + rim) / (CELLS + 2 * rim - 1)) for i in range(CELLS)
    ]

    def context(a, b):
        return math.sqrt((a + (a + b) / 2) * (b + (a + b) / 2))

    for k, j, i in np.ndindex(*shape):
        left, top, right, bottom = sides[:, k, j, i].astype(float)
        wi, hi = left + right, top + bottom
        a = context(wi, hi) / context(w * scale, h * scale)
        b = (wi / hi) / (w / h)
        p = math.exp(-0.2 * (max(a, 1 / a) * max(b, 1 / b) - 1))
        mixed = 0.7 * p * score[k, j, i] + 0.3 * hann[j] * hann[i]
        if mixed > best:
            x, y = places(CELLS, patch=card.search)[i], places(CELLS, patch=card.search)[j]
            middle = x + (right - left) / 2, y + (bottom - top) / 2
            best, chosen = mixed, (*middle, wi, hi, 0.5 * p * max(score[k, j, i], 0.6))
    x, y, wi, hi, share = chosen
    size = (1 - share) * last[2:] + share * np.array([wi, hi]) / scale
    center = np.array([window.cx, window.cy]) + (np.array([x, y]) - card.search / 2) / scale
    np.testing.assert_allclose(found.box, [*(center - size / 2), *size], rtol=1e-6)


def test_online_classifier():
    """Section 7, the online classifier: two frames, the second with a share."""
    rng = np.random.default_rng(8)
    settings = OnlineSettings(weight=0.3, rate=0.2, ridge=0.05)
    features = rng.normal(size=(3, 4, CELLS, CELLS)).astype(np.float32)
    boxes = np.array([[40.0, 36.0, 20.0, 40.0], [44.0, 36.0, 24.0, 40.0]])
    one = OnlineClassifier(settings, STRIDE, PATCH)
    moments, sums = np.zeros((5, 5)), np.zeros(5)
    for frame, (feature, (left, top, w, h)) in enumerate(zip(features[:2], boxes, strict=True)):
        one.learn(cells(feature), boxes[frame])
        g, kinds = np.zeros((CELLS, CELLS)), np.zeros((CELLS, CELLS))
        for j, i in np.ndindex(CELLS, CELLS):
            dx, dy = places(CELLS)[i] - left - w / 2, places(CELLS)[j] - top - h / 2
            sx, sy = max(0.3 * w, STRIDE), max(0.3 * h, STRIDE)
            g[j, i] = math.exp(-((dx / sx) ** 2 + (dy / sy) ** 2) / 2)
            outside = abs(dx) > 0.6 * w or abs(dy) > 0.6 * h
            kinds[j, i] = 1 if g[j, i] > 0.3 else 2 if outside else 0
        m, y = np.zeros((5, 5)), np.zeros(5)
        for j, i in np.ndindex(CELLS, CELLS):
            if not kinds[j, i]:
                continue
            x = np.append(unit(feature[:, j, i].astype(float)), 1)
            weight = 1 / (kinds == kinds[j, i]).sum()
            m += weight * np.outer(x, x)
            y += weight * (g[j, i] if kinds[j, i] == 1 else 0) * x
        share = 1 if frame == 0 else 0.2
        moments, sums = (1 - share) * moments + share * m, (1 - share) * sums + share * y
    v = np.linalg.solve(moments + 0.05 * np.trace(moments) / 5 * np.eye(5), sums)
    x = unit(features[2].astype(float))
    expected = np.clip(np.einsum("c,cyx->yx", v[:4], x) + v[4], 0, 1)
    np.testing.assert_allclose(one.scores(cells(features[2])), expected, atol=1e-5)
    score = rng.uniform(0, 1, (1, CELLS, CELLS)).astype(np.float32)
    mixed = one.mix(score, [cells(features[2])])
    np.testing.assert_allclose(mixed[0], 0.7 * score[0] + 0.3 * expected, atol=1e-5)


def softmax(x):
    return np.exp(x - x.max()) / np.exp(x - x.max()).sum()


def test_refiner():
    """Section 7, the refiner: what cells remember and are told, and how sides are read."""
    torch.manual_seed(5)
    network = RefineNetwork().eval()
    torch.nn.init.normal_(network.sides.weight)
    patch = torch.randint(0, 255, (2, 96, 96, 3), dtype=torch.uint8)
    sx, sy = 0.7, 0.4
    size = torch.tensor([[sx, sy]])
    with torch.no_grad():
        memory = network.remember(patch[:1], size)[0].numpy()
        keys = [
            unit(key(feature)[0].flatten(1).numpy())
            for feature, key in zip(network.features(patch[:1])[2:], network.keys, strict=True)
        ]
    rows = np.concatenate([keys[0].T, keys[1].T])
    np.testing.assert_allclose(memory[:, :32], rows, atol=1e-5)
    known = []
    for count in (12, 6):
        for r, c in np.ndindex(count, count):
            x, y = (c + 0.5) / count - 0.5, (r + 0.5) / count - 0.5
            depth = np.clip(16 * min(sx / 2 - abs(x), sy / 2 - abs(y)), -1, 1)
            known.append([depth, x / sx, y / sy])
    np.testing.assert_allclose(memory[:, 32:], known, atol=1e-5)
    # What a cell at stride 16 is told
    asked: list[np.ndarray] = []
    network.lateral[3].register_forward_pre_hook(lambda _, given: asked.append(given[0].numpy()))
    with torch.no_grad():
        y, _ = network.compared(patch[1:], size, torch.from_numpy(memory)[None])
        sides = network(patch[1:], size, torch.from_numpy(memory)[None])
        query = unit(network.keys[1](network.features(patch[1:])[3])[0].flatten(1).numpy())[:, 8]
        votes, gates = network.sides(y)[0].numpy().reshape(2, 4, 48, 48)
    alike = memory[144:, :32] @ query
    told = [*(softmax(network.sharpness[1].item() * alike) @ memory[144:, 32:]), alike.max()]
    np.testing.assert_allclose(asked[0][0, 113:, 1, 2], told, atol=1e-4)
    # Sides, from votes and gates: left 0 and right 2 along rows, top 1 and bottom 3 along columns
    for side in range(4):
        v, u = (each[side] if side % 2 == 0 else each[side].T for each in (votes, gates))
        share = softmax(np.array([softmax(u[:, c]) @ v[:, c] for c in range(48)]))
        where = (np.arange(48) + 0.5) / 48
        assert sides[0, side].item() == pytest.approx(share @ where, abs=1e-4)
