from dataclasses import replace

import numpy as np
import pytest

from siamtrack.core.settings import TrackerSettings
from siamtrack.packages.card import Card, Model
from siamtrack.runtimes.base import Response
from siamtrack.tracking.crops import square_window
from siamtrack.tracking.decode import MOTIONS
from siamtrack.tracking.tracker import SiamTracker
from tests.helpers import clip


def card(kind, **settings):
    return Card(
        name="t", summary="", kind=kind, template=127, search=255, stride=8, sha256={},
        tracker=TrackerSettings(**settings),
    )  # fmt: skip


def box_response(row, column, distances):
    score = np.zeros((1, 25, 25), np.float32)
    score[0, row, column] = 1
    return Response(
        score,
        np.broadcast_to(np.float32(distances)[:, None, None], (4, 25, 25))[None],
        np.float32([2.0]),
    )


def test_box_at_the_best_cell():
    last = np.array([100.0, 50.0, 64.0, 64.0])
    window = square_window(132, 82, 255.0, 255)
    found = MOTIONS["box"](
        last, [window], box_response(12, 15, (30, 20, 34, 44)),
        card("box", window=0.0, penalty=0.0, size_rate=1.0),
    )  # fmt: skip
    # cell (12, 15) lies 24 px right of the middle; left 30 and right 34 make 64, top 20, bottom 44
    np.testing.assert_allclose(found.box, [132 + 24 - 30, 82 - 20, 64, 64], atol=1e-9)
    assert found.presence == 2.0


def test_size_follows_no_slower_than_the_floor_where_the_score_is_low():
    last = np.array([100.0, 50.0, 64.0, 64.0])
    response = box_response(12, 12, (64, 64, 64, 64))
    response = replace(response, score=response.score * np.float32(0.1))
    sides = [
        MOTIONS["box"](
            last, [square_window(132, 82, 255.0, 255)], response,
            card("box", window=0.0, penalty=0.0, size_rate=0.5, size_floor=floor),
        ).box[2]
        for floor in (0.0, 0.4)
    ]  # fmt: skip
    np.testing.assert_allclose(sides, [64 + 0.5 * 0.1 * 64, 64 + 0.5 * 0.4 * 64], rtol=1e-6)


def test_size_follows_slowly():
    last = np.array([100.0, 50.0, 64.0, 64.0])
    window = square_window(132, 82, 255.0, 255)
    found = MOTIONS["box"](
        last, [window], box_response(12, 12, (64, 64, 64, 64)),
        card("box", window=0.0, penalty=0.0, size_rate=0.25),
    )  # fmt: skip
    np.testing.assert_allclose(found.box[2:], [80, 80])
    np.testing.assert_allclose(found.box[:2] + found.box[2:] / 2, [132, 82])


def pyramid(maps):
    last = np.array([100.0, 50.0, 40.0, 20.0])
    windows = [square_window(120, 60, 127.5 * 1.05**k, 255) for k in (-1, 0, 1)]
    settings = {"window": 0.0, "penalty": 0.97, "size_rate": 0.5, "up": 16}
    return MOTIONS["response"](last, windows, Response(maps), card("response", **settings))


def test_pyramid_displacement():
    y, x = np.mgrid[:17, :17]
    bump = np.exp(-((x - 10) ** 2 + (y - 6) ** 2) / 4).astype(np.float32)
    found = pyramid(np.stack([0.5 * bump, bump, 0.5 * bump]))
    centre = found.box[:2] + found.box[2:] / 2
    # two cells of stride 8, seen at half scale
    np.testing.assert_allclose(centre, [120 + 8, 60 - 8], atol=0.3)
    np.testing.assert_allclose(found.box[2:], [40, 20])


def test_pyramid_takes_a_scale_that_wins_clearly_only():
    y, x = np.mgrid[:17, :17]
    bump = np.exp(-((x - 8) ** 2 + (y - 8) ** 2) / 4).astype(np.float32)
    slightly = pyramid(np.stack([0.9 * bump, bump, 1.02 * bump]))
    clearly = pyramid(np.stack([0.9 * bump, bump, 1.2 * bump]))
    np.testing.assert_allclose(slightly.box[2:], [40, 20])
    np.testing.assert_allclose(clearly.box[2:], np.array([40, 20]) * 1.025)


def test_penalty_holds_where_all_responses_are_negative():
    y, x = np.mgrid[:17, :17]
    bump = np.exp(-((x - 8) ** 2 + (y - 8) ** 2) / 4).astype(np.float32)
    slightly = pyramid(np.stack([bump - 4, bump - 4, bump - 3.99]))
    clearly = pyramid(np.stack([bump - 4, bump - 4, bump - 3.5]))
    np.testing.assert_allclose(slightly.box[2:], [40, 20])
    np.testing.assert_allclose(clearly.box[2:], np.array([40, 20]) * 1.025)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_no_box_from_a_response_that_is_not_finite(bad):
    maps = np.zeros((3, 17, 17), np.float32)
    maps[1, 3, 3] = bad
    assert pyramid(maps) is None
    response = box_response(3, 3, (1, 1, 1, 1))
    response.score[0, 0, 0] = bad
    window = square_window(10, 10, 255.0, 255)
    assert MOTIONS["box"](np.ones(4), [window], response, card("box")) is None


class CountingRuntime:
    """SiamFC's side of a runtime: notes how many windows it gets; the target stays."""

    def __init__(self):
        self.windows = []

    def embed(self, template, size):
        return np.zeros((len(template), 1, 1, 1), np.float32)

    def respond(self, kernel, search):
        self.windows.append(len(search))
        score = np.zeros((len(search), 5, 5), np.float32)
        score[:, 2, 2] = 1
        return Response(score)


@pytest.mark.parametrize(("every", "windows"), [(1, [3, 3, 3, 3]), (3, [3, 1, 1, 3])])
def test_other_scales_in_every_so_manieth_frame(every, windows):
    runtime = CountingRuntime()
    tracker = SiamTracker(Model(card("response", scale_every=every), runtime))
    pictures, boxes = clip(5)
    tracker.init(pictures[0], boxes[0])
    for picture in pictures[1:]:
        tracker.update(picture)
    assert runtime.windows == windows


def test_no_scale_every():
    with pytest.raises(ValueError, match="scale_every 0: expected a whole number from 1"):
        TrackerSettings(scale_every=0)


def test_a_response_that_overflows_between_its_cells_finds_nothing():
    score = np.zeros((1, 17, 17), np.float32)
    score[0, 8, 8:10] = 3e38  # the cubic curve between the two rises above float32
    windows = [square_window(50, 50, 255.0, 255)]
    settings = {"window": 0.0, "up": 16, "scales": 1}
    last = np.array([40.0, 40.0, 20.0, 20.0])
    assert MOTIONS["response"](last, windows, Response(score), card("response", **settings)) is None
