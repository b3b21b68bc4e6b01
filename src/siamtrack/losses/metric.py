"""Losses of distances: contrastive on pairs and on response maps, and triplets.

The contrastive loss is that of Hadsell, Chopra and LeCun; triplets come with a margin and mining in
the batch, and in the probabilistic form of tracking. Distances have a gradient that is finite
everywhere.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from siamtrack.losses.base import (
    LOSSES,
    Loss,
    balanced_mean,
    check_labels,
    check_positive,
    check_prediction,
    check_response,
    check_same_shape,
    shared_count,
    zero,
)


def safe_sqrt(x: Tensor) -> Tensor:
    """Square root of non-negative values whose gradient at zero is zero instead of infinite."""
    positive = x > 0
    root = torch.where(positive, x, torch.ones_like(x)).sqrt()
    return torch.where(positive, root, torch.zeros_like(x))


def euclidean(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distance of vectors (..., D), with gradient zero where the two are equal.

    Example:
        >>> euclidean(torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 4.0]]))
        tensor([5.])
    """
    return safe_sqrt((a - b).square().sum(-1))


def pairwise(embeddings: Tensor) -> Tensor:
    """Distances (N, N) between all pairs of N embeddings (N, D), computed from differences.

    The differences are formed explicitly, because |a|^2 + |b|^2 - 2ab loses all digits for near
    neighbors.
    """
    return euclidean(embeddings[:, None], embeddings[None])


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

    takes = "distances"

    def __init__(self, margin: float = 1.0) -> None:
        super().__init__()
        check_positive("contrastive loss", "margin", margin)
        self.margin = margin

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the mean cost of the pairs, shape ().

        Args:
            prediction: Distances D of the pairs, (N,), not negative; see `Network.distance`.
            target: Labels Y of the pairs, (N,), of any dtype: 0 = similar, 1 = dissimilar.
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
        """
        check_response("dense contrastive loss", prediction, target)
        dissimilar = (target == 0).to(prediction.dtype)
        cost = contrastive_cost(F.softplus(-prediction), dissimilar, self.margin)
        return balanced_mean(cost, target)


Mining = Literal["all", "hard", "semi-hard"]


@LOSSES.register("triplet")
class TripletLoss(Loss):
    """An anchor is nearer to its own kind than to others, by a margin.

    For an anchor a, a positive p of the same identity and a negative n of another, with Euclidean
    distances D::

        L = max(0, D(a, p) - D(a, n) + m)

    averaged over the triplets that the mining picks in the batch:

    - `all`: every triplet.
    - `hard`: for each anchor its farthest positive and its nearest negative. In Defense of the
      Triplet Loss, Hermans et al. 2017, https://arxiv.org/abs/1703.07737
    - `semi-hard`: for each anchor and positive the nearest negative that is farther away than the
      positive, but by less than the margin; pairs without such a negative are not counted. FaceNet,
      Schroff et al. 2015, https://arxiv.org/abs/1503.03832

    Args:
        margin: m, in the unit of the embeddings.
        mining: How triplets are picked.

    Example:
        >>> points = torch.tensor([[0.0], [1.0], [1.5]])
        >>> TripletLoss(margin=1.0)(points, torch.tensor([7, 7, 8]))  # (0.5 + 1.5) / 2
        tensor(1.)
    """

    takes = "embeddings"

    def __init__(self, margin: float = 0.2, mining: Mining = "hard") -> None:
        super().__init__()
        check_positive("triplet loss", "margin", margin)
        if mining not in get_args(Mining):
            raise ValueError(
                f"triplet loss: mining {mining!r} is none of {', '.join(get_args(Mining))}"
            )
        self.margin = margin
        self.mining = mining

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the mean over the mined triplets, shape (); zero if there is none.

        Args:
            prediction: Embeddings (N, D).
            target: Identities (N,), whole numbers; equal numbers are the same object.
        """
        self._check(prediction, target)
        if len(prediction) == 0:
            return zero(prediction)
        distance = pairwise(prediction)
        same = target[:, None] == target[None]
        itself = torch.eye(len(target), dtype=torch.bool, device=target.device)
        positive, negative = same & ~itself, ~same
        if self.mining == "hard":
            costs = self._hard(distance, positive, negative)
        else:
            costs = self._pairs(distance, positive, negative)
        return costs.mean() if len(costs) else zero(prediction)

    def _hard(self, distance: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Costs (T,) of the anchors that have both a positive and a negative."""
        farthest = distance.masked_fill(~positive, -torch.inf).amax(1)
        nearest = distance.masked_fill(~negative, torch.inf).amin(1)
        usable = positive.any(1) & negative.any(1)
        return F.relu(farthest[usable] - nearest[usable] + self.margin)

    def _pairs(self, distance: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Costs (T,) of the mined negatives of every anchor and positive."""
        anchors, others = positive.nonzero(as_tuple=True)
        near = distance[anchors, others][:, None]  # (P, 1)
        far, usable = distance[anchors], negative[anchors]  # (P, N)
        if self.mining == "all":
            return F.relu(near - far + self.margin)[usable]
        usable = usable & (far > near) & (far < near + self.margin)
        found = usable.any(1)
        nearest = far.masked_fill(~usable, torch.inf)[found].amin(1)
        return F.relu(near[found, 0] - nearest + self.margin)

    @staticmethod
    def _check(embeddings: Tensor, identities: Tensor) -> None:
        check_prediction("triplet loss", embeddings)
        if embeddings.ndim != 2 or identities.shape != embeddings.shape[:1]:
            raise ValueError(
                "triplet loss: expected embeddings (N, D) and identities (N,), got "
                f"{tuple(embeddings.shape)} and {tuple(identities.shape)}"
            )
        if identities.is_floating_point() or identities.is_complex():
            raise TypeError(
                f"triplet loss: expected identities of an integer dtype, got {identities.dtype}"
            )


@LOSSES.register("triplet_dense")
class DenseTripletLoss(Loss):
    """Every target cell of a response map outranks every background cell of the same map.

    With the M responses vp of the target cells and the N responses vn of the background cells, the
    probability that a pair is ranked rightly is e^vp / (e^vp + e^vn), and::

        L = -1 / (M N) * sum_ij log(e^vp_i / (e^vp_i + e^vn_j))

    The logistic loss of SiamFC looks at M + N cells one by one; this one at M N pairs. Triplet Loss
    in Siamese Network for Object Tracking, Dong and Shen, ECCV 2018,
    https://doi.org/10.1007/978-3-030-01261-8_28
    """

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the mean over the samples that have a pair, shape (); zero if none has.

        Arguments and errors are those of `DenseContrastiveLoss`.
        """
        check_response("dense triplet loss", prediction, target)
        costs = []
        for response, labels in zip(prediction, target, strict=True):
            positive, negative = response[labels == 1], response[labels == 0]
            if len(positive) and len(negative):
                # log(e^p / (e^p + e^n)) = -softplus(n - p)
                costs.append(F.softplus(negative[None] - positive[:, None]).mean())
        total = torch.stack(costs).sum() if costs else zero(prediction)
        return total / shared_count(len(costs), prediction)


ContrastiveLoss.dense, TripletLoss.dense = DenseContrastiveLoss, DenseTripletLoss
