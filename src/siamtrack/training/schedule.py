"""What changes in the course of a run: the learning rate, and which stages train."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from torch import nn

from siamtrack.training.config import TrainConfig


def rate_factor(step: int, config: TrainConfig) -> float:
    """Return the factor of the peak learning rate in a step: warm-up, then cosine or log space.

    Example:
        >>> config = TrainConfig(steps=101, warmup=0.0, schedule="log", last_rate=1e-2)
        >>> [round(rate_factor(step, config), 4) for step in (0, 50, 100)]
        [1.0, 0.1, 0.01]
    """
    warm = int(config.steps * config.warmup + 1e-9)
    if config.warmup > 0:
        warm = max(1, warm)
    if step < warm:
        return (step + 1) / warm
    last = config.last_rate
    if config.schedule == "log":
        return float(last ** ((step - warm) / max(1, config.steps - 1 - warm)))
    wave = 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, config.steps - warm)))
    return last + (1 - last) * wave


def trained_stages(step: int, config: TrainConfig) -> int:
    """Return how many of the last backbone stages train in a step.

    Example:
        >>> config = TrainConfig(steps=10, unfreeze=((0.0, 1), (0.5, 3)))
        >>> [trained_stages(step, config) for step in (0, 4, 5, 9)]
        [1, 1, 3, 3]
    """
    fraction = step / config.steps
    return max((stages for at, stages in config.unfreeze if fraction >= at), default=0)


def set_trained(
    model: nn.Module, stages: Sequence[nn.Module], count: int, norms: Literal["frozen", "train"]
) -> None:
    """Let the last `count` stages of the model's backbone train, and freeze the others.

    Frozen stages get no gradient, so that the optimiser leaves them and their state alone, weight
    decay included; their batch norms use and keep their running statistics.

    Args:
        model: Network with a `backbone`; everything else in it trains.
        stages: `model.backbone.stages()`, from the input to the output.
        count: How many train.
        norms: Whether batch norms of stages that train learn their statistics.
    """
    model.train()
    backbone = model.backbone
    assert isinstance(backbone, nn.Module)
    backbone.eval()
    for index, stage in enumerate(stages):
        trains = index >= len(stages) - count
        if trains and norms == "train":
            stage.train()
        for parameter in stage.parameters():
            parameter.requires_grad_(trains)
