"""What a head is, what it asks of a training run, and the registry of all heads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, Protocol, TypeVar

from torch import Tensor, nn

from siamtrack.core.registry import Registry
from siamtrack.core.settings import TrackerSettings
from siamtrack.models.units import is_traced

TAUGHT_FROM = 0.5
"""IoU of a teacher's box with the true one from which on its score map is learned."""

Parts = dict[str, Tensor]
"""Named scalars: `loss`, with gradient, and others to watch."""
Objective = Callable[..., Parts]
"""(template features (B * K, C, h, w), search features (B, C, H, W), `Pairs`, `Lesson` or None) to
`Parts`; each pair has K templates, one after the other, whose kernels `Head.pair_kernel` joins."""


class Pairs(Protocol):
    """B pairs, apart from their pictures.

    Attributes:
        size: Width and height (B * K, 2) of the target as a share of the template's side.
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
    def objective(self) -> str: ...  # noqa: D102
    @property
    def loss(self) -> str: ...  # noqa: D102
    @property
    def loss_arguments(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def radius(self) -> float: ...  # noqa: D102
    @property
    def sides(self) -> float: ...  # noqa: D102
    @property
    def centers(self) -> float: ...  # noqa: D102
    @property
    def focus(self) -> float: ...  # noqa: D102


H = TypeVar("H", bound="Head")


class Head(nn.Module):
    """Matches a template with a search feature.

    Matching has two halves, so that the template's is computed once for a whole video: `kernel`
    turns the template's feature into the kernel, and the call matches a kernel with a search
    feature. What comes out is said by each head. One that trackers can use also sets the
    attributes, and says what its exported graph gives (`answer`) and what it learns (`objective`).

    Attributes:
        kind: How trackers read the answer: `box` or `response`; empty where none here does.
        settings: What a tracker starts from; a converted network has that of its project.
        outputs: Names of what `answer` returns, as in `siamtrack.runtimes.Graphs`.
        sized: Whether `kernel` needs the size of the target.
    """

    kind: ClassVar[Literal["box", "response", ""]] = ""
    settings: TrackerSettings = TrackerSettings()
    outputs: ClassVar[tuple[str, ...]] = ("score",)
    sized: ClassVar[bool] = False

    def kernel(self, template: Tensor, size: Tensor | None = None) -> Tensor:
        """Turn a template feature (B, C, h, w) into a kernel with the same first dimension.

        Args:
            template: The feature.
            size: Width and height of the target as a share of the patch's side (B, 2).
        """
        return template

    def pair_kernel(self, template: Tensor, size: Tensor | None, pairs: int) -> Tensor:
        """Turn template features (B * K, C, h, w) into one kernel for each of B `pairs`.

        The K templates of a pair lie one after the other. The kernel of one is `kernel`'s, those of
        several are `joined`.
        """
        kernels = self.kernel(template, size)
        if len(template) == pairs:
            return kernels
        return self.joined(kernels.reshape(pairs, -1, *kernels.shape[1:]))

    def joined(self, kernels: Tensor) -> Tensor:
        """Join the kernels (B, K, ...) of B targets to one each (B, ...): their mean."""
        return kernels.mean(1)

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
            UnknownNameError: If the recipe names a loss that there is not, or an argument that the
                loss does not have.
            ValueError: If the head learns by no such loss.
        """
        raise ValueError(
            f"{type(self).__name__} has no objective of its own: name one in `objective`"
        )


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


def objective_of(head: Head, recipe: Recipe, stride: int, patch: int) -> Objective:
    """Return what a head is trained for: the objective that the recipe names, or the head's own.

    Raises:
        UnknownNameError: If there is no such objective, loss or argument of the loss.
        ValueError: If head, objective and loss do not fit each other.
    """
    if not recipe.objective:
        return head.objective(recipe, stride, patch)
    return OBJECTIVES[recipe.objective](head, recipe, stride, patch)


def trained_as(name: str) -> Callable[[type[H]], type[H]]:
    """Return a decorator of classes of heads that registers their objective under `name`.

    What it registers raises ValueError for heads of another class.
    """

    def add(kind: type[H]) -> type[H]:
        def objective(head: Head, recipe: Recipe, stride: int, patch: int) -> Objective:
            if not isinstance(head, kind):
                raise ValueError(
                    f"objective {name!r} trains a {kind.__name__}, and the head is a "
                    f"{type(head).__name__}: give another head, or leave `objective` empty for "
                    "the head's own"
                )
            return kind.objective(head, recipe, stride, patch)

        OBJECTIVES.register(name)(objective)
        return kind

    return add


def refuse_loss(head: Head, recipe: Recipe) -> None:
    """Refuse a loss for a head that has a loss of its own.

    Raises:
        ValueError: If the recipe names one.
    """
    if recipe.loss not in ("", "logistic") or recipe.loss_arguments:
        raise ValueError(
            f"loss {recipe.loss!r} for a {type(head).__name__}: this head has a loss of its own; "
            "leave out `loss` and `loss_arguments`, or give a head that answers with response maps"
        )


OBJECTIVES: Registry[Callable[..., Objective]] = Registry("objective", "siamtrack.objectives")
"""Objectives, called as `OBJECTIVES[name](head, recipe, stride, patch)`, with the settings of the
run, the stride of the backbone and the side of the search patch, both in pixels."""

HEADS: Registry[Callable[..., Head]] = Registry("head", "siamtrack.heads")
"""Heads, built as `HEADS[name](channels, template_cells, stride)`: the channels of the backbone's
features, the cells along a side of the template feature, the stride of the backbone in pixels. A
network's structure also gives `width`, `depth`, `dense` and `extent` to heads that take them."""
