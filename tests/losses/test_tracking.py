"""The loss of the anchor-free head against a slow oracle, and where there is nothing to learn."""

import numpy as np
import pytest
import torch

from siamtrack.losses.tracking import cell_centers, tracking_loss

STRIDE, PATCH, CELLS = 16, 129, 9
BOXES = [[30.0, 40, 60, 44], [70.0, 20, 12, 90], [0.0, 0, 0, 0]]
PRESENT = [1, 1, 0]


def batch(dtype=torch.float64, present=PRESENT, boxes=BOXES):
    generator = torch.Generator().manual_seed(0)
    n = len(present)
    logits = torch.randn(n, 1, CELLS, CELLS, generator=generator, dtype=dtype)
    distances = torch.rand(n, 4, CELLS, CELLS, generator=generator, dtype=dtype) * 40 + 1
    presence = torch.randn(n, 1, generator=generator, dtype=dtype)
    return (logits, distances, presence), torch.tensor(boxes, dtype=dtype), torch.tensor(present)


def giou_of(a, b):
    """IoU and generalised IoU of two boxes ltrb."""
    inter = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter
    hull = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
    return inter / union, inter / union - (hull - union) / hull


def oracle(outputs, boxes, present, focus=0.0):
    logits, distances, presence = (x.numpy() for x in outputs)
    centres = [PATCH / 2 + (i - (CELLS - 1) / 2) * STRIDE for i in range(CELLS)]
    count, score, box, pulled, overlap = 0, 0.0, 0.0, 0.0, 0.0
    for b, j, i in np.ndindex(len(present), CELLS, CELLS):
        left, top, width, height = boxes[b].tolist()
        x, y = centres[i], centres[j]
        rx, ry = max(width / 4, 0.71 * STRIDE), max(height / 4, 0.71 * STRIDE)
        radius = np.hypot((x - left - width / 2) / rx, (y - top - height / 2) / ry)
        quality = 0.0
        if present[b] and radius <= 1:
            d = distances[b, :, j, i]
            own = (x - d[0], y - d[1], x + d[2], y + d[3])
            iou, giou = giou_of(own, (left, top, left + width, top + height))
            pull = np.exp(-focus * radius**2)
            count, overlap = count + 1, overlap + iou
            box, pulled = box + pull * (1 - giou), pulled + pull
            quality = iou
        elif present[b] and radius <= 2:
            continue  # neither target nor background
        p = 1 / (1 + np.exp(-logits[b, 0, j, i]))
        entropy = -quality * np.log(p) - (1 - quality) * np.log(1 - p)
        score += entropy * (p - quality) ** 2
    p = 1 / (1 + np.exp(-presence[:, 0]))
    there = np.array(present)
    presence = -(there * np.log(p) + (1 - there) * np.log(1 - p)).mean()
    n = max(count, 1)
    box /= pulled if count else 1
    total = score / n + 1.5 * box + 0.3 * presence
    names = ["loss", "score", "box", "presence", "iou"]
    return dict(zip(names, [total, score / n, box, presence, overlap / n], strict=True)), count


@pytest.mark.parametrize("focus", [0.0, 2.0])
@pytest.mark.parametrize("present", [[1, 1, 1], [1, 1, 0], [0, 1, 0]])
def test_agrees_with_the_oracle(present, focus):
    boxes = [*BOXES[:2], [50.0, 60, 30, 20]]
    outputs, boxes, there = batch(present=present, boxes=boxes)
    value = tracking_loss(outputs, boxes, there, STRIDE, PATCH, focus=focus)
    expected, count = oracle(outputs, boxes, present, focus)
    assert count >= 2
    assert set(value) == set(expected)
    for name in expected:
        assert value[name].item() == pytest.approx(expected[name], rel=1e-5), name


