import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from siamtrack.losses.response import response_labels


def slow(box, present, size, stride, patch, radius):
    """Cell by cell, with plain numbers."""
    cx, cy = box[0] + box[2] / 2, box[1] + box[3] / 2
    reach = max(radius, 0.7072 * stride)
    labels = np.zeros((size, size))
    if not present:
        return labels
    half = (size - 1) / 2 * stride + stride / 2
    if abs(cx - patch / 2) > half or abs(cy - patch / 2) > half:
        return labels - 1
    for j in range(size):
        for i in range(size):
            x = patch / 2 + (i - (size - 1) / 2) * stride
            y = patch / 2 + (j - (size - 1) / 2) * stride
            if (x - cx) ** 2 + (y - cy) ** 2 <= reach**2:
                labels[j, i] = 1
    return labels


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-50, 300, width=16), min_size=2, max_size=2),
    st.booleans(),
    st.sampled_from([5, 17]),
    st.sampled_from([1.0, 16.0, 24.0]),
)
def test_labels_are_those_of_the_oracle(corner, present, size, radius):
    box = [*corner, 20.0, 36.0]
    found = response_labels(
        torch.tensor([box]), torch.tensor([float(present)]), size, 8, 255, radius
    )
    assert found.shape == (1, 1, size, size)
    np.testing.assert_array_equal(found[0, 0].numpy(), slow(box, present, size, 8, 255, radius))


@pytest.mark.parametrize("shift", [0.0, 4.0, 3.9])
def test_a_target_within_the_grid_owns_a_cell(shift):
    box = torch.tensor([[127.5 + shift - 2, 127.5 - shift - 2, 4.0, 4.0]])
    assert (response_labels(box, torch.ones(1), 17, 8, 255, 0.1) == 1).sum() >= 1
