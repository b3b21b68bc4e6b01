"""Heads that answer with a response map, and SiamFC's: cross-correlation, scaled and shifted.

Fully-Convolutional Siamese Networks for Object Tracking, Bertinetto et al., 2016, equation 2,
https://arxiv.org/abs/1606.09549
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from siamtrack.core.settings import SIAMFC
from siamtrack.losses import Loss
from siamtrack.losses.base import build_loss, shared_count
from siamtrack.losses.response import response_labels
from siamtrack.losses.tracking import center_loss, center_map, overlap, sampled_map
from siamtrack.models.correlation import cross_correlation
from siamtrack.models.heads.head import (
    HEADS,
    TAUGHT_FROM,
    Head,
    Lesson,
    Objective,
    Pairs,
    Parts,
    Recipe,
    trained_as,
)


@trained_as("response")
class ResponseHead(Head):
    """A head whose call returns response maps (B, 1, H, W), unbounded.

    Cell (j, i) stands for a target whose center is at the patch pixel (stride * i + offset, stride
    * j + offset), with the offset that centers the grid in the patch.
    """

    kind = "response"
    settings = SIAMFC
    outputs = ("score", "features")

    def answer(self, kernel: Tensor, search: Tensor) -> tuple[Tensor, ...]:
        """Return the response (B, H, W), and the search feature (B, C, H', W') as it is."""
        return self(kernel, search)[:, 0], search

    def objective(self, recipe: Recipe, stride: int, patch: int) -> Objective:
        """Return what learns maps that are high within `radius` of the target's center.

        Parts are `loss` and `hit`, the share of the maps with a target whose highest cell is on it.
        With a teacher the maps also learn its score maps, or where its box is wrong a Gaussian
        around the target's center, by quality focal loss: `taught_map`, of weight `centers`.
        """
        loss = build_loss(recipe.loss, recipe.loss_arguments)

        def learn(
            template: Tensor, search: Tensor, pairs: Pairs, lesson: Lesson | None = None
        ) -> Parts:
            found = self(self.pair_kernel(template, pairs.size, len(search)), search)
            labels = response_labels(
                pairs.boxes, pairs.present, found.shape[-1], stride, patch, recipe.radius
            )
            parts = {"loss": loss(found, labels), "hit": hits(found, labels)}
            if lesson is not None:
                cells = found.shape[-1]
                plain = center_map(pairs.boxes, pairs.present, cells, stride, patch)
                theirs = sampled_map(lesson.score, cells, stride, patch)
                right = (overlap(lesson.box, pairs.boxes) > TAUGHT_FROM) & (pairs.present > 0)
                target = torch.where(right[:, None, None], theirs, plain)
                parts["taught_map"] = center_loss(found, target)
                parts["loss"] = parts["loss"] + recipe.centers * parts["taught_map"]
            return parts

        return learn


class SiamFCHead(ResponseHead):
    """response = scale * (kernel cross-correlated with search) + bias.

    Args:
        scale: Start of the scale; brings a sum over thousands of products into the range in which
            the logistic loss learns.
        bias: Start of the bias.
    """

    def __init__(self, scale: float = 1e-3, bias: float = 0.0) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(float(scale)))
        self.bias = nn.Parameter(torch.tensor(float(bias)))

    def forward(self, kernel: Tensor, search: Tensor) -> Tensor:
        """Match template features (B, C, h, w) with search features (B, C, H, W).

        Returns:
            Response maps (B, 1, H - h + 1, W - w + 1), unbounded.

        Raises:
            ValueError: If batch sizes or channels differ, or the template is the larger one.
        """
        return self.scale * cross_correlation(kernel, search) + self.bias


@HEADS.register("siamfc")
def siamfc(channels: int, template_cells: int, stride: int) -> SiamFCHead:
    """The head of SiamFC, whose response is the mean of the products in one correlation.

    The scale is one over their number, whatever backbone and width, so that responses start at a
    few units, where every loss learns. Only the bias is trained: the gradient of the scale is a sum
    over thousands of products, and one step could multiply the scale by hundreds.
    """
    head = SiamFCHead(scale=1 / (channels * template_cells**2))
    head.scale.requires_grad_(False)
    return head


def response_loss(name: str) -> Loss:
    """Return a loss of response maps by name; that of a loss of pairs gives its dense form.

    Raises:
        UnknownNameError: If there is no such loss.
    """
    return build_loss(name)


def hits(response: Tensor, labels: Tensor) -> Tensor:
    """Share of the maps with a target whose highest cell is on it, shape ().

    Args:
        response: (B, 1, H, W).
        labels: (B, 1, H, W): 1 on the target.
    """
    best = response.detach().flatten(1).argmax(1)
    hit = labels.flatten(1).gather(1, best[:, None])[:, 0] == 1
    there = (labels == 1).flatten(1).any(1)
    return (hit & there).sum() / shared_count(there.sum(), response)
