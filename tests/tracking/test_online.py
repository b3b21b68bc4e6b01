import numpy as np
import pytest

from siamtrack.core.settings import OnlineSettings
from siamtrack.tracking.online import OnlineClassifier, aligned, cells

STRIDE, PATCH, SIDE = 16, 257, 17


def scene(rng, target, place, others=()):
    """Noise features (C, 17, 17) with a target's vector around a cell, and other objects'."""
    features = 0.3 * rng.normal(size=(len(target), SIDE, SIDE)).astype(np.float32)
    for vector, (row, column) in [(target, place), *others]:
        features[:, row - 1 : row + 2, column - 1 : column + 2] += vector[:, None, None]
    return features


def box_at(place, size=40.0):
    centre = np.array([place[1], place[0]]) * STRIDE + 0.5
    return np.array([*(centre - size / 2), size, size])


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def test_tells_the_target_from_look_alikes_that_it_saw(rng):
    target = rng.normal(size=24).astype(np.float32)
    alike = target + 0.8 * rng.normal(size=24).astype(np.float32)
    crowd = [(alike, place) for place in ((2, 2), (2, 8), (3, 13), (8, 14), (13, 3), (14, 13))]
    one = OnlineClassifier(OnlineSettings(weight=0.5, ridge=0.01), STRIDE, PATCH)
    one.learn(cells(scene(rng, target, (8, 8), crowd)), box_at((8, 8)))
    scores = one.scores(cells(scene(rng, target, (11, 5), [(alike, (5, 8))])))
    cosine = float(target @ alike / np.linalg.norm(target) / np.linalg.norm(alike))
    assert cosine > 0.7
    assert scores[10:13, 4:7].mean() > 0.4
    assert scores[4:7, 7:10].mean() < 0.6 * cosine * scores[10:13, 4:7].mean()


@pytest.mark.parametrize("channels", [5, 130])  # fits in one product, and in many
def test_agrees_with_ridge_regression_written_out(rng, channels):
    features = rng.normal(size=(channels, SIDE, SIDE)).astype(np.float32)
    box = np.array([100.0, 90.0, 60.0, 80.0])
    settings = OnlineSettings(weight=0.5, ridge=0.05)
    one = OnlineClassifier(settings, STRIDE, PATCH)
    one.learn(cells(features), box)
    rows, truth, weight = [], [], []
    for i in range(SIDE):
        for j in range(SIDE):
            vector = features[:, i, j].astype(float)
            rows.append([*(vector / np.linalg.norm(vector)), 1.0])
            dx, dy = 16 * j + 0.5 - 130.0, 16 * i + 0.5 - 130.0
            label = np.exp(-0.5 * ((dx / 18.0) ** 2 + (dy / 24.0) ** 2))
            outside = abs(dx) > 36 or abs(dy) > 48
            truth.append(0.0 if outside and label <= 0.3 else label)
            weight.append("in" if label > 0.3 else "out" if outside else "between")
    share = [0.0 if w == "between" else 1 / weight.count(w) for w in weight]
    x, y, diagonal = np.array(rows), np.array(truth), np.diag(share)
    moments = x.T @ diagonal @ x
    ridge = settings.ridge * np.trace(moments) / (channels + 1) * np.eye(channels + 1)
    expected = x @ np.linalg.solve(moments + ridge, x.T @ diagonal @ y)
    found = one.scores(cells(features)).ravel()
    np.testing.assert_allclose(found, expected.clip(0, 1), atol=1e-5)


def test_old_frames_fade_at_the_rate_given(rng):
    first, second = rng.normal(size=(2, 8)).astype(np.float32)
    quick = OnlineClassifier(OnlineSettings(weight=0.5, rate=0.9), STRIDE, PATCH)
    slow = OnlineClassifier(OnlineSettings(weight=0.5, rate=0.01), STRIDE, PATCH)
    for one in (quick, slow):
        one.learn(cells(scene(rng, first, (8, 8))), box_at((8, 8)))
        one.learn(cells(scene(rng, second, (8, 8))), box_at((8, 8)))
    both = cells(scene(rng, first, (4, 4), [(second, (12, 12))]))
    assert quick.scores(both)[12, 12] > quick.scores(both)[4, 4]
    assert slow.scores(both)[4, 4] > slow.scores(both)[12, 12]


