"""What a head is, what it asks of a training run, and the registry of all heads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal, Protocol

from torch import Tensor, nn

from siamtrack.core.registry import Registry
from siamtrack.core.settings import TrackerSettings
from siamtrack.models.units import is_traced

Parts = dict[str, Tensor]
"""Named scalars: `loss`, with gradient, and others to watch."""
Objective = Callable[..., Parts]
"""(template features (B, C, h, w), search features (B, C, H, W), `Pairs`, `Lesson` or None) to
`Parts`."""


class Pairs(Protocol):
    """What is known of B pairs beside their pictures.

    Attributes:
        size: Width and height (B, 2) of the target as a share of the template's side.
        boxes: Targets ltwh (B, 4) in search pixels; zeros where there is none.
        present: Whether the target is in the search patch (B,), 0 or 1.
    """

    @property
    def size(self) -> Tensor: ...  # noqa: D102
    @property
    def boxes(self) -> Tensor: ...  # noqa: D102
    @property
    def present(self) -> Tensor: ...  # noqa: D102


class Lesson(Protocol):
    """What a teacher answers to B pairs.

    Attributes:
        score: Its score map (B, s, s) in [0, 1]; cell (j, i) covers the search pixels from
            stride * i and stride * j on.
        box: Its best box ltwh (B, 4) in search pixels.
    """

    @property
    def score(self) -> Tensor: ...  # noqa: D102
    @property
    def box(self) -> Tensor: ...  # noqa: D102


class Recipe(Protocol):
    """The settings of a run that objectives read; see `siamtrack.training.TrainConfig`."""

    @property
    def loss(self) -> str: ...  # noqa: D102
    @property
    def radius(self) -> float: ...  # noqa: D102
    @property
    def sides(self) -> float: ...  # noqa: D102
    @property
    def centers(self) -> float: ...  # noqa: D102
    @property
    def focus(self) -> float: ...  # noqa: D102


class Head(nn.Module):
    """Matches a template with a search feature.

    Matching has two halves, so that the template's is computed once for a whole video: `kernel`
    turns the template's feature into the kernel, and the call matches a kernel with a search
    feature. What comes out is said by each head. One that trackers can use also sets the
    attributes, and says what its exported graph gives (`answer`) and what it learns (`objective`).

    Attributes:
        kind: How trackers read the answer: `box` or `response`; empty where none here does.
        settings: What a tracker starts from.
        outputs: Names of what `answer` returns, as in `siamtrack.runtimes.Graphs`.
        sized: Whether `kernel` needs the size of the target.
    """

    kind: ClassVar[Literal["box", "response", ""]] = ""
    settings: ClassVar[TrackerSettings] = TrackerSettings()
    outputs: ClassVar[tuple[str, ...]] = ("score",)
    sized: ClassVar[bool] = False

    def kernel(self, template: Tensor, size: Tensor | None = None) -> Tensor:
        """Turn a template feature (B, C, h, w) into a kernel with the same first dimension.

        Args:
            template: The feature.
            size: Width and height of the target as a share of the patch's side (B, 2).
        """
        return template

    def forward(self, kernel: Tensor, search: Tensor) -> Any:
        """Match a kernel with a search feature (B, C, H, W)."""
        raise NotImplementedError

    def answer(self, kernel: Tensor, search: Tensor) -> tuple[Tensor, ...]:
        """Match as a call does, and return what the exported search graph gives: `outputs`."""
        raise NotImplementedError(f"{type(self).__name__} gives no answer that a tracker reads")

    def objective(self, recipe: Recipe, stride: int, patch: int) -> Objective:
        """Return what this head is trained for.

        Args:
            recipe: Settings of the run.
            stride: Stride of the backbone in pixels.
            patch: Side of the search patch in pixels.

        Raises:
            UnknownNameError: If the recipe names a loss that there is not.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot be trained here")


def check_feature(feature: Tensor, channels: int, smallest: int = 1) -> None:
    """Refuse features that a head was not built for.

    Args:
        feature: What was given.
        channels: Channels that the head was built for.
        smallest: Least side in cells.

    Raises:
        ValueError: If it is not (B, channels, H, W) with sides of at least `smallest`.
    """
    if is_traced():
        return  # sizes are symbols there
    shape = tuple(feature.shape)
    if len(shape) != 4 or shape[1] != channels or min(shape[2:]) < smallest:
        least = f" with H and W of at least {smallest}" if smallest > 1 else ""
        raise ValueError(f"expected features (B, {channels}, H, W){least}, got shape {shape}")


HEADS: Registry[Callable[..., Head]] = Registry("head", "siamtrack.heads")
"""Heads, built as `HEADS[name](channels, template_cells, stride)`: the channels of the backbone's
features, the cells along a side of the template feature, the stride of the backbone in pixels. A
network's structure also gives `width`, `depth`, `dense` and `extent` to heads that take them."""
