"""Anchor boxes against plain arithmetic, and the round trip of their offsets."""

import math

import numpy as np
import pytest
import torch

from siamtrack.core.boxes import iou
from siamtrack.models.heads.anchors import (
    RATIOS,
    anchor_boxes,
    anchor_shapes,
    assign,
    decode,
    encode,
)


def test_shapes_are_those_of_the_released_models():
    # stride 8: areas of 64 cut to whole pixels, times 8
    expected = [[104, 32], [88, 40], [64, 64], [40, 80], [32, 96]]
    assert anchor_shapes(8).tolist() == expected


def test_scales_change_fastest_and_areas_are_about_the_scale_squared():
    shapes = anchor_shapes(16, [0.5, 2.0], [4, 8])
    assert torch.equal(shapes[1], 2 * shapes[0])
    area = shapes.prod(1)[[0, 2]].sqrt()
    assert ((area - 64).abs() < 5).all()
    assert shapes[0, 1] < shapes[0, 0]
    assert shapes[2, 1] > shapes[2, 0]


def test_the_middle_anchor_lies_in_the_middle_of_the_patch():
    boxes = anchor_boxes(anchor_shapes(8), 17, 8, 255)
    assert boxes.shape == (4, 5, 17, 17)
    assert (boxes[:2, :, 8, 8] == 127.5).all()
    assert (boxes[:, 0, 3, 10] == torch.tensor([127.5 + 16, 127.5 - 40, 104, 32])).all()


def test_encode_is_undone_by_decode_and_has_the_papers_form():
    generator = torch.Generator().manual_seed(0)
    anchors = anchor_boxes(anchor_shapes(8), 5, 8, 255)
    boxes = torch.rand(2, 4, 5, 5, 5, generator=generator) * 100 + 20
    offsets = encode(boxes, anchors)
    torch.testing.assert_close(decode(offsets, anchors), boxes)
    b, a = boxes[1, :, 3, 2, 4].tolist(), anchors[:, 3, 2, 4].tolist()
    expected = [(b[0] - a[0]) / a[2], (b[1] - a[1]) / a[3]]
    expected += [math.log(b[2] / a[2]), math.log(b[3] / a[3])]
    assert offsets[1, :, 3, 2, 4].tolist() == pytest.approx(expected, rel=1e-5)


def test_labels_agree_with_the_overlap():
    anchors = anchor_boxes(anchor_shapes(8), 17, 8, 255)
    box = torch.tensor([131.0, 120.0, 70.0, 58.0])
    labels, offsets = assign(box, anchors)
    flat = anchors.flatten(1).T.double().numpy()
    ltwh = np.concatenate([flat[:, :2] - flat[:, 2:] / 2, flat[:, 2:]], 1)
    target = np.array([131 - 35, 120 - 29, 70, 58.0])
    overlap = np.array([iou(target, b) for b in ltwh])
    expected = np.where(overlap > 0.6, 1, np.where(overlap < 0.3, 0, -1))
    assert labels.flatten().tolist() == expected.tolist()
    assert {1, 0, -1} == set(expected.tolist())
    where = (labels == 1).nonzero()[0]
    found = decode(offsets, anchors)[:, where[0], where[1], where[2]]
    torch.testing.assert_close(found, box)


@pytest.mark.parametrize(
    "arguments",
    [(0,), (8, []), (8, [1.0], []), (8, [-1.0]), (8, RATIOS, [0.0]), (8, [1e-4]), (8, [1e4])],
)
def test_bad_shapes(arguments):
    with pytest.raises(ValueError, match=r"above 0|too extreme"):
        anchor_shapes(*arguments)


def test_bad_targets():
    anchors = anchor_boxes(anchor_shapes(8), 3, 8, 255)
    with pytest.raises(ValueError, match="with an area"):
        assign(torch.tensor([1.0, 1, 0, 5]), anchors)
    with pytest.raises(ValueError, match="negative <= positive"):
        assign(torch.tensor([1.0, 1, 5, 5]), anchors, 0.3, 0.6)
