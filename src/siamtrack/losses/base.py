"""What a loss is, the registry of all of them, and the checks and counts that they share."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from siamtrack.core.config import shown
from siamtrack.core.registry import Registry
from siamtrack.errors import UnknownNameError

RESPONSE_MAPS = "response maps"


class Loss(nn.Module):
    """A scalar to minimize, computed from a prediction and its target.

    Every loss of this package is called as `loss(prediction, target)` and returns a tensor of shape
    (). What the two arguments are is said by each loss. Where a batch holds nothing to learn from,
    the value is a zero that is still connected to the graph, so that `backward()` works.

    Attributes:
        dense: The form for response maps of a loss that takes something else; None: there is none,
            or it takes them itself.
        takes: What its predictions are, such as `response maps`, `distances` or `boxes`.
    """

    dense: ClassVar[type[Loss] | None] = None
    takes: ClassVar[str] = RESPONSE_MAPS

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss as a tensor of shape ().

        Raises:
            TypeError: If the prediction is not of a floating type, or identities are no integers.
            ValueError: If shapes do not fit, or a label or number is out of range.
        """
        raise NotImplementedError


LOSSES: Registry[Callable[..., Loss]] = Registry("loss", "siamtrack.losses")


def build_loss(
    name: str, arguments: Mapping[str, Any] | None = None, takes: str = RESPONSE_MAPS
) -> Loss:
    """Build a registered loss for a kind of predictions; a loss of pairs gives its dense form.

    Args:
        name: One of `LOSSES`.
        arguments: What it is built with, such as `{"margin": 2.0}`.
        takes: What it will be given, as in `Loss.takes`.

    Raises:
        UnknownNameError: If there is no such loss, or it has no such argument.
        ValueError: If it takes other predictions, or an argument has a value that it cannot have.
        PluginError: If one of a plug-in is no loss.

    Example:
        >>> build_loss("contrastive", {"margin": 2.0}).margin
        2.0
    """
    given = dict(arguments or {})
    made = LOSSES[name]
    if takes == RESPONSE_MAPS:
        made = getattr(made, "dense", None) or made
    plain = getattr(made, "__init__", None) is nn.Module.__init__  # takes anything, for mixins
    known = {} if plain else inspect.signature(made).parameters
    if not any(each.kind is each.VAR_KEYWORD for each in known.values()):
        for key in given:
            if key not in known:
                raise UnknownNameError(f"argument of the loss {name!r}", key, list(known))
    try:
        loss = made(**given)
    except (TypeError, ValueError) as error:
        raise ValueError(f"loss {name!r} with {shown(given)}: {error}") from error
    LOSSES.check_made(name, loss, "__call__")
    own = getattr(loss, "takes", RESPONSE_MAPS)
    if own != takes:
        fits = ", ".join(
            each
            for each, item in LOSSES.loadable()
            if getattr(getattr(item, "dense", None) or item, "takes", RESPONSE_MAPS) == takes
        )
        raise ValueError(
            f"loss {name!r} takes {own}, and the head gives {takes}: give one of {fits}, or "
            "another head"
        )
    return loss


def zero(prediction: Tensor) -> Tensor:
    """Return a zero of shape () whose gradient with respect to `prediction` is zero."""
    return (prediction * 0).sum()


def check_prediction(name: str, prediction: Tensor) -> None:
    """Refuse a prediction that is not of a floating type.

    Raises:
        TypeError: If it is not.
    """
    if not prediction.is_floating_point():
        raise TypeError(
            f"{name}: expected a prediction of a floating dtype, got {prediction.dtype}; "
            "call .float() on it"
        )


def check_same_shape(name: str, prediction: Tensor, target: Tensor) -> None:
    """Refuse a target whose shape is not that of the prediction.

    Raises:
        TypeError: If the prediction is not of a floating type.
        ValueError: If the shapes differ.
    """
    check_prediction(name, prediction)
    if prediction.shape != target.shape:
        raise ValueError(
            f"{name}: prediction has shape {tuple(prediction.shape)} and target "
            f"{tuple(target.shape)}; give one target for each prediction"
        )


def check_labels(name: str, labels: Tensor, allowed: Iterable[int]) -> None:
    """Refuse labels outside the allowed values.

    Raises:
        ValueError: If there is one; the message shows it.
    """
    values = tuple(allowed)
    known = torch.zeros_like(labels, dtype=torch.bool)
    for value in values:
        known |= labels == value
    if not bool(known.all()):
        wrong = labels[~known].flatten()[0].item()
        raise ValueError(
            f"{name}: expected labels out of {', '.join(map(str, values))}, got {wrong:g}"
        )


def check_response(name: str, response: Tensor, labels: Tensor) -> None:
    """Refuse a response map (B, ...) and label map that do not fit each other, naming the loss.

    Labels are 1 = target, 0 = background, -1 = not counted.

    Raises:
        TypeError: If the response is not of a floating type.
        ValueError: If the shapes differ, there is no batch dimension, or a label is another value.
    """
    check_same_shape(name, response, labels)
    if response.ndim < 2:
        raise ValueError(
            f"{name}: expected response maps (B, ...), got shape {tuple(response.shape)}; "
            "add the batch dimension"
        )
    check_labels(name, labels, (1, 0, -1))


def check_positive(name: str, setting: str, value: float) -> None:
    """Refuse a setting that is not above zero.

    Raises:
        ValueError: If it is not.
    """
    if not value > 0:
        raise ValueError(f"{name}: {setting} must be above 0, got {value:g}")


def balanced_mean(cost: Tensor, labels: Tensor) -> Tensor:
    """Average a cost (B, ...) so that target and background cells weigh one half each.

    In every sample, the mean over the target cells (label 1) and the mean over the background cells
    (0) are halved and added; a class that a sample lacks adds nothing, and -1 is not counted.

    Returns:
        The mean over the samples that have a counted cell, shape (); zero if none has.
    """
    cost, labels = cost.flatten(1), labels.flatten(1)
    halves = zero(cost)
    for value in (1, 0):
        mask = (labels == value).to(cost.dtype)
        halves = halves + 0.5 * ((cost * mask).sum(1) / mask.sum(1).clamp(min=1)).sum()
    return halves / shared_count((labels >= 0).any(1).sum(), cost)


Mean = Callable[[Tensor], Tensor]

_parts: ContextVar[tuple[Mean, int] | None] = ContextVar("parts of a batch", default=None)


@contextmanager
def counting(mean: Mean, parts: int) -> Iterator[None]:
    """Let losses inside divide by the `mean` of their counts, (), over the parts of a batch."""
    token = _parts.set((mean, parts))
    try:
        yield
    finally:
        _parts.reset(token)


def shared_count(count: Tensor | int, like: Tensor) -> Tensor:
    """Return what to divide a batch's sum by: its count, or inside `counting` the parts' mean.

    The mean over the parts of sum / shared count is then the sum of the whole batch over its count,
    as if it was computed at once, however unevenly the counted cells are spread. That of the whole
    batch counts as 1 at least; the result has device and floating dtype of `like`.
    """
    total = torch.as_tensor(count, device=like.device).detach().to(like.dtype)
    mean, parts = _parts.get() or (None, 1)
    return (total if mean is None else mean(total)).clamp(min=1 / parts)
