"""The contrastive loss of Hadsell, Chopra and LeCun, on pairs and densely on response maps."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from siamtrack.losses.base import (
    LOSSES,
    Loss,
    balanced_mean,
    check_labels,
    check_positive,
    check_response,
    check_same_shape,
    zero,
)


def contrastive_cost(distance: Tensor, dissimilar: Tensor, margin: float) -> Tensor:
    """Cost of each pair: (1 - Y)/2 D^2 + Y/2 max(0, margin - D)^2, in the shape of `distance`."""
    pull = 0.5 * distance.square()
    push = 0.5 * F.relu(margin - distance).square()
    return (1 - dissimilar) * pull + dissimilar * push


@LOSSES.register("contrastive")
class ContrastiveLoss(Loss):
    """Pull similar pairs together, push dissimilar ones out of a margin.

    With the distance D of a pair and its label Y, 0 for a similar and 1 for a dissimilar pair::

        L = (1 - Y) / 2 * D^2  +  Y / 2 * max(0, m - D)^2

    averaged over the pairs. Dimensionality Reduction by Learning an Invariant Mapping, CVPR 2006,
    equation 4, https://doi.org/10.1109/CVPR.2006.100

    Args:
        margin: The radius m around a point within which dissimilar points push it, in the unit of
            the distances.

    Example:
        >>> import torch
        >>> distance, label = torch.tensor([0.5, 0.5]), torch.tensor([0, 1])
        >>> ContrastiveLoss(margin=1.0)(distance, label)
        tensor(0.1250)
    """

    def __init__(self, margin: float = 1.0) -> None:
        super().__init__()
        check_positive("contrastive loss", "margin", margin)
        self.margin = margin

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the mean cost of the pairs, shape ().

        Args:
            prediction: Distances D of the pairs, (N,), not negative; see `Network.distance`.
            target: Labels Y of the pairs, (N,), of any dtype: 0 = similar, 1 = dissimilar.

        Raises:
            TypeError: If the distances are not of a floating type.
            ValueError: If shapes differ, a label is neither 0 nor 1, or a distance is negative.
        """
        name = "contrastive loss"
        check_same_shape(name, prediction, target)
        check_labels(name, target, (0, 1))
        if prediction.numel() == 0:
            return zero(prediction)
        if bool((prediction < 0).any()):
            raise ValueError(
                f"{name}: expected distances, which are not negative, got "
                f"{prediction.min().item():g}; for response maps use 'contrastive_dense'"
            )
        return contrastive_cost(prediction, target.to(prediction.dtype), self.margin).mean()


@LOSSES.register("contrastive_dense")
class DenseContrastiveLoss(Loss):
    """The contrastive loss at every cell of a response map.

    A response is a similarity r of any sign, so its distance is taken as D = log(1 + exp(-r)): near
    0 for a strong response, near -r for a strong rejection, smooth between. The cost of a cell is
    Hadsell's (see `ContrastiveLoss`) with Y = 1 - label, and target and background weigh one half
    each, as in SiamFC.

    Args:
        margin: Background cells push until their distance exceeds it; in units of the response.
    """

    def __init__(self, margin: float = 3.0) -> None:
        super().__init__()
        check_positive("dense contrastive loss", "margin", margin)
        self.margin = margin

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the balanced mean cost of the cells, shape ().

        Args:
            prediction: Response maps (B, 1, H, W).
            target: Of the same shape and any dtype; 1 = target, 0 = background, -1 = not counted.

        Raises:
            TypeError: If the response is not of a floating type.
            ValueError: If the shapes differ or a label is another value.
        """
        check_response("dense contrastive loss", prediction, target)
        dissimilar = (target == 0).to(prediction.dtype)
        cost = contrastive_cost(F.softplus(-prediction), dissimilar, self.margin)
        return balanced_mean(cost, target)
