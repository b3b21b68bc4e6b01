"""What a training run is: everything that decides its result, and ready-made runs (presets)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from siamtrack.core.config import check_numbers, from_dict, spelled, to_dict
from siamtrack.core.registry import Registry
from siamtrack.data.pairs import PairConfig
from siamtrack.models.network import BoxTrackerConfig, Network, SiamFCConfig, build_network


@dataclass(frozen=True)
class TrainConfig:
    """One run.

    The settings are grouped, in this order: the network and what it sees (`model` to `batch`), the
    loss (`loss` to `centers`), the optimizer (`optimizer` to `average`), the learning rate
    (`schedule` to `cooldown`), the weights that the run starts from (`imagenet` to
    `backbone_only`), which stages train (`unfreeze` to `sync_norms`), a teacher and pairs computed
    ahead (`teacher` to `repeats`), and how it is computed (`precision` to `seed`).

    Attributes:
        model: Structure of the network: `{"kind": "box", ...}` or `{"kind": "siamfc", ...}`.
        companion: Structure of a second head on the same backbone that learns beside the first,
            such as a small one beside a large one (box networks); None: none.
        pairs: How the sampler draws pairs; the sides of its patches are those of the model.
        sampler: Registered name of what draws the pairs: `pairs`, or that of a plug-in.
        steps: Optimizer steps in total.
        batch: Pairs in a step, shared between the processes of the run.
        objective: Registered name of what the head learns: `response`, `box`, `anchors`, or that
            of a plug-in; empty: the head's own.
        loss: Loss of the response map (SiamFC): `logistic`, `contrastive` or `triplet`, all at
            every cell, or any loss of `LOSSES` that takes response maps. Box networks have a loss
            of their own.
        loss_arguments: What the loss is built with, such as `{"margin": 2.0}`.
        radius: Cells at most this many pixels from the center of the target are the target
            (SiamFC).
        sides: Weight of the logarithms of width and height in the loss of boxes (box networks).
        focus: How much more the boxes of cells near the target's center count; see `tracking_loss`.
        centers: Weight of the loss of the center map (`region` heads), by which trackers score;
            it is learned from the teacher where the teacher is right.
        optimizer: `adamw`, or `sgd` with momentum.
        rate: Peak learning rate of the head.
        backbone_rate: Factor on the learning rate for backbone stages that train.
        momentum: Momentum of `sgd`.
        decay: Weight decay.
        clip: Largest norm of the network's gradient.
        average: Decay of the moving average of the weights, which is what gets exported, in [0, 1);
            0: the weights themselves.
        schedule: How the rate falls after the warm-up. `cosine`: along half a cosine, from `rate`
            to the last rate. `log`: by the same factor in every step. `flat`: not at all until the
            last `cooldown` of the steps, then linearly; such a run can be resumed with more
            `steps`.
        last_rate: Learning rate at the end, as a factor of `rate`; above 0 for `log`.
        warmup: Share of the steps in which the rate rises linearly, in [0, 1).
        cooldown: Share of the steps, at their end, in which the rate of `flat` falls, in [0, 1].
        imagenet: Start from ImageNet weights that come with a package, which `mobile` backbones of
            width 1 have; None: where there are such. A run with `initial` or `pretrained` does not.
        pretrained: File of ResNet-50 weights (a state dict in the names of torchvision or timm)
            that start a CIResNet of width 1; empty: none.
        initial: Checkpoint of an earlier run whose averaged weights start this one; empty: none.
        backbone_only: Take only the backbone from `initial`, which may have another head.
        unfreeze: (fraction of the run, number of last backbone stages that train from then on), as
            SiamDW's gradual unfreezing. The optimizer keeps its state when stages are added.
        norms: Batch norms of backbone stages that train: `frozen` keeps the statistics that they
            have (for pretrained weights), `train` learns them. Those of frozen stages never change.
        sync_norms: Compute the statistics that are learned over the batches of all processes
            (`torchrun`).
        teacher: ONNX file of a network whose features the backbone learns as well; with `prepare`,
            a folder with `template.onnx` and `search.onnx` of a tracking network. Empty: none.
        teaching: Weight of the teacher's part of the loss.
        prepare: Pairs in a block for which the output of the frozen stages and the teacher's
            answers are computed ahead; their uses are shuffled within the block. 0: nothing is
            computed ahead.
        repeats: How often each pair of a block is used; above 1 only with `prepare`.
        precision: `bfloat16` computes features in half the bits (autocast), and heads where a
            prepared teacher is given; losses, weights and optimizer stay in float32.
        frozen: What runs the stages that do not train, where they are not computed ahead: `torch`,
            or `onnx`, ONNX Runtime, which is faster on a CPU. On other devices, and where a
            backbone cannot be taken apart or exported, torch runs them, and the log says so.
        device: Where torch computes, such as `cpu` or `cuda`.
        loaders: Threads that draw and prepare pairs; 0: the training thread draws.
        loading: Whether loaders are `threads` or `processes`. Processes fill a GPU from many cores;
            they need a main module that can be imported, and share the memory for images between
            them. Pairs that are prepared come from threads.
        save_every: Seconds between two checkpoints.
        seed: Seed of the initial weights, of the order of prepared pairs, and, as the command line
            makes it, of the sampler.
    """

    # The network and what it sees
    model: BoxTrackerConfig | SiamFCConfig = field(default_factory=BoxTrackerConfig)
    companion: BoxTrackerConfig | None = None
    pairs: PairConfig = field(default_factory=PairConfig)
    sampler: str = "pairs"
    steps: int = 3000
    batch: int = 32
    # The loss
    objective: str = ""
    loss: str = "logistic"
    loss_arguments: dict[str, Any] = field(default_factory=dict)
    radius: float = 16.0
    sides: float = 0.0
    focus: float = 0.0
    centers: float = 1.0
    # The optimizer
    optimizer: Literal["adamw", "sgd"] = "adamw"
    rate: float = 1e-3
    backbone_rate: float = 0.1
    momentum: float = 0.9
    decay: float = 1e-4
    clip: float = 5.0
    average: float = 0.998
    # The learning rate
    schedule: Literal["cosine", "log", "flat"] = "cosine"
    last_rate: float = 0.0
    warmup: float = 1 / 30
    cooldown: float = 0.2
    # The weights to start from
    imagenet: bool | None = None
    pretrained: str = ""
    initial: str = ""
    backbone_only: bool = False
    # Which stages train
    unfreeze: tuple[tuple[float, int], ...] = ((0.0, 0), (0.3, 6))
    norms: Literal["frozen", "train"] = "frozen"
    sync_norms: bool = False
    # A teacher, and pairs computed ahead
    teacher: str = ""
    teaching: float = 1.0
    prepare: int = 0
    repeats: int = 1
    # How it is computed
    precision: Literal["float32", "bfloat16"] = "float32"
    frozen: Literal["torch", "onnx"] = "torch"
    device: str = "cpu"
    loaders: int = 2
    loading: Literal["threads", "processes"] = "threads"
    save_every: float = 120.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_numbers(
            self,
            **dict.fromkeys(("backbone_rate", "decay", "sides", "focus", "centers"), (0, 1e3)),
            **dict.fromkeys(("average", "momentum", "last_rate", "warmup", "cooldown"), (0, 1)),
            steps=(1, 2**31),
            batch=(1, 65536),
            radius=(0, 1e4),
            rate=(1e-12, 1e3),
            clip=(1e-9, 1e9),
            unfreeze=(0, 2**31),
            teaching=(0, 1e6),
            prepare=(0, 2**24),
            repeats=(1, 1000),
            loaders=(0, 1024),
            save_every=(0, 1e9),
            seed=(0, 2**63 - 1),
        )
        if self.prepare and (self.prepare % self.batch or len(self.unfreeze) != 1):
            raise ValueError(
                f"prepare {self.prepare}: expected a multiple of batch {self.batch}, and one entry "
                "in unfreeze, since what is prepared must not change"
            )
        if self.prepare and self.pairs.templates > 1:
            raise ValueError(
                f"prepare {self.prepare} with pairs.templates {self.pairs.templates}: pairs are "
                "prepared with one template; set prepare to 0, or templates to 1"
            )
        if self.repeats > 1 and not self.prepare:
            raise ValueError(f"repeats {self.repeats}: expected 1 where nothing is prepared")
        if not (0 <= self.average < 1 and 0 <= self.warmup < 1 and 0 <= self.momentum < 1):
            raise ValueError("average, warmup and momentum must lie in [0, 1)")
        if self.schedule == "log" and self.last_rate == 0:
            raise ValueError(
                f"last_rate {self.last_rate}: expected a factor in [0, 1], above 0 with schedule "
                "'log'"
            )
        if self.schedule == "flat" and self.warmup + self.cooldown > 1:
            raise ValueError(
                f"warmup {self.warmup:g} and cooldown {self.cooldown:g}: expected at most 1 "
                "together, as shares of the steps"
            )
        if any(not 0 <= at <= 1 or stages < 0 for at, stages in self.unfreeze):
            raise ValueError(
                f"unfreeze {self.unfreeze}: expected (fraction of the run in [0, 1], number of "
                "stages) pairs"
            )
        sides = (self.pairs.template, self.pairs.search)
        if sides != (self.model.template, self.model.search):
            raise ValueError(
                f"pairs of {sides[0]} and {sides[1]} pixels for a model of {self.model.template} "
                f"and {self.model.search}: give pairs.template and pairs.search those of the model"
            )

    def network(self) -> Network:
        """Build the network of the run, with random weights.

        Raises:
            UnknownNameError: If there is no such backbone or head.
            ValueError: If the backbone does not fit the structure.
        """
        return build_network(self.model, self.companion)


def rate_factor(step: int, config: TrainConfig) -> float:
    """Return the learning rate in a step as a factor of the peak rate: warm-up, then `schedule`.

    The flat schedule is that of Hägele et al., "Scaling Laws and Compute-Optimal Training Beyond
    Fixed Training Durations", NeurIPS 2024, https://arxiv.org/abs/2405.18392

    Example:
        >>> config = TrainConfig(steps=101, warmup=0.0, schedule="log", last_rate=1e-2)
        >>> [round(rate_factor(step, config), 4) for step in (0, 50, 100)]
        [1.0, 0.1, 0.01]
        >>> config = TrainConfig(steps=100, warmup=0.02, schedule="flat", cooldown=0.2)
        >>> [round(rate_factor(step, config), 4) for step in (0, 1, 80, 90, 99)]
        [0.5, 1.0, 1.0, 0.5, 0.05]
    """
    warm = int(config.steps * config.warmup + 1e-9)
    if config.warmup > 0:
        warm = max(1, warm)
    if step < warm:
        return (step + 1) / warm
    last = config.last_rate
    if config.schedule == "log":
        return float(last ** ((step - warm) / max(1, config.steps - 1 - warm)))
    if config.schedule == "flat":
        left, falling = config.steps - step, config.steps * config.cooldown
        return last + (1 - last) * (1.0 if left >= falling else left / falling)
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


SIAMDW_UNFREEZING = ((0.0, 1), (0.1, 2), (0.2, 3), (0.3, 4), (0.5, 5), (0.6, 6), (0.7, 7))
"""The unfreezing of SiamDW's released code: the last unit first, all seven from 70 % of the run on;
the stem keeps its ImageNet weights."""

SIAMFC_PAIRS = PairConfig(template=127, search=255, shift=0.45, part=0.0)
"""Hard pairs whose target stays within the 17x17 cells of the response, 64 pixels either way."""

PRESETS: Registry[Callable[[], TrainConfig]] = Registry("training preset", "siamtrack.presets")
"""Functions without arguments that return a `TrainConfig`."""


@PRESETS.register("box")
def box() -> TrainConfig:
    """The anchor-free box tracker on the mobile backbone, the structure of the packaged model."""
    return TrainConfig(frozen="onnx")


@PRESETS.register("paper")
def paper() -> TrainConfig:
    """SiamDW's recipe for CIResNet-22: 50 epochs of 600,000 pairs, for a GPU.

    Zhang and Peng, CVPR 2019, section 5.1, and the released settings: SGD with momentum 0.9, weight
    decay 1e-4, gradients clipped at 10, rates 1e-2 to 1e-5 in log space, batches of 32, gradual
    unfreezing. Frames are at most 100 apart; both patches are shifted by up to 4 pixels either way,
    their width and height changed apart by up to 5 %, and their color by up to 5 %: nothing else is
    changed. It starts from ImageNet weights: set `pretrained`. The released code lowers the rate
    once an epoch and averages no weights; here the rate falls in every step.
    """
    plain = PairConfig(
        template=127,
        search=255,
        video=1.0,
        gap=100,
        shift=4 / 127.5,
        near=0.0,
        scale=0.05,
        stretch=0.0,
        separate=True,
        template_shift=4 / 127,
        template_scale=0.05,
        color=1.0,
        color_range=0.05,
        template_color=1.0,
        template_color_range=0.05,
        gray=0.0,
        blur=0.0,
        low_resolution=0.0,
        noise=0.0,
        negative=0.0,
        distractors=0,
        swap=0.0,
        border=0.0,
        flip=0.0,
        warp=0.0,
        mirror=0.0,
        part=0.0,
    )
    return TrainConfig(
        model=SiamFCConfig(backbone="ciresnet22"),
        pairs=plain,
        steps=50 * 600_000 // 32,
        batch=32,
        optimizer="sgd",
        rate=1e-2,
        backbone_rate=1.0,
        momentum=0.9,
        decay=1e-4,
        clip=10.0,
        average=0.0,
        schedule="log",
        last_rate=1e-3,
        warmup=0.0,
        unfreeze=SIAMDW_UNFREEZING,
        norms="train",
        loaders=8,
        save_every=600.0,
    )


@PRESETS.register("cpu")
def cpu() -> TrainConfig:
    """A slim CIResNet-22 from random weights on hard pairs: half an hour on two idle cores."""
    return TrainConfig(
        model=SiamFCConfig(backbone="ciresnet22", width=0.25),
        pairs=SIAMFC_PAIRS,
        steps=4000,
        batch=16,
        rate=2e-3,
        backbone_rate=1.0,
        average=0.995,
        last_rate=0.01,
        unfreeze=((0.0, 99),),
        norms="train",
    )


def preset(name: str, changes: Mapping[str, Any] | None = None) -> TrainConfig:
    """Return a preset with some of its settings replaced.

    Args:
        name: One of `PRESETS`.
        changes: Settings as in JSON; those of `model` and `pairs` are merged key by key. A model of
            another kind replaces the preset's. The sides of the pairs follow those of the model
            where they are not given.

    Raises:
        UnknownNameError: If there is no such preset or setting.
        TypeError: If a setting has the wrong type.
        ValueError: If a setting has a value that it cannot have.

    Example:
        >>> preset("cpu", {"steps": 10, "model": {"width": 0.125}}).model.width
        0.125
    """
    config = PRESETS[name]()
    PRESETS.check_made(name, config, "__dataclass_fields__", "model", "pairs")
    values, given = to_dict(config), spelled(changes or {})
    model, pairs = given.pop("model", {}), given.pop("pairs", {})
    for key, part in (("model", model), ("pairs", pairs)):
        if not isinstance(part, Mapping):
            raise TypeError(f"{key}: expected a mapping of settings, got {part!r}")
    if model.get("kind", values["model"]["kind"]) != values["model"]["kind"]:
        values["model"] = dict(model)
    else:
        values["model"] = {**values["model"], **model}
    sides = {side: model[side] for side in ("template", "search") if side in model}
    values["pairs"] = {**values["pairs"], **sides, **pairs}
    return from_dict(TrainConfig, {**values, **given})
