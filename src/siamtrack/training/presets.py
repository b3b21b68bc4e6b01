"""Ready-made runs, as Python values: change one with `dataclasses.replace` or `--config`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from siamtrack.core.config import from_dict, to_dict
from siamtrack.core.registry import Registry
from siamtrack.data.pairs import PairConfig
from siamtrack.models.network import SiamFCConfig
from siamtrack.training.config import TrainConfig

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
    return TrainConfig()


@PRESETS.register("paper")
def paper() -> TrainConfig:
    """SiamDW's recipe for CIResNet-22: 50 epochs of 600,000 pairs, for a GPU.

    Zhang and Peng, CVPR 2019, section 5.1, and the released settings: SGD with momentum 0.9, weight
    decay 1e-4, gradients clipped at 10, rates 1e-2 to 1e-5 in log space, batches of 32, gradual
    unfreezing, shifts of 4 pixels and scale changes of 5 %, frames at most 100 apart, no other
    augmentation than colour. It starts from ImageNet weights: set `pretrained`. The released code
    lowers the rate once an epoch and averages no weights; here the rate falls in every step.
    """
    plain = PairConfig(
        template=127, search=255, video=1.0, gap=100, shift=4 / 127, scale=0.05, stretch=0.0,
        negative=0.0, distractors=0, swap=0.0, border=0.0, flip=0.0, warp=0.0, mirror=0.0, part=0.0,
    )  # fmt: skip
    return TrainConfig(
        model=SiamFCConfig(backbone="ciresnet22"), pairs=plain,
        steps=50 * 600_000 // 32, batch=32, rate=1e-2, last_rate=1e-3, schedule="log", warmup=0.0,
        optimiser="sgd", momentum=0.9, decay=1e-4, clip=10.0, backbone_rate=1.0, average=0.0,
        unfreeze=SIAMDW_UNFREEZING, norms="train", save_every=600.0, loaders=8,
    )  # fmt: skip


@PRESETS.register("cpu")
def cpu() -> TrainConfig:
    """A slim CIResNet-22 from random weights on hard pairs: half an hour on two idle cores."""
    return TrainConfig(
        model=SiamFCConfig(backbone="ciresnet22", width=0.25), pairs=SIAMFC_PAIRS,
        steps=4000, batch=16, rate=2e-3, last_rate=0.01, backbone_rate=1.0, unfreeze=((0.0, 99),),
        norms="train", average=0.995,
    )  # fmt: skip


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
    values, given = to_dict(config), dict(changes or {})
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
