"""The settings of a tracker: everything between the network's response and the box."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from siamtrack.core.config import check_numbers
from siamtrack.core.tracks import TrackState

LEAST_AREA = 0.1
"""A template window is no smaller a multiple of the square root of the area of its box."""


def check_area(area: float) -> None:
    """Raise `ValueError` for a window that is too small, but for 0, which means none."""
    if 0 < area < LEAST_AREA:
        raise ValueError(f"area {area}: expected 0 (off) or at least {LEAST_AREA}")


@dataclass(frozen=True)
class PresenceSettings:
    """What the presence logit means.

    Attributes:
        slope: The score is sigmoid(slope * logit + offset), fitted on data not used for training.
        offset: See `slope`.
        lost_below: Below this score the target is lost.
        tracked_from: From this score on it is tracked; in between it is uncertain.
        patience: Frames in a row that a target is lost before more of the frame is searched.
        hold: Frames in a row that a target is lost, and unfamiliar to the online classifier, before
            its box goes back to where it was last seen, with its size of then, and stays until the
            target returns; 0: never.
        familiar: Score of the online classifier from which on what stands in the box is familiar,
            in [0, 1].
    """

    slope: float = 1.0
    offset: float = 0.0
    lost_below: float = 0.25
    tracked_from: float = 0.5
    patience: int = 3
    hold: int = 0
    familiar: float = 0.3

    def __post_init__(self) -> None:
        check_numbers(
            self,
            slope=(-1e6, 1e6),
            offset=(-1e6, 1e6),
            patience=(0, 2**31),
            hold=(0, 2**31),
            familiar=(0, 1),
        )
        if not 0 <= self.lost_below <= self.tracked_from <= 1:
            raise ValueError(
                f"lost_below {self.lost_below} and tracked_from {self.tracked_from}: expected "
                "0 <= lost_below <= tracked_from <= 1"
            )

    def score(self, logit: float) -> float:
        """Turn a presence logit into the score in [0, 1].

        Example:
            >>> PresenceSettings().score(0.0)
            0.5
        """
        value = min(max(self.slope * logit + self.offset, -60.0), 60.0)
        return 1 / (1 + math.exp(-value))

    def state(self, score: float) -> TrackState:
        """Return what a score means.

        Example:
            >>> PresenceSettings().state(0.3)
            <TrackState.UNCERTAIN: 'uncertain'>
        """
        if score < self.lost_below:
            return TrackState.LOST
        return TrackState.TRACKED if score >= self.tracked_from else TrackState.UNCERTAIN


@dataclass(frozen=True)
class OnlineSettings:
    """The classifier that learns while tracking; see `siamtrack.tracking.online`.

    Attributes:
        weight: Share of its scores in the response, in [0, 1]; 0 switches it off.
        rate: Weight of a new frame against all before it, in [0, 1].
        ridge: Regularisation, as a share of the mean squared feature.
        learn_from: Score in [0, 1] from which on a frame is learned.
        every: Learn from every n-th frame, which then weighs as much as n frames.
    """

    weight: float = 0.0
    rate: float = 0.02
    ridge: float = 0.1
    learn_from: float = 0.5
    every: int = 1

    def __post_init__(self) -> None:
        check_numbers(
            self, weight=(0, 1), rate=(0, 1), learn_from=(0, 1), ridge=(1e-9, 1e6), every=(1, 2**31)
        )

    @property
    def share(self) -> float:
        """Weight of a frame that is learned against all before it, in [0, 1].

        Example:
            >>> round(OnlineSettings(rate=0.1, every=2).share, 6)
            0.19
        """
        return 1 - (1 - self.rate) ** self.every


@dataclass(frozen=True)
class MotionSettings:
    """What the motion so far says of the next frame; see `siamtrack.tracking.target.Motion`.

    Attributes:
        weight: Share of it in the choice of a cell, in [0, 1], in place of the cosine window; 0
            switches it off.
        spread: Least standard deviation around the expected place, in sizes of the target.
        reach: The deviation as a multiple of how far the target has lately been from where it was
            expected.
        follow: Share of the velocity that is expected to last, in [0, 1].
        camera: Whether the motion of the whole frame is measured, and each target is expected to
            take part in it as far as it did before; for cameras that shake or turn.
    """

    weight: float = 0.0
    spread: float = 0.6
    reach: float = 3.0
    follow: float = 0.8
    camera: bool = False

    def __post_init__(self) -> None:
        check_numbers(self, weight=(0, 1), spread=(0.05, 10), reach=(0, 100), follow=(0, 1))


@dataclass(frozen=True)
class RecentSettings:
    """The recent template beside the first; see `siamtrack.tracking.templates`.

    Attributes:
        share: Share of the recent template while it helps out, in [0, 1]; 0 switches it off.
        below: Below this score of a frame it joins the first.
        sure: From this score on the target is surely seen, in [0, 1].
        familiar: Score of the online classifier from which on the box may be looked at, in [0, 1].
        every: A look is taken in every n-th frame in a row in which the target is surely seen.
        again: Sure frames in a row after which the first template is tried alone.
    """

    share: float = 0.0
    below: float = 0.8
    sure: float = 0.9
    familiar: float = 0.5
    every: int = 10
    again: int = 20

    def __post_init__(self) -> None:
        check_numbers(
            self,
            share=(0, 1),
            below=(0, 1),
            sure=(0, 1),
            familiar=(0, 1),
            every=(1, 2**31),
            again=(1, 2**31),
        )


@dataclass(frozen=True)
class RefineSettings:
    """Boxes measured anew by the refiner of a model; see `siamtrack.tracking.refine`.

    Attributes:
        weight: Share of the measured box in the one that is returned where the score is 1, in
            [0, 1]. The next frame is searched around the tracker's own box all the same.
        doubt: The same where the score is 0: a target that has changed scores low, and then the
            tracker's own box is worth less. Both 0 switch the refiner off.
        keep: How many recent frames the refiner remembers beside the first.
        every: Remember one frame in so many, in frames.
        sure: Least score in [0, 1] of a frame that is remembered.
        feed: Share of the measured size that the tracker itself takes over where the score is 1,
            in [0, 1]: for heads that measure no width and height of their own.
    """

    weight: float = 0.0
    doubt: float = 0.0
    keep: int = 0
    every: int = 10
    sure: float = 0.7
    feed: float = 0.0

    def __post_init__(self) -> None:
        check_numbers(self, weight=(0, 1), doubt=(0, 1), sure=(0, 1), feed=(0, 1))
        check_numbers(self, keep=(0, 16), every=(1, 10_000))

    @property
    def on(self) -> bool:
        """Whether boxes are measured at all."""
        return self.weight > 0 or self.doubt > 0

    def share(self, score: float) -> float:
        """Return the share of the measured box where a track has this score, in [0, 1].

        Example:
            >>> round(RefineSettings(weight=0.25, doubt=0.75).share(0.5), 3)
            0.5
        """
        return self.doubt + (self.weight - self.doubt) * score


@dataclass(frozen=True)
class TrackerSettings:
    """How a tracker reads the response of a model.

    Attributes:
        context: Context around the box, as a share of width + height.
        area: Side of the template window as a multiple of the square root of the box's area; 0: as
            `context` says.
        window: Weight of the cosine window in [0, 1].
        penalty: Strength of the penalty on changes of size and aspect (box head), or the factor of
            the scales other than 1 (SiamFC).
        size_rate: Share of a new size that is taken, times score and penalty for a box head.
        size_floor: Least score that `size_rate` is taken times: a target that looks unlike its
            template scores low for long, and its size must follow all the same (box head only; not
            with re-detection).
        scales: Number of scales searched (SiamFC only).
        scale_step: Factor between two scales (SiamFC only).
        scale_every: The other scales are searched in every n-th frame (SiamFC only).
        up: Factor by which the response is enlarged before its peak is read (SiamFC only).
        smallest: Least side of a box in pixels.
        presence: What the score means.
        online: The classifier that learns while tracking; for models that give features.
        motion: What the motion so far says of the next frame.
        recent: A recent template beside the first (box head with an online classifier only).
        refine: Boxes measured anew (models with a refiner only).
        rim: Cells beyond the response at which the cosine window reaches zero; 0: it is zero in the
            outermost cells, as in the released trackers of SiamFC and SiamRPN.
    """

    context: float = 0.5
    area: float = 0.0
    window: float = 0.1
    penalty: float = 0.05
    size_rate: float = 0.6
    size_floor: float = 0.0
    scales: int = 3
    scale_step: float = 1.0375
    scale_every: int = 1
    up: int = 16
    smallest: float = 3.0
    presence: PresenceSettings = field(default_factory=PresenceSettings)
    online: OnlineSettings = field(default_factory=OnlineSettings)
    motion: MotionSettings = field(default_factory=MotionSettings)
    recent: RecentSettings = field(default_factory=RecentSettings)
    refine: RefineSettings = field(default_factory=RefineSettings)
    rim: int = 1

    def __post_init__(self) -> None:
        check_numbers(
            self,
            context=(0, 10),
            area=(0, 10),
            window=(0, 1),
            rim=(0, 1000),
            penalty=(0, 100),
            size_rate=(0, 1),
            size_floor=(0, 1),
            scales=(1, 25),
            scale_step=(1, 2),
            scale_every=(1, 2**31),
            up=(1, 64),
            smallest=(1e-3, 1e4),
        )
        check_area(self.area)
        if self.scales % 2 == 0 or self.scale_step == 1:
            raise ValueError(
                f"scales {self.scales} and scale_step {self.scale_step}: expected an odd number, "
                "and a factor above 1"
            )


SIAMRPN = TrackerSettings(window=0.4, penalty=0.16, size_rate=0.3)
"""What a SiamRPN starts from: the settings of SiamRPN++ on AlexNet, before any tuning."""
SIAMFC = TrackerSettings(window=0.35, penalty=0.9745, size_rate=0.59)
"""What a SiamFC starts from: the settings in the code of SiamDW before any tuning."""
