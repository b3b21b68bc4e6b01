"""What the trainings of masks and of the refiner share: the loss of a mask, and a step."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from siamtrack.models.masks import Pyramid

FROZEN = 5
"""Blocks of the encoder that are not trained, beside its stem."""


def mask_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Mean of cross-entropy and of Milletari's overlap loss, https://arxiv.org/abs/1606.04797."""
    found = logits.sigmoid()
    shared = (found * truth).sum((1, 2))
    dice = 1 - (2 * shared + 1) / (found.sum((1, 2)) + truth.sum((1, 2)) + 1)
    return binary_cross_entropy_with_logits(logits, truth) + dice.mean()


class Learner:
    """Trains a network, and keeps the mean of its weights.

    The first blocks of the encoder and its statistics stay, the rest of it learns slower.

    Args:
        model: What is trained.
        rate: Rate of the decoder.
        slower: That of the encoder, as a share of it.
        memory: How much of the mean a step keeps, once there are enough steps.

    Attributes:
        average: The mean weights.
    """

    def __init__(self, model: Pyramid, rate: float, slower: float, memory: float) -> None:
        self.model, self.memory = model, memory
        for part in (model.encoder.stem, *model.encoder.blocks[:FROZEN]):
            part.requires_grad_(False)
        decoder = [p for n, p in model.named_parameters() if not n.startswith("encoder.")]
        encoder = [p for p in model.encoder.parameters() if p.requires_grad]
        self.trained = decoder + encoder
        groups = [{"params": decoder, "lr": rate}, {"params": encoder, "lr": slower * rate}]
        self.optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
        self._rates = [group["lr"] for group in self.optimizer.param_groups]
        self.average = {name: value.clone() for name, value in model.state_dict().items()}
        self.steps = 0

    def ready(self) -> None:
        """Put the network into the mode in which a step computes its loss."""
        self.model.train()
        self.model.encoder.eval()

    def step(self, loss: Tensor, share: float) -> None:
        """Take a step down a loss, with this share of the rates."""
        for group, rate in zip(self.optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * share
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.trained, 5.0)
        self.optimizer.step()
        self.steps += 1
        decay = min(self.memory, self.steps / (self.steps + 9))
        for name, value in self.model.state_dict().items():
            if value.dtype.is_floating_point:
                self.average[name].lerp_(value, 1 - decay)

    def save(self, folder: Path) -> None:
        """Write the mean weights to `checkpoint.pt` as a whole."""
        torch.save({"average": self.average, "step": self.steps}, folder / "checkpoint.part")
        (folder / "checkpoint.part").replace(folder / "checkpoint.pt")
