"""Which template a target is compared with, while it turns, is covered, and comes back."""

import numpy as np
import pytest

from siamtrack.core.settings import RecentSettings
from siamtrack.tracking.templates import Look, Templates

SETTINGS = RecentSettings(share=0.5, every=3, again=6)
FIRST = np.ones((1, 4, 2), np.float32)
SURE, UNSURE, LOST, KNOWN, STRANGE = 0.99, 0.85, 0.1, 0.8, 0.2


class Run:
    """Templates of a target whose looks are numbered by the frame in which they were taken."""

    def __init__(self, settings=SETTINGS):
        self.templates, self.frame, self.embedded = Templates(settings, FIRST), 0, []

    def see(self, score, familiarity=KNOWN, frames=1):
        for _ in range(frames):
            self.frame += 1
            if self.templates.saw(score, familiarity):
                self.templates.renew(self.look, self.joined)
        return self

    def look(self):
        return Look(np.full((8, 8, 3), self.frame, np.uint8), np.ones((1, 2), np.float32))

    def joined(self, first, look):
        self.embedded.append(int(look.patch[0, 0, 0]))
        return first * 10 + self.embedded[-1]

    @property
    def with_look(self):
        """Frame of the look that is joined to the first template; None if that is alone."""
        kernel = self.templates.kernel
        return None if kernel is FIRST else int(kernel[0, 0, 0]) - 10


def test_a_target_that_is_surely_seen_keeps_its_first_template_and_embeds_nothing():
    run = Run().see(SURE, frames=50)
    assert run.with_look is None
    assert run.embedded == []


def test_a_target_that_turns_is_compared_with_how_it_looked_last_as_well():
    run = Run().see(SURE, frames=8).see(UNSURE).see(0.7)
    assert run.with_look == 3  # that of frame 6 was not proved yet


def test_a_look_that_may_show_what_covers_the_target_does_not_count():
    run = Run().see(SURE, frames=6).see(UNSURE).see(SURE, frames=2).see(LOST)
    assert run.with_look == 3
    run = Run().see(SURE, frames=4).see(SURE, STRANGE).see(SURE, frames=4).see(LOST)
    assert run.with_look is None


def test_the_first_template_is_tried_alone_when_the_target_has_been_seen_for_a_while():
    run = Run().see(SURE, frames=6).see(LOST)
    assert run.with_look == 3
    run.see(SURE, frames=5)
    assert run.with_look is not None
    run.see(SURE)
    assert run.with_look is None
    run.see(0.5)
    assert run.with_look is not None


def test_the_recent_look_follows_a_target_that_goes_on_turning():
    run = Run(RecentSettings(share=0.5, every=3, again=100)).see(SURE, frames=6).see(LOST)
    run.see(SURE, frames=20)
    assert run.with_look == run.frame - 5
    assert run.embedded == sorted(run.embedded)


def test_a_target_that_was_never_sure_has_no_recent_look():
    assert Run().see(UNSURE, frames=40).see(LOST, frames=5).with_look is None


def test_a_look_without_a_finite_kernel_changes_nothing():
    run = Run().see(SURE, frames=6)
    run.joined = lambda first, look: None
    assert run.see(LOST).with_look is None


def test_cells_of_joined_kernels_stay_as_long_as_they_were(model_of_boxes):
    decoder = model_of_boxes
    rng = np.random.default_rng(0)
    first, recent = rng.normal(size=(2, 1, 6, 8)).astype(np.float32)
    joined = decoder.mixed(first, recent, 0.25)
    lengths = [np.linalg.norm(each[0, :4], axis=1) for each in (first, recent, joined)]
    np.testing.assert_allclose(lengths[2], 0.75 * lengths[0] + 0.25 * lengths[1], rtol=1e-5)
    np.testing.assert_allclose(joined[0, 4:], (0.75 * first + 0.25 * recent)[0, 4:], rtol=1e-6)
    assert joined.dtype == np.float32
    np.testing.assert_allclose(decoder.mixed(first, first, 0.25), first, rtol=1e-5)
    # A SiamRPN's is a filter: no part of it is a cell, or the size of the box
    first, recent = rng.normal(size=(2, 1, 8, 6, 5)).astype(np.float32)
    joined = decoder.mixed(first, recent, 0.25)
    np.testing.assert_allclose(joined, 0.75 * first + 0.25 * recent, rtol=1e-6)


@pytest.fixture
def model_of_boxes():
    from siamtrack.packages.card import load_model
    from siamtrack.tracking.decode import DECODERS

    card = load_model("lite").card
    return DECODERS[card.kind](card)
