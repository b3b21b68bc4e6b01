import json
import logging
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from siamtrack.data.manifest import Pool, read_manifest
from siamtrack.data.pairs import PairSampler
from siamtrack.data.sequence import Dataset, ImageFrames, Sequence
from siamtrack.errors import MissingExtraError
from siamtrack.training import Watch, train
from siamtrack.training.batches import Batch
from siamtrack.training.loop import check_finite
from siamtrack.training.monitor import Log, excerpt
from siamtrack.training.pictures import grid, heat, pair_picture, sheet, write_picture
from tests.helpers import clip
from tests.training.manifest import write_manifest
from tests.training.test_loop import SMALL
from tests.training.test_resume import TINY


@pytest.fixture
def pool(tmp_path):
    return Pool(read_manifest(write_manifest(tmp_path / "data")))


def sequences(folder, count=3, frames=6):
    folder.mkdir()
    pictures, boxes = clip(frames)
    files = [folder / f"{index}.png" for index in range(frames)]
    for file, picture in zip(files, pictures, strict=True):
        cv2.imwrite(str(file), picture[..., ::-1])
    return Dataset("toys", [Sequence(f"s{i}", ImageFrames(files), boxes) for i in range(count)])


@pytest.mark.parametrize("config", [TINY, replace(SMALL, loaders=0)], ids=["siamfc", "box"])
def test_a_person_sees_metrics_pictures_and_tracking(config, pool, tmp_path, caplog):
    watch = Watch(
        every=2,
        pictures=2,
        validate=sequences(tmp_path / "val"),
        validate_every=3,
        sequences=2,
        frames=3,
    )
    config = replace(config, steps=5, save_every=99.0)
    with caplog.at_level(logging.INFO):
        train(config, PairSampler(pool, config.pairs), tmp_path / "run", watch=watch)
    lines = [json.loads(x) for x in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    steps = [line["step"] for line in lines if "loss" in line]
    assert steps == [2, 4, 5], "the last step has a line of its own"
    assert {"pairs_per_second", "data_share", "rate", "trained_stages"} <= set(lines[0])
    tracked = [line for line in lines if "validation_success" in line]
    assert [line["step"] for line in tracked] == [3, 5]
    assert tracked[0]["validation_frames"] == 6
    assert 0 <= tracked[0]["validation_precision"] <= 1
    assert "pairs/s" in caplog.text
    assert "left" in caplog.text
    names = sorted(path.name for path in (tmp_path / "run/pictures").iterdir())
    assert names == ["step_000002.png", "step_000004.png"]
    picture = cv2.imread(str(tmp_path / "run/pictures/step_000002.png"))
    rows, side = min(6, config.batch), config.pairs.search
    assert picture.shape[0] == rows * (side + 4) + 4
    assert picture.shape[1] == config.pairs.template + 2 * side + 8


def test_watching_does_not_change_the_weights(pool, tmp_path):
    config = replace(TINY, steps=3, save_every=99.0)
    torch.manual_seed(5)
    watch = Watch(every=1, pictures=1, validate=sequences(tmp_path / "val"), validate_every=1)
    found = [
        torch.load(
            train(config, PairSampler(pool, config.pairs), tmp_path / name, watch=how),
            weights_only=True,
        )["model"]
        for name, how in (("seen", watch), ("unseen", None))
    ]
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def test_bar(pool, tmp_path, capsys):
    config = replace(TINY, steps=2, save_every=99.0)
    train(config, PairSampler(pool, config.pairs), tmp_path / "run", watch=Watch(bar=True))
    shown = capsys.readouterr().err
    assert "4/4" in shown
    assert "pairs/s" in shown


def test_tensorboard_is_optional(pool, tmp_path):
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError:
        with pytest.raises(MissingExtraError, match=r"siamtrack\[tensorboard\]"):
            train(TINY, PairSampler(pool, TINY.pairs), tmp_path, watch=Watch(tensorboard=True))
        return
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    config = replace(TINY, steps=3, save_every=99.0)
    train(config, PairSampler(pool, config.pairs), tmp_path, watch=Watch(every=1, tensorboard=True))
    events = EventAccumulator(str(tmp_path)).Reload()
    written = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    seen = [event.value for event in events.Scalars("loss")]
    assert seen == pytest.approx([row["loss"] for row in written], rel=1e-6)


@pytest.mark.parametrize("bad", [{"every": 0}, {"frames": 0}, {"pictures": -1}])
def test_bad_watch(bad):
    with pytest.raises(ValueError, match=r"at least 1|number of steps"):
        Watch(**bad)


def test_excerpt_is_spread_and_short(tmp_path):
    found = excerpt(sequences(tmp_path / "val", count=5), sequences=2, frames=4)
    assert [sequence.name for sequence in found] == ["s0", "s4"]
    assert [len(sequence) for sequence in found] == [4, 4]
    assert len(list(found[0])) == 4
    with pytest.raises(ValueError, match="at least 1"):
        excerpt(sequences(tmp_path / "again"), 0, 4)


def test_sheet_shows_what_the_sampler_makes(pool, tmp_path):
    sampler = PairSampler(pool, TINY.pairs)
    picture = sheet(sampler, count=5, columns=2)
    height, width = 127, 87 + 127
    assert picture.shape == (3 * (height + 4) + 4, 2 * (width + 4) + 4, 3)
    pair = sampler.draw(1)
    np.testing.assert_array_equal(picture[4 : 4 + height, width + 8 : -4], pair_picture(pair))
    write_picture(tmp_path / "new" / "sheet.png", picture)
    read = cv2.imread(str(tmp_path / "new" / "sheet.png"))[..., ::-1]
    np.testing.assert_array_equal(read, picture)
    with pytest.raises(ValueError, match=r"name it \.png or \.jpg"):
        write_picture(tmp_path / "sheet.what", picture)
    assert grid([picture], 3).shape == (picture.shape[0] + 8, picture.shape[1] + 8, 3)


def test_heat_lies_where_the_cells_are():
    response = np.zeros((17, 17), np.float32)
    response[8, 12] = 1  # 4 cells of 8 pixels right of the middle
    red = heat(np.zeros((255, 255, 3), np.uint8), response, 8)[..., 0].astype(float)
    rows, columns = np.nonzero(red > 0.9 * red.max())
    assert rows.mean() + 0.5 == pytest.approx(127.5, abs=1)
    assert columns.mean() + 0.5 == pytest.approx(127.5 + 32, abs=1)
    assert red[:50].max() == 0


def test_the_offending_batch_is_kept(tmp_path):
    batch = Batch(*(torch.full((2,), float(index)) for index in range(5)))
    check_finite("loss", torch.tensor(1.0), batch, 3, tmp_path)
    with pytest.raises(FloatingPointError, match=r"step 3: the loss is nan; its batch is in"):
        check_finite("loss", torch.tensor(float("nan")), batch, 3, tmp_path)
    kept = torch.load(tmp_path / "bad_batch.pt", weights_only=True)
    assert kept["step"] == 3
    assert torch.equal(kept["search"], batch.search)


def test_a_run_that_diverges_stops_with_its_checkpoint_intact(pool, tmp_path):
    good = train(replace(TINY, steps=1), PairSampler(pool, TINY.pairs), tmp_path / "good")
    state = torch.load(good, weights_only=True)
    state["average"]["backbone.conv5.0.weight"] *= 1e30
    torch.save(state, tmp_path / "huge.pt")
    config = replace(TINY, steps=3, initial=str(tmp_path / "huge.pt"))
    with pytest.raises(FloatingPointError, match="step 0"):
        train(config, PairSampler(pool, config.pairs), tmp_path / "run")
    assert (tmp_path / "run" / "bad_batch.pt").exists()
    assert not (tmp_path / "run" / "checkpoint.pt").exists()


def test_a_run_says_soon_how_long_it_takes(tmp_path, caplog):
    caplog.set_level("INFO")
    with Log(tmp_path, replace(TINY, steps=100), 0, Watch()) as log:
        for done in (1, 2, 3):
            log.step(done, {"loss": torch.tensor(1.0)}, 0.0)
    told = [record.message for record in caplog.records if "on this machine" in record.message]
    assert len(told) == 1
    assert told[0].startswith(f"98 steps of {TINY.batch} pairs are left: about 0:00:0")
