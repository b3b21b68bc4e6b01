"""The replay is the tracker, but for the grid; and the network is asked once."""

from dataclasses import replace

import numpy as np
import pytest

from siamtrack.errors import SiamtrackError
from siamtrack.packages.card import load_model
from siamtrack.tracking.tracker import SiamTracker
from siamtrack.tuning import EXACT, Clip, Grid, Replay, ResponseStore, changed
from tests.tuning.clips import moving


class Counted:
    """The network, and how many windows it was asked about."""

    def __init__(self, inner):
        self.inner, self.windows = inner, 0

    def embed(self, template, size):
        return self.inner.embed(template, size)

    def respond(self, kernel, search):
        self.windows += len(search)
        return self.inner.respond(kernel, search)


@pytest.fixture
def model():
    loaded = load_model("lite", threads=1, precision="float32")
    return replace(loaded, runtime=Counted(loaded.runtime))


@pytest.fixture
def clip():
    return Clip(moving(frames=6), 0, 6)


def really(model, clip, settings):
    tracker = SiamTracker(replace(model, card=replace(model.card, tracker=settings)))
    boxes = [tracker.init(clip.sequence[0], clip.truth[0]).box]
    return np.array(boxes + [tracker.update(clip.sequence[k]).box for k in range(1, 6)])


def test_without_a_grid_it_is_the_tracker(model, clip, tmp_path):
    plain = changed(model.card.tracker, {"online.weight": 0.0})
    replay = Replay(model, ResponseStore(tmp_path, model), EXACT)
    np.testing.assert_array_equal(replay.track(clip, plain), really(model, clip, plain))
    # features lose half their bits on the way
    learning = changed(model.card.tracker, {"online.weight": 0.5})
    np.testing.assert_allclose(
        replay.track(clip, learning), really(model, clip, learning), atol=0.5
    )


def test_what_is_known_is_not_asked_again_also_by_another_process(model, clip, tmp_path):
    settings = model.card.tracker
    replay = Replay(model, ResponseStore(tmp_path, model))
    first = replay.track(clip, settings)
    asked, read = model.runtime.windows, clip.sequence.frames.read
    assert asked >= 5
    np.testing.assert_array_equal(replay.track(clip, settings), first)
    assert model.runtime.windows == asked
    assert clip.sequence.frames.read == read
    assert replay.store.hit_rate == 0.5
    other = Replay(model, ResponseStore(tmp_path, model))
    assert len(other.store) == 5
    np.testing.assert_array_equal(other.track(clip, settings), first)
    assert other.store.hit_rate == 1.0


def test_a_full_store_changes_nothing(model, clip, tmp_path):
    settings = model.card.tracker
    free = Replay(model, ResponseStore(tmp_path / "a", model)).track(clip, settings)
    store = ResponseStore(tmp_path / "b", model, limit=100_000)
    np.testing.assert_array_equal(Replay(model, store).track(clip, settings), free)
    assert len(store) < 5
    assert sum(file.stat().st_size for file in store.folder.glob("*.records")) <= 100_000


def test_a_record_cut_short_is_not_read(model, clip, tmp_path):
    store = ResponseStore(tmp_path, model)
    Replay(model, store).track(clip, model.card.tracker)
    store.close()
    [records] = store.folder.glob("*.records")
    records.write_bytes(records.read_bytes()[:-10])
    assert len(ResponseStore(tmp_path, model)) == 4
    [index] = store.folder.glob("*.json")
    index.write_text("nonsense")
    with pytest.raises(SiamtrackError, match="no index of responses"):
        ResponseStore(tmp_path, model)


def test_another_model_has_another_folder(model, tmp_path):
    other = replace(model, card=replace(model.card, sha256={"search": "0"}))
    assert ResponseStore(tmp_path, model).folder != ResponseStore(tmp_path, other).folder


def test_windows_move_by_half_a_step_at_most():
    rng = np.random.default_rng(0)
    from siamtrack.tracking.crops import square_window

    grid = Grid(places=16, sizes=4)
    for cx, cy, side in rng.uniform(10, 300, (50, 3)):
        pyramid = [square_window(cx, cy, side * f, 255) for f in (0.96, 1.0, 1.04)]
        moved = grid.nearest(pyramid)
        middle = moved[1]
        assert abs(np.log2(middle.width / side)) <= 1 / 8 + 1e-9
        assert max(abs(middle.cx - cx), abs(middle.cy - cy)) <= middle.width / 32 + 1e-9
        assert [m.width / middle.width for m in moved] == pytest.approx([0.96, 1.0, 1.04])
    assert EXACT.nearest(pyramid) == pyramid
