"""Boxes tremble less, none is late, and a loss is not smoothed away."""

import numpy as np
import pytest

from siamtrack.cli.main import main
from siamtrack.core.tracks import Track, TrackState
from siamtrack.tracking.smooth import smoothed
from siamtrack.video import Frame
from tests.helpers import clip, write_video

SIDES = [20.0, 30.0]


def results(centers, lost=(), number=0):
    """Frames with one target at x, and `lost` frames in which it is lost."""
    for index, x in enumerate(centers):
        state = TrackState.LOST if index in lost else TrackState.TRACKED
        yield Frame(index, None, None), [Track(np.array([x, 5.0, *SIDES]), 0.9, state, number)]


def lefts(found):
    return [track.box[0] for _, (track,) in found]


@pytest.mark.parametrize("frames", [0, 1, 2, 7, 50])
def test_a_steady_box_is_where_it_was_and_no_frame_is_missing(frames):
    steady = 3.0 * np.arange(23)
    found = list(smoothed(results(steady), frames))
    assert [frame.index for frame, _ in found] == list(range(23))
    assert lefts(found) == pytest.approx(steady)


def test_trembling_becomes_less_and_sides_are_smoothed_too():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 2, 200)
    found = lefts(smoothed(results(noise), 3))
    assert np.std(found) < 0.5 * np.std(noise)
    assert lefts(smoothed(results([0.0, 8.0, 0.0]), 1)) == pytest.approx([0, 4, 0])


def test_the_delay_is_the_number_of_frames():
    seen = []

    def told():
        for each in results(range(10)):
            seen.append(each[0].index)
            yield each

    for frame, _ in smoothed(told(), 3):
        assert seen[-1] == min(frame.index + 3, 9)


def test_a_lost_box_neither_moves_nor_moves_others():
    found = lefts(smoothed(results([0, 0, 90, 0, 0, 0], lost={2}), 2))
    assert found == [0, 0, 90, 0, 0, 0]


def test_targets_are_apart_and_may_begin_late():
    pairs = zip(results([0.0] * 6), results([50.0] * 6, number=1), strict=True)
    both = [(f, [*a, *(b if f.index >= 2 else [])]) for (f, a), (_, b) in pairs]
    found = list(smoothed(both, 2))
    assert [len(tracks) for _, tracks in found] == [1, 1, 2, 2, 2, 2]
    assert all(t.box[0] == 50.0 * t.id for _, tracks in found for t in tracks)


def test_out_of_range_is_said_at_once():
    for frames in (-1, 101):
        with pytest.raises(ValueError, match=f"smooth {frames}: expected a number of frames"):
            smoothed([], frames)


def test_track_writes_smoothed_boxes(tmp_path, capsys):
    video = write_video(tmp_path / "a.mp4", clip(8)[0])
    order = ["track", str(video), "--box", "60", "70", "40", "40", "--quiet"]
    rows = {}
    for frames in ("0", "2"):
        with pytest.raises(SystemExit) as end:
            main([*order, "--smooth", frames])
        assert end.value.code == 0
        lines = capsys.readouterr().out.splitlines()[1:]
        rows[frames] = np.array([[float(v) for v in line.split(",")[2:6]] for line in lines])
    plain = rows["0"]
    assert len(plain) == len(rows["2"]) == 8
    weights = {-2: 1, -1: 2, 0: 3, 1: 2, 2: 1}
    wanted = sum(weight * plain[2 + k : 6 + k] for k, weight in weights.items()) / 9
    np.testing.assert_allclose(rows["2"][2:6], wanted, atol=0.01)
    with pytest.raises(SystemExit) as end:
        main([*order, "--smooth", "101"])
    assert end.value.code == 2
