"""Training a `BoxTracker` on hard pairs: one loop, read from top to bottom."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from siamtrack.config import to_dict
from siamtrack.data.pairs import Pair, PairConfig, PairSampler
from siamtrack.losses.tracking import tracking_loss
from siamtrack.models.tracking import BoxTracker, BoxTrackerConfig
from siamtrack.training.teacher import Teacher

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainConfig:
    """One run.

    Attributes:
        model: Structure of the network.
        pairs: How pairs are drawn.
        steps: Optimiser steps in all.
        batch: Pairs a step.
        rate: Peak learning rate of the head (AdamW); cosine to zero after a linear warm-up.
        backbone_rate: Factor of the learning rate for backbone stages that train.
        unfreeze: (fraction of the run, number of last backbone stages that train from then on).
            Batch statistics of the backbone stay frozen throughout.
        decay: Weight decay.
        clip: Largest norm of the gradient.
        average: Decay of the moving average of the weights, which is what gets saved.
        save_every: Seconds between two checkpoints.
        loaders: Threads that prepare pairs.
        seed: Seed of pairs and of the initial weights.
        imagenet: Start the backbone from ImageNet weights.
        initial: Checkpoint of an earlier run whose averaged weights start this one; empty: none.
        teacher: ONNX file of a network whose features the backbone learns as well; empty: none.
        teaching: Weight of that part of the loss.
    """

    model: BoxTrackerConfig = field(default_factory=BoxTrackerConfig)
    pairs: PairConfig = field(default_factory=PairConfig)
    steps: int = 3000
    batch: int = 32
    rate: float = 1e-3
    backbone_rate: float = 0.1
    unfreeze: tuple[tuple[float, int], ...] = ((0.0, 0), (0.3, 6))
    decay: float = 1e-4
    clip: float = 5.0
    average: float = 0.998
    save_every: float = 120.0
    loaders: int = 2
    seed: int = 0
    imagenet: bool = True
    initial: str = ""
    teacher: str = ""
    teaching: float = 1.0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1 or self.rate <= 0:
            raise ValueError("steps and batch must be at least 1 and rate above 0")


def train(config: TrainConfig, sampler: PairSampler, out: Path, resume: bool = False) -> Path:
    """Train and return the path of the last checkpoint.

    Writes `checkpoint.pt` (atomically, every `save_every` seconds) and `metrics.jsonl` to `out`.

    Args:
        config: The run.
        sampler: Where pairs come from.
        out: Folder of the run; created.
        resume: Continue from `out/checkpoint.pt` if it is there.

    Raises:
        FileExistsError: If `out` holds a run and `resume` is not set.
        FloatingPointError: If the loss is no finite number; the checkpoint before it is intact.
        ValueError: If the run to resume has another config.
    """
    out.mkdir(parents=True, exist_ok=True)
    path = out / "checkpoint.pt"
    if path.exists() and not resume:
        raise FileExistsError(f"{path} exists: resume the run or give another folder")
    torch.manual_seed(config.seed)
    model = BoxTracker(config.model).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if config.imagenet:
        from siamtrack.models.backbones.mobile import EfficientNetLite0, load_imagenet

        if isinstance(model.backbone, EfficientNetLite0):
            load_imagenet(model.backbone)
    teacher = Teacher(config.teacher, model.backbone.channels) if config.teacher else None
    if config.initial:
        before = torch.load(config.initial, map_location="cpu", weights_only=True)
        model.load_state_dict(before["average"])
        if teacher is not None and before.get("teacher"):
            teacher.load_state_dict(before["teacher"])
    average = {name: value.detach().clone() for name, value in model.state_dict().items()}
    stages = list(model.backbone.stages())
    optimiser = torch.optim.AdamW(
        [
            {"params": list(model.head.parameters()), "factor": 1.0},
            {"params": list(model.backbone.parameters()), "factor": config.backbone_rate},
            {"params": list(teacher.parameters()) if teacher else [], "factor": 1.0},
        ],
        lr=config.rate,
        weight_decay=config.decay,
    )
    first = 0
    if path.exists():
        first = _load(path, config, model, optimiser, average, teacher)
    saved = time.monotonic()
    began, waited = saved, 0.0
    sums: dict[str, float] = {}
    batches = _batches(sampler, config, first)
    with (out / "metrics.jsonl").open("a", encoding="utf-8") as metrics:
        for step in range(first, config.steps):
            fraction = step / config.steps
            training = max((n for at, n in config.unfreeze if fraction >= at), default=0)
            _freeze(model, stages, training)
            for group in optimiser.param_groups:
                group["lr"] = config.rate * group["factor"] * _schedule(step, config.steps)
            tick = time.monotonic()
            template, size, search, boxes, present = next(batches)
            waited += time.monotonic() - tick
            features = model.features(template), model.features(search)
            outputs = model.head(model.head.kernel(features[0], size), features[1])
            parts = tracking_loss(
                outputs, boxes, present, model.backbone.stride, config.model.search
            )
            loss = parts["loss"]
            if teacher is not None:
                taught = teacher(features[0], template) + teacher(features[1], search)
                loss = loss + config.teaching * taught
                parts["taught"] = taught.detach()
            if not torch.isfinite(loss):
                raise FloatingPointError(f"step {step}: the loss is {loss.item()}; lower the rate")
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), config.clip)
            optimiser.step()
            _update_average(average, model, min(config.average, (1 + step) / (10 + step)))
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach())
            if (step + 1) % 20 == 0:
                now = time.monotonic()
                line = {name: round(value / 20, 4) for name, value in sums.items()}
                line |= {
                    "step": step + 1,
                    "pairs_per_second": round(20 * config.batch / (now - began), 1),
                }
                line |= {"data_share": round(waited / (now - began), 3), "trained_stages": training}
                metrics.write(json.dumps(line) + "\n")
                metrics.flush()
                sums, began, waited = {}, now, 0.0
            if time.monotonic() - saved > config.save_every or step + 1 == config.steps:
                _save(path, step + 1, config, model, optimiser, average, teacher)
                saved = time.monotonic()
    if sampler.cache.faults.bad:
        logger.warning("%s", sampler.cache.faults.summary())
    return path


def _schedule(step: int, steps: int) -> float:
    warm = max(1, steps // 30)
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def _freeze(model: BoxTracker, stages: list[nn.Module], training: int) -> None:
    model.train()
    model.backbone.eval()
    for index, stage in enumerate(stages):
        for parameter in stage.parameters():
            parameter.requires_grad_(index >= len(stages) - training)


def _update_average(average: dict[str, Tensor], model: nn.Module, decay: float) -> None:
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                average[name].lerp_(value, 1 - decay)
            else:
                average[name].copy_(value)


def _batches(sampler: PairSampler, config: TrainConfig, first: int) -> Iterator[tuple[Tensor, ...]]:
    """Yield batches in order; threads prepare a few ahead."""
    ahead = 3
    with ThreadPoolExecutor(config.loaders) as workers:
        jobs = {}
        step = first
        while True:
            for future in range(step, step + ahead):
                if future not in jobs:
                    start = future * config.batch
                    jobs[future] = [
                        workers.submit(sampler.draw, 0, start + i) for i in range(config.batch)
                    ]
            yield _collate([job.result() for job in jobs.pop(step)])
            step += 1


def _collate(pairs: list[Pair]) -> tuple[Tensor, ...]:
    def images(patches: list[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.stack(patches)).permute(0, 3, 1, 2).float()

    return (
        images([pair.template for pair in pairs]),
        torch.from_numpy(np.stack([pair.size for pair in pairs])).float(),
        images([pair.search for pair in pairs]),
        torch.from_numpy(np.stack([pair.box for pair in pairs])).float(),
        torch.tensor([float(pair.present) for pair in pairs]),
    )


def _save(
    path: Path,
    step: int,
    config: TrainConfig,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: dict[str, Tensor],
    teacher: nn.Module | None,
) -> None:
    state = {
        "step": step,
        "config": json.dumps(to_dict(config)),
        "model": model.state_dict(),
        "average": average,
        "optimiser": optimiser.state_dict(),
        "teacher": teacher.state_dict() if teacher is not None else {},
    }
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)
    logger.info("step %d saved to %s", step, path)


def _load(
    path: Path,
    config: TrainConfig,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: dict[str, Tensor],
    teacher: nn.Module | None,
) -> int:
    state = torch.load(path, map_location="cpu", weights_only=True)
    if state["config"] != json.dumps(to_dict(config)):
        raise ValueError(f"{path} was trained with another config: resume it with its own")
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    if teacher is not None:
        teacher.load_state_dict(state["teacher"])
    for name, value in state["average"].items():
        average[name].copy_(value)
    return int(state["step"])
