from dataclasses import replace

import numpy as np

import siamtrack
from siamtrack.core.settings import TrackerSettings
from siamtrack.core.tracks import TrackState
from siamtrack.packages.card import Model, load_model
from siamtrack.runtimes.base import Response

RED = np.array([230, 20, 20], np.uint8)


class SeesRed:
    """A network whose score is how red a cell is, so that nothing here depends on weights."""

    def embed(self, template, size):
        return np.zeros((len(template), 1), np.float32)

    def respond(self, kernel, search):
        count, side = len(search), search.shape[1]
        cells = np.stack([search[:, k::16, :][:, :, k::16][:, :16, :16] for k in (0, 8)]).mean(0)
        red = (np.abs(cells - RED).sum(-1) < 60).astype(np.float32)
        distances = np.full((count, 4, *red.shape[1:]), side / 8, np.float32)
        presence = np.where(red.any((1, 2)), 6.0, -6.0).astype(np.float32)
        return Response(red, distances, presence)


def moved(place):
    """A gray picture with a red square of 40 pixels at `place` (left, top), or without it."""
    picture = np.full((480, 640, 3), 90, np.uint8)
    if place is not None:
        x, y = place
        picture[y : y + 40, x : x + 40] = RED
    return picture


def test_finds_a_target_again_that_returns_elsewhere_only_if_asked():
    start, back = (60, 70), (540, 380)
    card = replace(load_model(threads=1).card, tracker=TrackerSettings())
    found = {}
    for redetect in (False, True):
        tracker = siamtrack.SiamTracker(Model(card, SeesRed()), redetect=redetect)
        tracker.init(moved(start), (*start, 40, 40))
        assert tracker.update(moved(start)).state is TrackState.TRACKED
        gone = [tracker.update(moved(None)) for _ in range(8)]
        assert {track.state for track in gone} == {TrackState.LOST}
        for _ in range(40):
            track = tracker.update(moved(back))
        found[redetect] = np.abs(track.box[:2] + track.box[2:] / 2 - np.array(back) - 20).max()
        assert (track.state is TrackState.TRACKED) == redetect
    assert found[True] < 20
    assert found[False] > 200