def test_gradcheck():
    """The score's target is the detached overlap, so distances are checked where it is fixed."""
    (logits, distances, presence), boxes, there = batch()
    fixed = distances.clone()
    tensors = [logits.requires_grad_(), presence.requires_grad_()]

    def of_scores(logits, presence):
        return tracking_loss((logits, fixed, presence), boxes, there, STRIDE, PATCH)["loss"]

    # the loss of the presence is computed in single precision, whence the large step
    assert torch.autograd.gradcheck(of_scores, tensors, eps=1e-2, atol=1e-4)

    outputs = logits.detach(), distances.requires_grad_(), presence.detach()
    tracking_loss(outputs, boxes, there, STRIDE, PATCH)["loss"].backward()
    for place in (distances.grad != 0).nonzero()[::7].tolist():
        step = torch.zeros_like(distances)
        step[tuple(place)] = 1e-4
        ends = [
            tracking_loss(
                (outputs[0], (distances + s).detach(), outputs[2]), boxes, there, STRIDE, PATCH
            )
            for s in (step, -step)
        ]
        slope = 1.5 * (ends[0]["box"] - ends[1]["box"]) / 2e-4
        assert distances.grad[tuple(place)].item() == pytest.approx(
            slope.item(), rel=1e-3, abs=1e-7
        )


@pytest.mark.parametrize("size", [1.0, 1e4])
def test_a_batch_without_a_target_has_a_finite_loss_and_gradient(size):
    (logits, distances, presence), _, _ = batch(torch.float32)
    tensors = [(x * size).requires_grad_() for x in (logits, distances, presence)]
    values = []
    for boxes in (torch.zeros(3, 4), torch.tensor([[10.0, 20, 30, 40]] * 3)):
        value = tracking_loss(tuple(tensors), boxes, torch.zeros(3), STRIDE, PATCH)
        value["loss"].backward()
        values.append(value)
    assert values[0]["loss"] == values[1]["loss"]  # boxes are ignored where no target is
    assert values[0]["loss"].isfinite()
    assert values[0]["box"] == values[0]["iou"] == 0
    assert all(x.grad.isfinite().all() for x in tensors)
    assert (tensors[1].grad == 0).all()
    if size == 1:
        assert (tensors[0].grad > 0).all()  # every score goes down
        assert (tensors[2].grad > 0).all()


def test_a_perfect_prediction_costs_next_to_nothing():
    (logits, distances, presence), boxes, there = batch(present=[1, 1, 1], boxes=[BOXES[0]] * 3)
    center = cell_centers(CELLS, STRIDE, PATCH).double()
    y, x = torch.meshgrid(center, center, indexing="ij")
    left, top, width, height = BOXES[0]
    distances = torch.stack([x - left, y - top, left + width - x, top + height - y])
    distances = distances.expand(3, -1, -1, -1)
    radius = torch.hypot((x - left - width / 2) / 15, (y - top - height / 2) / 0.71 / STRIDE)
    logits = torch.where(radius <= 1, 30.0, -30.0).double().expand(3, 1, -1, -1)
    perfect = tracking_loss((logits, distances, presence * 0 + 30), boxes, there, STRIDE, PATCH)
    assert perfect["iou"].item() == pytest.approx(1.0)
    assert perfect["loss"] < 1e-6


@pytest.mark.parametrize("place", [(64.5, 64.5), (60.0, 70.0), (40.5, 72.5), (56.5, 56.5)])
def test_a_tiny_target_still_owns_a_cell(place):
    box = [place[0] - 1, place[1] - 1, 2.0, 2.0]
    outputs, boxes, there = batch(torch.float32, [1], [box])
    assert tracking_loss(outputs, boxes, there, STRIDE, PATCH)["box"] > 0


@pytest.mark.parametrize(("count", "stride", "patch"), [(17, 16, 257), (16, 8, 255), (1, 8, 127)])
def test_cells_are_centred_in_the_patch(count, stride, patch):
    center = cell_centers(count, stride, patch)
    assert center.shape == (count,)
    assert center.mean().item() == patch / 2
    assert (center.diff() == stride).all()


@pytest.mark.parametrize("present", [[1, 2, 0], [1, -1, 0]])
def test_presence_is_0_or_1(present):
    with pytest.raises(ValueError, match="expected labels out of 0, 1"):
        tracking_loss(*batch(present=present), STRIDE, PATCH)


def test_shapes_that_do_not_fit():
    outputs, boxes, present = batch()
    for wrong in (
        (outputs, boxes[:2], present),
        (outputs, boxes, present[:2]),
        (outputs, boxes, present[:, None]),
        ((outputs[0], outputs[1][:, :3], outputs[2]), boxes, present),
        ((outputs[0], outputs[1], outputs[2][:, 0]), boxes, present),
    ):
        with pytest.raises(ValueError, match="box tracking loss: expected"):
            tracking_loss(*wrong, STRIDE, PATCH)
