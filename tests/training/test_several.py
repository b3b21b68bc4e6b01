"""Several templates a pair: where they come from, how kernels are joined, and what is refused."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from siamtrack.data.manifest import Entry, Pool, read_manifest
from siamtrack.data.pairs import PairConfig, PairSampler
from siamtrack.models.network import BoxTrackerConfig, build_network
from siamtrack.tracking.decode import BoxDecoder
from siamtrack.training import train
from siamtrack.training.batches import collate
from siamtrack.training.loop import check_joins
from siamtrack.training.monitor import Watch
from siamtrack.training.pictures import pair_picture
from tests.tracking.test_decode import card
from tests.training.manifest import write_manifest
from tests.training.test_resume import TINY

torch.set_num_threads(1)
THREE = replace(TINY, pairs=replace(TINY.pairs, templates=3), steps=4, unfreeze=((0.0, 5),))
BOX = BoxTrackerConfig(
    backbone="alexnet", width=0.05, template=127, search=191, head="region", head_width=8
)
PLAIN = PairConfig(
    template=33,
    search=65,
    templates=4,
    video=1.0,
    gap=2,
    template_color=0.0,
    color=0.0,
    negative=0.0,
    distractors=0,
    swap=0.0,
    border=0.0,
    warp=0.0,
    blur=0.0,
    low_resolution=0.0,
    noise=0.0,
)


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    return Pool(read_manifest(write_manifest(tmp_path_factory.mktemp("data"))))


def gray_track(folder, frames):
    """A pool of one track; the frame of number n has the gray 10 n."""
    folder.mkdir(exist_ok=True)
    entries = []
    for frame in frames:
        file = folder / f"{frame}.png"
        cv2.imwrite(str(file), np.full((90, 90, 3), 10 * frame, np.uint8))
        entries.append(Entry(str(file), (30.0, 30.0, 30.0, 30.0), "a", frame, "", "set"))
    return Pool(entries)


def frames_of(pair):
    """Frame of the search window, and those of the templates."""
    return round(pair.search.mean() / 10), [round(t.mean() / 10) for t, _ in pair.templates]


def sampler(pool, config=THREE):
    return PairSampler(pool, config.pairs, config.seed)


def losses_of(out):
    lines = (out / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


def state(path):
    return torch.load(path, weights_only=True)


@pytest.mark.parametrize("count", [0, 9, -1, 1.5])
def test_counts_that_cannot_be(count):
    with pytest.raises((TypeError, ValueError), match="templates"):
        PairConfig(templates=count)


def test_more_templates_change_nothing_else(pool):
    for index in range(20):
        one, three = (
            PairSampler(pool, replace(TINY.pairs, templates=count, redrawn=0.5)).draw(index)
            for count in (1, 3)
        )
        assert not one.others
        assert len(three.others) == 2
        for name in ("template", "size", "search", "box", "present"):
            np.testing.assert_array_equal(getattr(one, name), getattr(three, name))
        assert all(not np.array_equal(each, one.template) for each, _ in three.others)


def test_frames_near_the_first_but_not_the_searched_one(tmp_path):
    draws = PairSampler(gray_track(tmp_path, range(12)), PLAIN)
    seen = 0
    for index in range(40):
        searched, (first, *others) = frames_of(draws.draw(index))
        assert searched not in (first, *others)
        assert all(0 < abs(other - first) <= 2 for other in others)
        # of three or fewer frames each comes once before one comes again
        left = {f for f in range(12) if 0 < abs(f - first) <= 2} - {searched}
        assert set(others) == left
        seen += len(left) == 3
    assert seen > 10


@pytest.mark.parametrize("frames", [(3, 4), (3, 9)])
def test_tracks_without_a_third_frame(frames, tmp_path):
    """Of two frames one is searched; of two far from each other all come from one."""
    draws = PairSampler(gray_track(tmp_path, frames), PLAIN)
    for index in range(10):
        pair = draws.draw(index)
        searched, templates = frames_of(pair)
        assert len(templates) == 4
        assert len(set(templates)) == 1
        assert (searched == templates[0]) == (frames == (3, 9))


def test_a_still_gives_templates_of_its_own_picture(tmp_path):
    # a single picture, and pictures of tracks that are drawn as stills, of which a part is the
    # target: other frames do not show that part
    single = PairSampler(gray_track(tmp_path / "one", [5]), PLAIN)
    assert frames_of(single.draw(0)) == (5, [5] * 4)
    still = replace(PLAIN, video=0.0, part=1.0)
    many = PairSampler(gray_track(tmp_path / "many", range(12)), still)
    for index in range(10):
        searched, templates = frames_of(many.draw(index))
        assert set(templates) == {searched}


def test_a_picture_shows_all_templates(pool):
    pair = sampler(pool).draw(0)
    assert pair_picture(pair).shape == (127, 3 * 87 + 127, 3)


def test_a_batch_holds_the_templates_of_a_pair_one_after_the_other(pool):
    pairs = [sampler(pool).draw(index) for index in range(2)]
    batch = collate(pairs)
    assert batch.templates == 3
    assert batch.template.shape == (6, 3, 87, 87)
    second, size = pairs[1].others[0]
    np.testing.assert_array_equal(batch.template[4].permute(1, 2, 0), second)
    np.testing.assert_allclose(batch.size[4], size, rtol=1e-6)


def test_trackers_and_training_join_kernels_alike():
    head = build_network(BOX).own_head
    first, recent = torch.randn(2, 1, head.cells**2 + 2, 8)
    joined = head.joined(torch.stack([first, recent], 1))
    mixed = BoxDecoder(card("box")).mixed(first.numpy(), recent.numpy(), 0.5)
    np.testing.assert_allclose(joined.detach(), mixed, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("head", ["siamfc", "center", "region", "siamrpn", "siamrpn_dw"])
def test_the_mean_of_equal_templates_is_that_template(head):
    network = build_network(replace(BOX, head=head)).eval()
    features, size = network.features(torch.rand(2, 3, 127, 127) * 255), torch.rand(2, 2) + 0.1
    one = network.own_head.pair_kernel(features, size, 2)
    same = (each.repeat_interleave(3, 0) for each in (features, size))
    torch.testing.assert_close(network.own_head.pair_kernel(*same, 2), one)


def test_a_run_learns_and_resumes_bitwise(pool, tmp_path):
    config = replace(THREE, steps=60, rate=3e-3)
    path = train(config, sampler(pool), tmp_path / "whole", watch=Watch(every=15))
    whole = state(path)
    losses = losses_of(tmp_path / "whole")
    assert losses[-1] < 0.9 * losses[0]

    class Interrupted(PairSampler):
        def draw(self, index):
            if index >= 60:
                raise KeyboardInterrupt
            return super().draw(index)

    with pytest.raises(KeyboardInterrupt):
        train(config, Interrupted(pool, config.pairs), tmp_path / "broken")
    assert 0 < state(tmp_path / "broken" / "checkpoint.pt")["step"] < 60
    resumed = state(train(config, sampler(pool), tmp_path / "broken", resume=True))
    for name, value in whole["model"].items():
        assert torch.equal(value, resumed["model"][name]), name
    fewer = replace(config, pairs=replace(config.pairs, templates=2))
    with pytest.raises(ValueError, match="another config"):
        train(fewer, sampler(pool, fewer), tmp_path / "broken", resume=True)


def test_frozen_stages_a_companion_and_pictures(pool, tmp_path):
    config = replace(
        THREE,
        model=BOX,
        companion=replace(BOX, head="center"),
        pairs=replace(THREE.pairs, template=127, search=191),
        unfreeze=((0.0, 2),),
        frozen="onnx",
    )
    losses = []
    for frozen in ("onnx", "torch"):
        out = tmp_path / frozen
        run = replace(config, frozen=frozen)
        train(run, sampler(pool, run), out, watch=Watch(every=1, pictures=2))
        assert (out / "pictures" / "step_000002.png").is_file()
        losses.append(losses_of(out))
    assert losses[0] == pytest.approx(losses[1], rel=0.01)


def test_a_sampler_of_another_config(pool, tmp_path):
    for config, other in ((THREE, TINY), (replace(TINY, steps=2), THREE)):
        with pytest.raises(ValueError, match=r"sampler draws pairs of \d templates, and the conf"):
            train(config, sampler(pool, other), tmp_path / str(config.pairs.templates))


def test_prepared_pairs_have_one_template():
    with pytest.raises(ValueError, match=r"prepare 8 with pairs.templates 3: .* set prepare to 0"):
        replace(THREE, prepare=8)


def test_an_objective_that_takes_one_template():
    """One of a plug-in may know nothing of several."""
    network = build_network(THREE.model)
    before = {name: value.clone() for name, value in network.state_dict().items()}

    def learn(template, search, pairs, lesson=None):
        head = network.own_head
        return {"loss": head(head.kernel(template, pairs.size), search).mean()}

    with pytest.raises(ValueError, match=r"takes one template a pair .*Head.pair_kernel") as raised:
        check_joins(network, learn, THREE)
    assert "\n" not in str(raised.value)
    check_joins(network, network.objective(THREE), THREE)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
