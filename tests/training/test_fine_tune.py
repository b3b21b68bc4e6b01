import json
from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from siamtrack.data.manifest import Entry, Pool, read_manifest
from siamtrack.data.pairs import PairSampler
from siamtrack.errors import DatasetError
from siamtrack.training import train
from siamtrack.training.fine_tune import Helped, fine_tune, fine_tune_config, hold_out
from tests.training.manifest import write_manifest
from tests.training.test_loop import SMALL
from tests.training.test_resume import TINY


def test_ends_are_held_out_and_their_images_not_trained_on(tmp_path):
    entries = read_manifest(write_manifest(tmp_path, frames=20))
    rest, ends = hold_out(entries, 0.3)
    assert [end.name for end in ends] == ["a"]
    assert len(ends[0]) == 6
    assert ends[0].boxes[0].tolist() == list(entries[14].box)
    assert len(ends[0][0].shape) == 3
    images = {entry.image for entry in rest}
    assert not images & {str(file) for file in ends[0].files}
    assert len(rest) == len(entries) - 6
    assert [entry.frame for entry in rest if entry.track == "a"] == list(range(14))


def test_too_short(tmp_path):
    entries = read_manifest(write_manifest(tmp_path, frames=4))
    with pytest.raises(DatasetError, match="at least one of 17 frames"):
        hold_out(entries)
    with pytest.raises(ValueError, match="share 1"):
        hold_out(entries, 1.0)


@pytest.mark.parametrize("before", [TINY, replace(SMALL, loaders=0)], ids=["siamfc", "box"])
def test_a_report_says_whether_it_helped(before, tmp_path):
    entries = read_manifest(write_manifest(tmp_path / "data", frames=20))
    before = replace(before, steps=2, save_every=99.0)
    first = train(before, PairSampler(Pool(entries), before.pairs), tmp_path / "first")
    helped = fine_tune(first, entries, tmp_path / "own", changes={"steps": 2, "batch": 2})
    report = json.loads((tmp_path / "own" / "report.json").read_text())
    assert report["names"] == ["a"] == list(helped.names)
    assert report["before"] == list(helped.before)
    assert "mean success AUC" in report["verdict"]
    assert "| mean |" in helped.table()
    with pytest.raises(FileExistsError, match="holds a run"):
        fine_tune(first, entries, tmp_path / "own")


def test_crops_cannot_be_tracked_which_is_said_before_training(tmp_path):
    entries = read_manifest(write_manifest(tmp_path / "data", frames=20))
    before = replace(TINY, steps=2, save_every=99.0)
    first = train(before, PairSampler(Pool(entries), before.pairs), tmp_path / "first")
    last = Path(max((e for e in entries if e.track == "a"), key=lambda e: e.frame).image)
    picture = cv2.imread(str(last))
    cv2.imwrite(str(last), picture[:-7])
    with pytest.raises(DatasetError, match=f"{last.name} .*give the frames, not crops"):
        fine_tune(first, entries, tmp_path / "own")
    assert not (tmp_path / "own").exists()


def test_config_starts_from_the_checkpoints():
    before = replace(TINY, initial="b.pt", backbone_only=True)
    config = fine_tune_config(before, "a.pt", {"pairs": {"flip": 0.0}})
    assert not config.backbone_only, "the head is that of the checkpoint"
    assert (config.initial, config.model, config.pairs.flip) == ("a.pt", TINY.model, 0.0)
    assert config.unfreeze == ((0.0, 2),)
    assert config.rate == TINY.rate / 10


@pytest.mark.parametrize(
    ("after", "words"),
    [((0.7, 0.6), "it helped"), ((0.4, 0.5), "it hurt"), ((0.5, 0.5), "no clear change")],
)
def test_verdict(after, words):
    assert words in Helped(("a", "b"), (0.5, 0.5), after, 0.5, 0.5).verdict()


def test_one_object_alone_is_never_its_own_stranger(tmp_path):
    entries = [e for e in read_manifest(write_manifest(tmp_path)) if e.track == "a"]
    assert all(isinstance(entry, Entry) for entry in entries)
    sampler = PairSampler(Pool(entries), replace(TINY.pairs, negative=1.0))
    assert all(sampler.draw(index).present for index in range(6))