def test_what_was_asked_once_need_not_be_asked_again(rng):
    one = OnlineClassifier(OnlineSettings(weight=0.5), STRIDE, PATCH)
    seen = cells(scene(rng, rng.normal(size=8).astype(np.float32), (5, 9)))
    one.learn(seen, box_at((5, 9)))
    said, score = one.scores(seen), np.full((1, SIDE, SIDE), 0.5, np.float32)
    assert one.mix(score, [seen], [said]).tolist() == one.mix(score, [seen]).tolist()
    place = (PATCH / 2 + (9 - SIDE // 2) * STRIDE, PATCH / 2 + (5 - SIDE // 2) * STRIDE)
    assert one.familiarity(seen, *place, said) == one.familiarity(seen, *place) > 0.4


@pytest.mark.parametrize("cells_of_template", [1, 4, 5])
def test_features_around_a_response_are_aligned_with_it(cells_of_template):
    """Each cell of a correlation stands in the middle of the window that it compares."""
    count = SIDE - cells_of_template + 1
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    found = aligned(np.stack([rows, columns])[None], (count, count))
    middle = np.arange(count) + (cells_of_template - 1) / 2
    np.testing.assert_allclose(found[0, 0], np.broadcast_to(middle[:, None], (count, count)))
    np.testing.assert_allclose(found[0, 1], np.broadcast_to(middle, (count, count)))


def test_scores_stay_in_range_and_survive_flat_features():
    one = OnlineClassifier(OnlineSettings(weight=0.5), STRIDE, PATCH)
    flat = cells(np.zeros((8, SIDE, SIDE), np.float32))
    one.learn(flat, box_at((8, 8)))
    scores = one.scores(flat)
    assert scores.shape == (SIDE, SIDE)
    assert np.isfinite(scores).all()
    assert scores.min() >= 0
    assert scores.max() <= 1


@pytest.mark.parametrize("box", [(-500.0, -500.0, 20.0, 20.0), (0, 0, 2.0, 2.0), (0, 0, 9e3, 9e3)])
def test_boxes_that_own_no_cell_do_no_harm(rng, box):
    one = OnlineClassifier(OnlineSettings(weight=0.5), STRIDE, PATCH)
    one.learn(cells(rng.normal(size=(8, SIDE, SIDE)).astype(np.float32)), np.array(box, float))
    assert np.isfinite(one.scores(cells(rng.normal(size=(8, SIDE, SIDE)).astype(np.float32)))).all()


def test_a_frame_of_every_three_weighs_as_three(rng):
    first, later = (cells(rng.normal(size=(6, 7, 7)).astype(np.float32)) for _ in range(2))
    box = np.array([40.0, 40.0, 32.0, 32.0])
    often, seldom = (
        OnlineClassifier(OnlineSettings(weight=0.5, rate=0.1, every=every), 16, 113)
        for every in (1, 3)
    )
    for each in (often, seldom):
        each.learn(first, box)
    for _ in range(3):
        often.learn(later, box)
    seldom.learn(later, box)
    np.testing.assert_allclose(seldom.scores(later), often.scores(later), atol=1e-6)


def test_scores_before_learning():
    with pytest.raises(ValueError, match="before learn"):
        OnlineClassifier(OnlineSettings(), STRIDE, PATCH).scores(cells(np.zeros((8, 3, 3))))


@pytest.mark.parametrize("wrong", [{"weight": 1.5}, {"rate": -0.1}, {"ridge": 0.0}])
def test_settings_out_of_range(wrong):
    with pytest.raises(ValueError, match="expected a number"):
        OnlineSettings(**wrong)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_cells_know_whether_they_are_finite(rng, value):
    features = rng.normal(size=(8, SIDE, SIDE)).astype(np.float32)
    assert cells(features).finite
    features[3, 2, 5] = value
    assert not cells(features).finite
