"""ROC AUC against counting every pair, and the picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siamtrack.evaluation.metrics import roc_auc
from siamtrack.evaluation.report.plots import plot_distances


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1)), min_size=2, max_size=30))
def test_auc_counts_every_pair(items):
    distance, labels = (np.array(each) for each in zip(*items, strict=True))
    if len(set(labels)) < 2:
        return
    wins = [
        1.0 if far > near else 0.5 if far == near else 0.0
        for near in distance[labels == 0]
        for far in distance[labels == 1]
    ]
    assert roc_auc(distance, labels) == pytest.approx(np.mean(wins))
    assert roc_auc(-distance, labels) == pytest.approx(1 - np.mean(wins))


@pytest.mark.parametrize(
    ("distance", "labels", "message"),
    [
        ([1, 2], [0], "expected distances and labels"),
        ([[1, 2]], [[0, 1]], "expected distances and labels"),
        ([1, np.nan], [0, 1], "finite"),
        ([1, 2], [0, 0], "labels 0 and 1"),
        ([1, 2, 3], [0, 1, 2], "labels 0 and 1"),
    ],
)
def test_bad_input(distance, labels, message):
    with pytest.raises(ValueError, match=message):
        roc_auc(distance, labels)


def test_the_picture_is_written(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.arange(50) % 2
    plot_distances({"a": rng.random(50), "zero": np.zeros(50)}, labels, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
