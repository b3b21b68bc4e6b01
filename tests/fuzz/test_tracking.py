"""Boxes, frames and networks of any kind: tracks are finite, or the argument is refused."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from siamtrack.core import boxes
from siamtrack.core.images import as_rgb
from siamtrack.errors import SiamtrackError
from siamtrack.packages.card import Model, model_folder, read_card
from siamtrack.runtimes.base import Response
from siamtrack.tracking.tracker import SiamTracker
from tests.fuzz.harness import case, fuzz

CARD = read_card(model_folder("lite"))
NUMBER = st.one_of(
    st.floats(), st.floats(-50, 200), st.integers(-10, 100), st.sampled_from([0, 1e-300, 1e300])
)
BOX = st.one_of(
    st.tuples(*[st.floats(-3, 4)] * 2, *[st.floats(0, 7)] * 2),
    st.tuples(*[st.integers(0, 3)] * 2, *[st.integers(1, 7)] * 2),
    st.tuples(NUMBER, NUMBER, NUMBER, NUMBER),
    st.lists(NUMBER, max_size=6) | st.none() | st.text(max_size=4) | st.complex_numbers(),
    st.just({}) | st.tuples(NUMBER, st.none(), NUMBER, st.text(max_size=2)),
)
FRAME = hnp.arrays(
    st.one_of(hnp.scalar_dtypes(), st.just(np.dtype(np.uint8)), st.just(np.dtype(object))),
    st.one_of(
        hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=7),
        st.tuples(st.integers(1, 7), st.integers(1, 7), st.sampled_from([1, 3, 4])),
    ),
)

PICTURE = hnp.arrays(np.uint8, st.tuples(st.integers(4, 8), st.integers(4, 8), st.just(3)))


class Answers:
    """A network that answers what a test gives it."""

    def __init__(self, value=0.5, rng=None):
        self.value, self.rng = value, rng

    def embed(self, template, size):
        return np.zeros((len(template), 1), np.float32)

    def respond(self, kernel, search):
        count, cells = len(search), CARD.search // CARD.stride

        def full(*shape):
            if self.rng is None:
                return np.full((count, *shape), self.value, np.float32)
            with np.errstate(over="ignore"):
                found = self.rng.normal(size=(count, *shape)) * 10.0 ** self.rng.integers(-40, 60)
                found = found.astype(np.float32)
            odd = self.rng.choice([np.nan, np.inf, -np.inf, 0.0], found.shape).astype(np.float32)
            return np.where(self.rng.random(found.shape) < self.value, odd, found)

        return Response(full(cells, cells), full(4, cells, cells), full(), full(2, cells, cells))


def tracker(runtime):
    return SiamTracker(Model(CARD, runtime), redetect=True)


@fuzz
@given(box=BOX, width=st.integers(1, 300), height=st.integers(1, 300))
def test_first_boxes(box, width, height):
    with case("first box", ValueError):
        found = boxes.check_box(box, width, height)
        assert found.shape == (4,)
        assert np.isfinite(found).all()
        assert boxes.iou(found, [0, 0, width, height]) >= 0


@fuzz
@given(hnp.arrays(np.float64, st.tuples(st.integers(0, 5), st.just(4))))
def test_functions_of_boxes(many):
    with case("functions of boxes"), np.errstate(all="ignore"):
        before = many.copy()
        overlap = boxes.iou(many, many[::-1])
        assert not (overlap > 1).any()
        assert not (overlap < 0).any()
        boxes.clip(many, 10, 10)
        boxes.center_error(many, many[::-1])
        np.testing.assert_array_equal(many, before)


@fuzz
@given(FRAME)
def test_frames(frame):
    with case("frame", ValueError, TypeError):
        found = as_rgb(frame)
        assert found.dtype == np.uint8
        assert found.ndim == 3
        assert found.shape[2] == 3
        assert found.flags.c_contiguous


@fuzz
@given(frame=FRAME | PICTURE, other=FRAME | PICTURE, box=BOX)
def test_first_frame_box_and_next_frame(frame, other, box):
    ours = tracker(Answers())
    with case("init and update", ValueError, TypeError, SiamtrackError):
        ours.init(frame, box)
        track = ours.update(frame)
        assert np.isfinite(track.box).all()
        ours.update(other)


@fuzz
@given(
    seed=st.integers(0, 2**32 - 1),
    odd=st.sampled_from([0.0, 0.001, 0.01, 0.5, 1.0]),
    prior=st.none() | BOX,
    kind=st.sampled_from(["box", "response"]),
)
def test_networks_that_answer_anything(seed, odd, prior, kind):
    """Not even a network of NaN and infinities gives a box that is not finite."""
    rng = np.random.default_rng(seed)
    ours = SiamTracker(Model(replace(CARD, kind=kind), Answers(odd, rng)), redetect=True)
    picture = rng.integers(0, 255, (60, 80, 3), dtype=np.uint8)
    with case("network of any answers", ValueError, SiamtrackError):
        ours.init(picture, (20, 20, 15, 10))
        for step in range(4):
            track = ours.update(picture, prior if step == 2 else None)
            assert np.isfinite(track.box).all()
            assert (track.box[2:] > 0).all()
            assert 0 <= track.score <= 1
