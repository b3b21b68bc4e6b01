"""What a training run is: everything that decides its result, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from siamtrack.core.config import check_numbers
from siamtrack.data.pairs import PairConfig
from siamtrack.models.network import BoxTrackerConfig, Network, SiamFCConfig, build_network


@dataclass(frozen=True)
class TrainConfig:
    """One run.

    Attributes:
        model: Structure of the network: `{"kind": "box", ...}` or `{"kind": "siamfc", ...}`.
        pairs: How pairs are drawn; the sides of the patches are those of the model.
        steps: Optimiser steps in all.
        batch: Pairs a step.
        rate: Peak learning rate of the head.
        backbone_rate: Factor of the learning rate for backbone stages that train.
        unfreeze: (fraction of the run, number of last backbone stages that train from then on), as
            SiamDW's gradual unfreezing. The optimiser keeps its state; see `norms`.
        decay: Weight decay.
        clip: Largest norm of the gradient.
        average: Decay of the moving average of the weights, which is what gets exported; 0: the
            weights themselves.
        save_every: Seconds between two checkpoints.
        loaders: Threads that prepare pairs; 0: the training thread does.
        seed: Seed of pairs and of the initial weights.
        imagenet: Start a `mobile` backbone from ImageNet weights.
        initial: Checkpoint of an earlier run whose averaged weights start this one; empty: none.
        backbone_only: Only the backbone starts from `initial`, which may have another head.
        teacher: ONNX file of a network whose features the backbone learns as well; empty: none.
        teaching: Weight of that part of the loss.
        prepare: Pairs whose frozen stages and teacher's answers are computed ahead and kept, among
            which uses are shuffled; `teacher` is then a folder with `template.onnx` and
            `search.onnx` of a tracking network. 0: nothing is prepared.
        repeats: How often each prepared pair is used.
        sides: Weight of the logarithms of width and height in the loss of boxes.
        centers: Weight of the loss of the center map of a `region` head, which learns from the
            teacher's where that is right.
        companion: Structure of a second head on the same backbone that learns beside the first,
            such as a small one beside a large one; None: none.
        loss: Loss of a SiamFC's response map: `logistic`, `contrastive` or `triplet` (dense), or
            any loss of `LOSSES` that takes response maps. Box trackers have their own.
        radius: Cells so near to the centre of the target are the target (SiamFC), in pixels.
        optimiser: `adamw`, or `sgd` with momentum.
        momentum: Of SGD.
        schedule: After the warm-up, `cosine` from `rate` to the last rate, or `log`, which divides
            the rate by the same factor in every step.
        last_rate: Learning rate at the end, as a factor of `rate`; above 0 for `log`.
        warmup: Share of the run in which the rate rises linearly.
        norms: Batch norms of backbone stages that train: `frozen` keeps the statistics that they
            have (for pretrained weights), `train` learns them. Those of frozen stages never change.
        sync_norms: Batch norms that learn do so over the batches of all processes (`torchrun`).
        pretrained: ResNet-50 weights (a state dict in the names of torchvision or timm) that start
            a CIResNet of width 1; empty: none.
        precision: `bfloat16` computes features in half the bits (autocast); losses, weights and
            optimiser stay in float32.
        frozen: What runs the stages that do not train: `torch`, or `onnx`, ONNX Runtime, which is
            faster on a CPU.
        device: Where torch computes, such as `cpu` or `cuda`.
    """

    model: BoxTrackerConfig | SiamFCConfig = field(default_factory=BoxTrackerConfig)
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
    backbone_only: bool = False
    teacher: str = ""
    teaching: float = 1.0
    prepare: int = 0
    repeats: int = 1
    sides: float = 0.0
    centers: float = 1.0
    companion: BoxTrackerConfig | None = None
    loss: str = "logistic"
    radius: float = 16.0
    optimiser: Literal["adamw", "sgd"] = "adamw"
    momentum: float = 0.9
    schedule: Literal["cosine", "log"] = "cosine"
    last_rate: float = 0.0
    warmup: float = 1 / 30
    norms: Literal["frozen", "train"] = "frozen"
    sync_norms: bool = False
    pretrained: str = ""
    precision: Literal["float32", "bfloat16"] = "float32"
    frozen: Literal["torch", "onnx"] = "torch"
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_numbers(
            self, steps=(1, 2**31), batch=(1, 65536), rate=(1e-12, 1e3), backbone_rate=(0, 1e3),
            unfreeze=(0, 2**31), decay=(0, 1e3), clip=(1e-9, 1e9), average=(0, 1),
            save_every=(0, 1e9), loaders=(0, 1024), seed=(0, 2**63 - 1), teaching=(0, 1e6),
            radius=(0, 1e4), momentum=(0, 1), last_rate=(0, 1), warmup=(0, 1),
            prepare=(0, 2**24), repeats=(1, 1000), sides=(0, 1e3), centers=(0, 1e3),
        )  # fmt: skip
        if self.prepare and (self.prepare % self.batch or len(self.unfreeze) != 1):
            raise ValueError(
                f"prepare {self.prepare}: expected a multiple of batch {self.batch}, and one entry "
                "in unfreeze, since what is prepared must not change"
            )
        if self.repeats > 1 and not self.prepare:
            raise ValueError(f"repeats {self.repeats}: expected 1 where nothing is prepared")
        if not (0 <= self.average < 1 and 0 <= self.warmup < 1 and 0 <= self.momentum < 1):
            raise ValueError("average, warmup and momentum must lie in [0, 1)")
        if not 0 <= self.last_rate <= 1 or (self.schedule == "log" and self.last_rate == 0):
            raise ValueError(
                f"last_rate {self.last_rate}: expected a factor in [0, 1], above 0 with schedule "
                "'log'"
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
