import numpy as np
import pytest
import torch

from siamtrack.losses.tracking import center_loss, center_map, overlap, taught_map


def test_the_map_is_a_gaussian_about_the_center_and_zero_without_a_target():
    boxes = torch.tensor([[40.0, 60.0, 96.0, 48.0], [40.0, 60.0, 96.0, 48.0]])
    found = center_map(boxes, torch.tensor([1.0, 0.0]), 17, 16, 257).numpy()
    assert (found[1] == 0).all()
    place = (np.arange(17) - 8) * 16 + 128.5
    for row, column in np.ndindex(17, 17):
        x, y = (place[column] - 88) / 16, (place[row] - 84) / 8
        assert found[0, row, column] == pytest.approx(np.exp(-(x * x + y * y) / 2), abs=1e-6)


def test_a_map_of_cells_between_ours_is_averaged():
    score = torch.zeros(1, 4, 4)
    score[0, 1, 2] = 1.0
    carried = taught_map(score)
    assert carried.shape == (1, 5, 5)
    expected = torch.zeros(5, 5)
    expected[1:3, 2:4] = 0.25
    torch.testing.assert_close(carried[0], expected)


def test_the_loss_is_least_where_the_map_is_right():
    target = torch.rand(2, 5, 5)
    right = torch.logit(target.clamp(1e-4, 1 - 1e-4))[:, None]
    loss = center_loss(right, target)
    assert float(loss) == pytest.approx(0, abs=1e-5)
    for shift in (-1.0, 1.0):
        assert center_loss(right + shift, target) > loss + 1e-3


def test_overlap_of_pairs():
    a = torch.tensor([[0.0, 0, 2, 2], [0, 0, 1, 1], [0, 0, 4, 2]])
    b = torch.tensor([[1.0, 0, 2, 2], [5, 5, 1, 1], [0, 0, 4, 2]])
    torch.testing.assert_close(overlap(a, b), torch.tensor([1 / 3, 0.0, 1.0]))
