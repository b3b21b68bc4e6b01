from dataclasses import replace

import cv2
import numpy as np
import pytest

from siamtrack.data.manifest import Entry, Pool, read_manifest
from siamtrack.data.pairs import PairConfig, PairSampler, _part, build_sampler
from siamtrack.errors import DatasetError, UnknownNameError
from siamtrack.training import preset
from tests.training.manifest import write_manifest

PLAIN = PairConfig(
    template=65,
    search=129,
    scale=0.0,
    stretch=0.0,
    shift=0.0,
    negative=0.0,
    distractors=0,
    swap=0.0,
    border=0.0,
    flip=0.0,
    part=0.0,
)


@pytest.fixture
def pool(tmp_path):
    return Pool(read_manifest(write_manifest(tmp_path / "data")))


def test_a_sample_depends_on_seed_and_index_alone(pool):
    config = PairConfig(template=65, search=129)
    first, second = PairSampler(pool, config, seed=3), PairSampler(pool, config, seed=3)
    for index in (5, 2, 9):
        second.draw(index + 1)
    for index in (2, 9, 5):
        a, b = first.draw(index), second.draw(index)
        np.testing.assert_array_equal(a.search, b.search)
        np.testing.assert_array_equal(a.template, b.template)
        np.testing.assert_array_equal(a.box, b.box)
    other = PairSampler(pool, config, seed=4).draw(2)
    assert not np.array_equal(other.search, first.draw(2).search)


def test_the_recipe_of_the_paper_changes_place_size_and_color_alone(pool):
    config = preset("paper").pairs
    plain = replace(config, color=0.0, template_color=0.0)
    same = replace(plain, shift=0.0, scale=0.0, template_shift=0.0, template_scale=0.0)
    factors, shifts = [], []
    for index in range(60):
        pair, moved = (PairSampler(pool, each).draw(index) for each in (plain, config))
        still = PairSampler(pool, same).draw(index)
        # color changes by no more than brightness, contrast and channels can at 5 %
        away = pair.search.astype(float) - moved.search
        assert np.abs(away).max() < 0.08 * 255 + 6
        assert np.array_equal(pair.box, moved.box)
        factors.append([still.box[2:] / pair.box[2:], still.size / pair.size])
        shifts.append(pair.box[:2] + pair.box[2:] / 2 - 127.5)
    factors = np.array(factors)
    assert 0.95 - 1e-9 <= factors.min() < 0.96
    assert 1.04 < factors.max() <= 1.05 + 1e-9
    # width and height are drawn apart from each other, evenly, and so are both patches
    apart = np.corrcoef(factors.reshape(60, 4).T)
    assert np.abs(apart - np.eye(4)).max() < 0.45
    assert np.abs(shifts).max() < 4 / 0.95
    assert np.abs(shifts).max() > 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"separate": True, "tails": 0.1}, "expected no tails, and scales below 1"),
        ({"separate": True, "scale": 1.5}, "expected no tails, and scales below 1"),
        ({"blur": 1.5}, "PairConfig.blur 1.5: expected a number from 0 to 1"),
        ({"color_range": -0.1}, "PairConfig.color_range -0.1"),
    ],
)
def test_settings_that_cannot_be(changes, message):
    with pytest.raises(ValueError, match=message):
        PairConfig(**changes)


def test_samplers_are_named(pool):
    one = build_sampler("pairs", pool, PLAIN, 3)
    assert np.array_equal(one.draw(1).search, PairSampler(pool, PLAIN, 3).draw(1).search)
    with pytest.raises(UnknownNameError, match="unknown sampler 'pair': did you mean 'pairs'"):
        build_sampler("pair", pool, PLAIN)


def test_centred_target_without_change(pool):
    pair = PairSampler(pool, PLAIN).draw(0)
    assert pair.template.shape == (65, 65, 3)
    assert pair.search.shape == (129, 129, 3)
    assert pair.present
    np.testing.assert_allclose(pair.box[:2] + pair.box[2:] / 2, [64.5, 64.5], atol=1e-6)
    # a square of half the template window, in the template's scale
    pairs = [PairSampler(pool, PLAIN).draw(index) for index in range(30)]
    squares = [pair for pair in pairs if abs(pair.box[2] - pair.box[3]) < 1e-6]
    assert squares
    np.testing.assert_allclose([pair.box[2] for pair in squares], 32.5, rtol=0.02)
    np.testing.assert_allclose([pair.size for pair in squares], 0.5, rtol=0.06)


