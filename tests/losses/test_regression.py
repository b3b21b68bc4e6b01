"""Box losses against slow oracles."""

import numpy as np
import pytest
import torch

from siamtrack.core.boxes import iou as numpy_iou
from siamtrack.losses import GIoULoss, IoULoss, SmoothL1Loss


@pytest.fixture
def boxes():
    """Predicted and true boxes, `ltwh`: overlapping, nested, apart and without area."""
    rng = np.random.default_rng(0)
    a, b = (np.hstack([rng.uniform(0, 6, (20, 2)), rng.uniform(1, 5, (20, 2))]) for _ in "ab")
    a[0] = b[0]
    a[1, :2] += 100
    a[2, 2:] = 0
    return a, b


def ltrb(boxes):
    return np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])


def giou_oracle(p, q):
    union = p[2] * p[3] + q[2] * q[3]
    overlap = numpy_iou(p, q) * union / (1 + numpy_iou(p, q))
    union -= overlap
    width = max(p[0] + p[2], q[0] + q[2]) - min(p[0], q[0])
    height = max(p[1] + p[3], q[1] + q[3]) - min(p[1], q[1])
    return numpy_iou(p, q) - (width * height - union) / (width * height)


@pytest.mark.parametrize("order", ["ltwh", "ltrb"])
def test_iou_and_giou_agree_with_the_oracle(boxes, order):
    a, b = boxes if order == "ltwh" else map(ltrb, boxes)
    iou = IoULoss(order)(torch.tensor(a), torch.tensor(b)).item()
    giou = GIoULoss(order)(torch.tensor(a), torch.tensor(b)).item()
    assert iou == pytest.approx(1 - numpy_iou(*boxes).mean(), rel=1e-12)
    expected = np.mean([1 - giou_oracle(p, q) for p, q in zip(*boxes, strict=True)])
    assert giou == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("beta", [0.1, 1.0, 5.0])
def test_smooth_l1_agrees_with_the_oracle(boxes, beta):
    difference = np.abs(ltrb(boxes[0]) - ltrb(boxes[1]))
    cost = np.where(difference < beta, difference**2 / (2 * beta), difference - beta / 2)
    value = SmoothL1Loss("ltwh", beta)(*map(torch.tensor, boxes)).item()
    assert value == pytest.approx(cost.mean(), rel=1e-12)


def test_giou_pulls_boxes_that_do_not_overlap():
    box = torch.tensor([[0.0, 0, 1, 1]], requires_grad=True)
    GIoULoss()(box, torch.tensor([[5.0, 0, 6, 1]])).backward()
    assert box.grad[0, 2] < 0


def test_bad_boxes_are_refused():
    with pytest.raises(ValueError, match="no area"):
        IoULoss()(torch.zeros(1, 4), torch.zeros(1, 4))
    with pytest.raises(ValueError, match="no area"):
        IoULoss()(torch.zeros(1, 4), torch.full((1, 4), torch.nan))
    with pytest.raises(ValueError, match=r"\(\.\.\., 4\)"):
        GIoULoss()(torch.zeros(2, 3), torch.zeros(2, 3))
    with pytest.raises(ValueError, match="order 'xywh'"):
        IoULoss("xywh")
    with pytest.raises(ValueError, match="beta"):
        SmoothL1Loss(beta=0)
