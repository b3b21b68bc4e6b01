"""What each kind of network is trained for: from the features of a batch to a loss."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from siamtrack.losses import LOSSES, Loss
from siamtrack.losses.counts import shared_count
from siamtrack.losses.labels import response_labels
from siamtrack.losses.tracking import tracking_loss
from siamtrack.models.siamfc import SiamFCConfig, SiamFCTracker
from siamtrack.models.tracking import BoxTracker
from siamtrack.training.batches import Batch
from siamtrack.training.config import TrainConfig

Network = BoxTracker | SiamFCTracker
Parts = dict[str, Tensor]
Objective = Callable[[Tensor, Tensor, Batch], Parts]
"""(template features (B, C, h, w), search features (B, C, H, W), batch) -> named scalars: `loss`,
with gradient, and others to watch."""

SHORT = {"contrastive": "contrastive_dense", "triplet": "triplet_dense"}


def build_network(config: TrainConfig) -> Network:
    """Build the network of a run, with random weights."""
    if isinstance(config.model, SiamFCConfig):
        return SiamFCTracker(config.model)
    return BoxTracker(config.model)


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
        box_head = network.head

        def box(template: Tensor, search: Tensor, batch: Batch) -> Parts:
            outputs = box_head(box_head.kernel(template, batch.size), search)
            return tracking_loss(outputs, batch.boxes, batch.present, stride, patch)

        return box

    head, loss = network.head, response_loss(config.loss)

    def response(template: Tensor, search: Tensor, batch: Batch) -> Parts:
        found = head(head.kernel(template), search)
        labels = response_labels(
            batch.boxes, batch.present, found.shape[-1], stride, patch, config.radius
        )
        return {"loss": loss(found, labels), "hit": _hits(found, labels)}

    return response


def _hits(response: Tensor, labels: Tensor) -> Tensor:
    """Share of the maps with a target whose highest cell is on it, shape ()."""
    best = response.detach().flatten(1).argmax(1)
    hit = labels.flatten(1).gather(1, best[:, None])[:, 0] == 1
    there = (labels == 1).flatten(1).any(1)
    return (hit & there).sum() / shared_count(there.sum(), response)