@pytest.mark.parametrize(("reach", "low", "high"), [(0.0, 0.0, 0.3), (0.1, 2.0, 7.0)])
def test_the_template_is_centered_as_exactly_as_asked(tmp_path, reach, low, high):
    picture = np.zeros((200, 200, 3), np.uint8)
    picture[80:120, 70:110] = 255
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    pool = Pool([Entry(str(tmp_path / "a.png"), (70, 80, 40, 40), "a", 0, "square", "s")])
    sampler = PairSampler(pool, replace(PLAIN, template_shift=reach, warp=0.0))
    off = []
    for index in range(20):
        rows, columns = np.nonzero(sampler.draw(index).template.mean(2) > 100)
        off += [abs(rows.mean() + 0.5 - 32.5), abs(columns.mean() + 0.5 - 32.5)]
    assert low <= max(off) <= high


def test_boxes_are_drawn_anew_in_both_pictures_alike(pool):
    config = replace(PLAIN, redrawn=1.0, redraw=0.3, warp=0.0)
    pairs = [PairSampler(pool, config).draw(index) for index in range(20)]
    shapes = [pair.box[2] / pair.box[3] for pair in pairs]
    np.testing.assert_allclose(shapes, [pair.size[0] / pair.size[1] for pair in pairs])
    plain = [PairSampler(pool, PLAIN).draw(index) for index in range(20)]
    assert not set(np.round(shapes, 6)) & {round(pair.box[2] / pair.box[3], 6) for pair in plain}
    for pair in pairs:
        np.testing.assert_allclose(pair.box[2:], pair.size * PLAIN.template, rtol=0.06)


def test_the_box_shows_the_same_thing_as_the_template(pool):
    for index in range(10):
        config = replace(PLAIN, shift=0.7, scale=0.2)
        pair = PairSampler(pool, config, seed=1).draw(index)
        cx, cy = pair.box[:2] + pair.box[2:] / 2
        inside = pair.search[max(0, int(cy) - 3) : int(cy) + 4, max(0, int(cx) - 3) : int(cx) + 4]
        middle = pair.template[29:36, 29:36]
        if inside.size and 8 < cx < 120 and 8 < cy < 120:
            # light and colour are varied, the place is not
            assert abs(inside.mean() - middle.mean()) < 70


def test_shares_of_negatives_and_flips(pool):
    sampler = PairSampler(pool, replace(PLAIN, negative=0.5))
    pairs = [sampler.draw(index) for index in range(100)]
    absent = [pair for pair in pairs if not pair.present]
    assert 30 < len(absent) < 70
    assert all((pair.box == 0).all() for pair in absent)


def test_part_of_an_object():
    entry = Entry("a.png", (10.0, 20.0, 80.0, 60.0), "t", 0, "", "set")
    rng = np.random.default_rng(0)
    for _ in range(50):
        left, top, width, height = _part(entry, rng).box
        assert left >= 10
        assert top >= 20
        assert left + width <= 90
        assert top + height <= 80
        assert width < 80
        assert height < 60
    small = replace(entry, box=(10.0, 20.0, 80.0, 20.0))
    assert _part(small, rng) is small


def test_partner_is_near_and_of_the_same_track(pool):
    rng = np.random.default_rng(0)
    members = pool.by_track["a"]
    for _ in range(20):
        other = pool.partner(members[0], 2, rng)
        assert other in members[1:3]


@pytest.mark.parametrize("bad", [{"video": 1.5}, {"negative": -0.1}, {"part": 2.0}])
def test_bad_shares(bad):
    with pytest.raises(ValueError, match="expected a number from 0 to 1"):
        PairConfig(**bad)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "manifest.jsonl:1"),
        ('{"image": "a.png"}', "'box'"),
        ('{"image": "a.png", "box": [1, 2, 3]}', "four finite numbers"),
        ('{"image": "a.png", "box": [1, 2, 0, 3]}', "width and height > 0"),
        ("", "holds no object"),
    ],
)
def test_bad_manifest(tmp_path, line, words):
    (tmp_path / "manifest.jsonl").write_text(line)
    with pytest.raises(DatasetError, match=words):
        read_manifest(tmp_path)


def test_missing_manifest(tmp_path):
    with pytest.raises(DatasetError, match=r"no such manifest.*yolo:PATH"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("box", [(160, 20, 30, 30), (20, 120, 9, 9), (-30, 20, 30, 9)])
def test_boxes_outside_the_image_are_left_out_and_named(pool, box, caplog):
    still = next(entry for entry in pool.entries if entry.label == "thing")
    stray = replace(still, box=box, label="stray", source="stray")
    sampler = PairSampler(Pool([*pool.entries, stray]), PairConfig(video=0.0))
    for index in range(20):
        assert sampler.draw(index).search.std() > 1
    assert sampler.cache.faults.outside == {still.image}
    assert f"in 1 images, such as {still.image}, a box lies outside" in (
        sampler.cache.faults.summary()
    )
    assert caplog.text.count("a box outside the image; skipped") == 1


def test_nothing_but_boxes_outside(pool):
    entries = [replace(entry, box=(500.0, 0.0, 20.0, 20.0)) for entry in pool.entries]
    with pytest.raises(DatasetError, match="the box lies outside the image"):
        PairSampler(Pool(entries), PairConfig()).draw(0)
