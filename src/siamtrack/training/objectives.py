"""What each kind of network is trained for: from the features of a batch to a loss."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from siamtrack.losses import LOSSES, Loss
from siamtrack.losses.center import center_loss, center_map, overlap, taught_map
from siamtrack.losses.counts import shared_count
from siamtrack.losses.labels import response_labels
from siamtrack.losses.tracking import tracking_loss
from siamtrack.models.siamfc import SiamFCConfig, SiamFCTracker
from siamtrack.models.tracking import BoxTracker
from siamtrack.training.batches import Batch, Lesson
from siamtrack.training.config import TrainConfig

Network = BoxTracker | SiamFCTracker
Parts = dict[str, Tensor]
Objective = Callable[..., Parts]
"""(template features (B, C, h, w), search features (B, C, H, W), batch) -> named scalars: `loss`,
with gradient, and others to watch."""

TAUGHT_FROM = 0.5
"""IoU of a teacher's box with the true one from which on its score map is learned."""
SHORT = {"contrastive": "contrastive_dense", "triplet": "triplet_dense"}


def build_network(config: TrainConfig) -> Network:
    """Build the network of a run, with random weights."""
    if isinstance(config.model, SiamFCConfig):
        return SiamFCTracker(config.model)
    return BoxTracker(config.model, config.companion)


def response_loss(name: str) -> Loss:
    """Return a loss of response maps by name; `contrastive` and `triplet` are the dense ones.

    Raises:
        UnknownNameError: If there is no such loss.
    """
    loss = LOSSES[SHORT.get(name, name)]()
    LOSSES.check_made(name, loss, "__call__")
    return loss


def objective(network: Network, config: TrainConfig) -> Objective:
    """Return what `network` is trained for."""
    stride, patch = network.backbone.stride, config.model.search
    if isinstance(network, BoxTracker):
        heads = [network.head]
        if network.companion is not None:
            heads.append(network.companion)

        def box(template: Tensor, search: Tensor, batch: Batch) -> Parts:
            parts: Parts = {}
            for index, head in enumerate(heads):
                outputs = head(head.kernel(template, batch.size), search)
                new = tracking_loss(
                    outputs[:3], batch.boxes, batch.present, stride, patch, config.sides
                )
                if len(outputs) > 3:
                    target = _centers(batch, batch.lesson, outputs[3].shape[-1], stride, patch)
                    new["center"] = center_loss(outputs[3], target)
                    new["loss"] = new["loss"] + config.centers * new["center"]
                if index == 0:
                    parts = new
                else:
                    parts["loss"] = parts["loss"] + new["loss"]
                    parts.update({f"{k}_{index}": v for k, v in new.items() if k != "loss"})
            return parts

        return box

    head, loss = network.head, response_loss(config.loss)

    def response(template: Tensor, search: Tensor, batch: Batch) -> Parts:
        found = head(head.kernel(template), search)
        labels = response_labels(
            batch.boxes, batch.present, found.shape[-1], stride, patch, config.radius
        )
        return {"loss": loss(found, labels), "hit": _hits(found, labels)}

    return response


def _centers(batch: Batch, lesson: Lesson | None, cells: int, stride: int, patch: int) -> Tensor:
    """Center maps (B, H, W) to learn: the teacher's where its box is right, else the boxes' own."""
    plain = center_map(batch.boxes, batch.present, cells, stride, patch)
    if lesson is None:
        return plain
    right = (overlap(lesson.box, batch.boxes) > TAUGHT_FROM) & (batch.present > 0)
    return torch.where(right[:, None, None], taught_map(lesson.score), plain)


def _hits(response: Tensor, labels: Tensor) -> Tensor:
    """Share of the maps with a target whose highest cell is on it, shape ()."""
    best = response.detach().flatten(1).argmax(1)
    hit = labels.flatten(1).gather(1, best[:, None])[:, 0] == 1
    there = (labels == 1).flatten(1).any(1)
    return (hit & there).sum() / shared_count(there.sum(), response)
