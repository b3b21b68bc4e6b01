import numpy as np
import pytest

from siamtrack.core.settings import TrackerSettings
from siamtrack.errors import UnknownNameError
from siamtrack.tuning import Range, changed, clips_of, default_space, read_space, split
from tests.tuning.clips import dataset, moving


def test_changed_reaches_groups_and_leaves_the_rest():
    before = TrackerSettings()
    after = changed(before, {"window": 0.4, "online.rate": 0.5})
    assert (after.window, after.online.rate) == (0.4, 0.5)
    assert changed(after, {"window": before.window, "online.rate": before.online.rate}) == before


@pytest.mark.parametrize("kind", ["box", "response"])
def test_every_end_of_every_default_range_is_accepted(kind):
    for name, each in default_space(kind).items():
        for end in (each.low, each.high):
            changed(TrackerSettings(), {name: end})


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ({}, ValueError, "empty space"),
        ({"windw": [0, 1]}, UnknownNameError, "did you mean 'window'"),
        ({"online.wait": [0, 1]}, UnknownNameError, "did you mean 'weight'"),
        ({"window": [0, 1.5]}, ValueError, "window 1.5"),
        ({"window": [0.5, 0.1]}, ValueError, "lower end first"),
        ({"online.rate": [0, 0.1, "log"]}, ValueError, "above 0"),
        ({"window": [0.1]}, ValueError, r"expected \[low, high\]"),
        ({"scales": [1, 5]}, ValueError, "only numbers with decimals"),
    ],
)
def test_bad_spaces(values, error, words):
    with pytest.raises(error, match=words):
        read_space(values)


def test_a_range_knows_its_logarithm():
    assert read_space({"online.rate": [0.001, 0.1, "log"]}) == {
        "online.rate": Range(0.001, 0.1, True)
    }


def test_clips_start_where_there_is_a_box_and_have_frames_to_come():
    sequence = moving(frames=20)
    clips = clips_of([sequence], starts=3, frames=6)
    assert [clip.start for clip in clips] == sorted({clip.start for clip in clips})
    assert len(clips) == 3
    assert all(2 <= clip.end - clip.start <= 6 for clip in clips)
    assert all(np.isfinite(clip.truth[0]).all() for clip in clips)
    assert clips[0].success(clips[0].truth) == pytest.approx(20 / 21)


def test_held_out_sequences_are_others():
    data = dataset(4)
    for held_out in ("0.5", "a,c", "0.01"):
        tuning, rest = ({each.name for each in part} for part in split(data, held_out))
        assert tuning | rest == set(data.names)
        assert not tuning & rest
    assert split(data, "0.5", 1) == split(data, "0.5", 1)
    with pytest.raises(ValueError, match="both parts need at least one"):
        split(data, "a,b,c,d")
    with pytest.raises(ValueError, match="a share between 0 and 1"):
        split(data, "1.5")
    with pytest.raises(UnknownNameError, match="unknown sequence 'x'"):
        split(data, "x")
