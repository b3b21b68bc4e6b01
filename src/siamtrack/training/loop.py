"""Training on hard pairs: one loop, read from top to bottom."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from siamtrack.core.config import to_dict
from siamtrack.core.writing import owning, write_whole
from siamtrack.data.pairs import PairSampler
from siamtrack.errors import WeightsError
from siamtrack.models.backbones.ciresnet import CIResNet, fold_pixels, load_resnet50
from siamtrack.models.backbones.mobile import CIRMobile, EfficientNetLite0, load_imagenet
from siamtrack.models.heads.head import Objective
from siamtrack.models.network import Network, build_network, fold_norms
from siamtrack.training import checkpoint
from siamtrack.training.batches import Batch, batches, collate
from siamtrack.training.config import TrainConfig, rate_factor, trained_stages
from siamtrack.training.distributed import Ranks, join, sync_norms
from siamtrack.training.monitor import Log, Watch, live_model
from siamtrack.training.speed import Preparation, frozen_front, quicken_depthwise
from siamtrack.training.teacher import TAUGHT_CHANNELS, Learned, Teacher, TrackingTeacher

logger = logging.getLogger(__name__)


def train(
    config: TrainConfig,
    sampler: PairSampler,
    out: Path,
    resume: bool = False,
    watch: Watch | None = None,
) -> Path:
    """Train and return the path of the last checkpoint.

    Writes `checkpoint.pt` (atomically, every `save_every` seconds), `config.json` and
    `metrics.jsonl` to `out`. On one machine, a run that was killed and resumed ends with the same
    weights, bit for bit, as one that was not. Started by `torchrun`, processes share each batch and
    the first one writes; they all need to see `out` to resume.

    Args:
        config: The run.
        sampler: Where pairs come from.
        out: Folder of the run; created.
        resume: Continue from `out/checkpoint.pt` if it is there.
        watch: What a person sees of the run.

    Raises:
        FileExistsError: If `out` holds a run and `resume` is not set.
        FolderBusyError: If another run writes to `out`.
        FloatingPointError: If loss or gradient is no finite number; the batch is kept, and the
            checkpoint before it is intact.
        OSError: If a file cannot be written, as on a full disk; the last checkpoint is intact.
        ValueError: If the run to resume has another config or other data.
        WeightsError: If weights to start from do not fit.
    """
    ranks = join(config.device)
    with owning(out) if ranks.first else nullcontext():
        return _train(config, sampler, out, resume, watch or Watch(), ranks)


def _train(
    config: TrainConfig, sampler: PairSampler, out: Path, resume: bool, watch: Watch, ranks: Ranks
) -> Path:
    path = out / "checkpoint.pt"
    if path.exists() and not resume:
        raise FileExistsError(
            f"{path} exists: give another folder, or --resume to continue (in Python, resume=True)"
        )

    # Start: the same network in all processes
    data = checkpoint.data_fingerprint(sampler.pool.entries)
    torch.manual_seed(config.seed)
    model, teacher = start(config, resumed=path.exists())
    taught_too = [] if teacher is None else list(teacher.parameters())
    ranks.begin_alike([*model.state_dict().values(), *taught_too], data)
    if config.sync_norms:
        sync_norms(model)
    kind, halved = torch.device(config.device).type, config.precision == "bfloat16"
    half = torch.autocast(kind, torch.bfloat16, enabled=halved)
    if kind == "cpu":
        quicken_depthwise(model)
    stages = list(model.backbone.stages())
    average = copy_of(model)
    optimizer = build_optimizer(config, model, teacher)
    learn = model.objective(config)
    if config.pairs.templates > 1:
        check_joins(model, learn, config)

    # Resume: the state that an earlier part of this run has saved
    first = 0
    if path.exists():
        state = checkpoint.read(path)
        checkpoint.check_same_run(path, state, config, data)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        average = {name: value.to(config.device) for name, value in state["average"].items()}
        if teacher is not None:
            teacher.load_state_dict(state["teacher"])
        first = int(state["step"])
    if ranks.first:
        text = json.dumps(to_dict(config), indent=1)
        write_whole(out / "config.json", text.encode())

    runs = config.frozen == "onnx" and not config.prepare
    front = frozen_front(model) if runs else None
    live = model.state_dict()  # the tensors that training changes in place
    source = _batches(config, sampler, model, first, ranks)
    saved = time.monotonic()
    log = Log(out, config, first, watch) if ranks.first else None
    with closing(source), log or nullcontext():
        for step in range(first, config.steps):
            # What the schedule says of this step
            training = trained_stages(step, config)
            set_trained(model, stages, training, config.norms)
            factor = rate_factor(step, config)
            for group in optimizer.param_groups:
                group["lr"] = config.rate * group["factor"] * factor

            # Batch: pictures, or pairs whose frozen stages have been run ahead
            tick = time.monotonic()
            given = next(source).to(config.device)
            waited = time.monotonic() - tick
            if given.templates != config.pairs.templates:
                raise ValueError(
                    f"the sampler draws pairs of {given.templates} templates, and the config's "
                    f"`pairs` has templates {config.pairs.templates}: make it with this config"
                )

            # Forward: the rest of the backbone
            batch = given if front is None else front(given, max(0, len(stages) - training))
            with half:
                template = model.features(batch.template, batch.stages)
                search = model.features(batch.search, batch.stages)

            # Loss: of the heads, and of what a teacher has said ahead or says now of the pictures
            lesson = batch.lesson
            if lesson is None:
                template, search = template.float(), search.float()
            with nullcontext() if lesson is None else half, ranks.counts_of_the_batch():
                parts = learn(template, search, batch, lesson)
            loss = parts["loss"]
            if teacher is not None:
                seen = given if lesson is None else lesson
                taught = teacher(template, seen.template) + teacher(search, seen.search)
                loss = loss + config.teaching * taught
                parts["taught"] = taught.detach()

            # Backward: the gradient of the whole batch, and the optimizer's step
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            gradients = [each.grad for each in (*model.parameters(), *taught_too)]
            ranks.average([*gradients, *parts.values()])
            norm = nn.utils.clip_grad_norm_(model.parameters(), config.clip)
            # one question to the device for both
            if not bool(torch.isfinite(torch.stack([loss.detach(), norm])).all()):
                check_finite("loss", loss, batch, step, out, ranks.number)
                check_finite("norm of the gradient", norm, batch, step, out, ranks.number)
            optimizer.step()

            # Average: the weights that are exported
            update_average(average, live, min(config.average, (1 + step) / (10 + step)))

            # What a person sees
            done = step + 1
            if log is not None:
                log.step(done, parts, waited, rate=config.rate * factor, trained_stages=training)
                if log.is_shown(done):
                    shown = given if given.stages == 0 else _pictures(sampler, step * config.batch)
                    log.show(done, live_model(model, average), shown)

            # Checkpoint
            due = time.monotonic() - saved > config.save_every or done == config.steps
            if ranks.first and due:
                state = {
                    "step": done,
                    "config": json.dumps(to_dict(config)),
                    "data": data,
                    "versions": checkpoint.versions(),
                    "model": model.state_dict(),
                    "average": average,
                    "optimizer": optimizer.state_dict(),
                    "teacher": teacher.state_dict() if teacher is not None else {},
                }
                checkpoint.save(path, state)
                saved = time.monotonic()
    if sampler.cache.faults.bad or sampler.cache.faults.outside:
        logger.warning("%s", sampler.cache.faults.summary())
    return path


def check_joins(model: Network, learn: Objective, config: TrainConfig) -> None:
    """Refuse an objective that fails with several templates a pair, by two pairs of black pictures.

    Raises:
        ValueError: If it does.
    """
    count, (template, search) = config.pairs.templates, model.sides
    box = torch.tensor([[search / 4, search / 4, search / 2, search / 2]] * 2)
    batch = Batch(
        torch.zeros(2 * count, 3, template, template),
        torch.full((2 * count, 2), 0.5),
        torch.zeros(2, 3, search, search),
        box,
        torch.ones(2),
    ).to(config.device)
    try:
        with torch.no_grad():
            model.eval()
            learn(model.features(batch.template), model.features(batch.search), batch)
    except Exception as error:  # anything may fail in a plug-in
        raise ValueError(
            f"pairs.templates {count}: what {config.model.head!r} learns takes one template a pair "
            f"({str(error).strip().partition(chr(10))[0]}); set it to 1, or let the objective call "
            "Head.pair_kernel"
        ) from error
    model.train()


def start(config: TrainConfig, resumed: bool = False) -> tuple[Network, Learned | None]:
    """Build the network of a run and its teacher, with the weights that they start from.

    Args:
        config: The run.
        resumed: Whether a checkpoint of the run will replace the weights.

    Raises:
        ValueError: If there are no such weights.
        WeightsError: If they do not fit.
    """
    model = config.network()
    teacher: Learned | None = None
    if config.teacher and config.prepare:
        stride = model.backbone.stride if model.backbone.padding_free else 0
        teacher = Learned(model.backbone.channels, TAUGHT_CHANNELS, stride)
    elif config.teacher:
        teacher = Teacher(config.teacher, model.backbone.channels)
    initialize(model, teacher, config, resumed)
    device = torch.device(config.device)
    model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model, teacher


def initialize(
    model: Network, teacher: Learned | None, config: TrainConfig, resumed: bool = False
) -> None:
    """Fill a network, or its backbone, from the first of `initial`, `pretrained` and `imagenet`.

    Raises:
        ValueError: If no package has ImageNet weights of the backbone, unless `resumed`.
        WeightsError: If the weights do not fit.
    """
    folded = config.model.folded
    if config.initial:
        before = checkpoint.read(Path(config.initial))
        theirs = checkpoint.config_of(before).model
        if not config.backbone_only:
            if theirs.head != config.model.head:
                raise WeightsError(
                    f"{config.initial} has a head {theirs.head!r}, the config's `model` has "
                    f"{config.model.head!r}: give a checkpoint with that head, or set "
                    "backbone_only to take the backbone alone"
                )
            try:
                model.load_state_dict(before["average"])
            except RuntimeError as error:
                raise WeightsError(
                    f"{config.initial} holds another network than the config's `model`: give the "
                    f"one it was trained with ({str(error).splitlines()[-1].strip()})"
                ) from error
            if teacher is not None and before.get("teacher"):
                teacher.load_state_dict(before["teacher"])
            return
        other = checkpoint.config_of(before).network()
        other.load_state_dict(before["average"])
        backbone = other.backbone
        ours = config.model
        if (theirs.backbone, theirs.width) != (ours.backbone, ours.width) or (
            theirs.folded and not folded
        ):
            raise WeightsError(
                f"{config.initial} has the backbone {theirs.backbone!r} of width {theirs.width:g}"
                f"{', folded' if theirs.folded else ''}: expected {ours.backbone!r} of width "
                f"{ours.width:g}{', folded' if folded else ''}, as in the config's `model`"
            )
    elif config.pretrained or config.imagenet is not False:
        # Those weights are of a backbone whose norms have not been folded
        plain = build_network(replace(config.model, folded=False)) if folded else model
        backbone = plain.backbone
        if config.pretrained and not isinstance(backbone, CIResNet):
            raise WeightsError(f"pretrained: {config.model.backbone} takes no ResNet-50 weights")
        if isinstance(backbone, CIResNet) and config.pretrained:
            load_resnet50(backbone, config.pretrained)
            fold_pixels(backbone)
        elif isinstance(backbone, EfficientNetLite0) or (
            config.imagenet and isinstance(backbone, CIRMobile)
        ):
            load_imagenet(backbone)
        elif config.imagenet and not resumed:
            raise ValueError(
                f"imagenet: no package has ImageNet weights of {config.model.backbone!r}: set "
                "it to false, or give a file of ResNet-50 weights as `pretrained` to a CIResNet"
            )
        else:
            return
    else:
        return
    if folded:
        fold_norms(backbone)
    model.backbone.load_state_dict(backbone.state_dict())


def build_optimizer(
    config: TrainConfig, model: Network, teacher: Learned | None
) -> torch.optim.Optimizer:
    """Build the optimizer, with all parameters from the start.

    Parameters of frozen stages get no gradient and are left alone until they train; unfreezing
    changes nothing else, so that no momentum is lost.
    """
    heads = [p for n, p in model.named_parameters() if not n.startswith("backbone.")]
    groups = [
        {"params": heads, "factor": 1.0},
        {"params": list(model.backbone.parameters()), "factor": config.backbone_rate},
        {"params": list(teacher.parameters()) if teacher else [], "factor": 1.0},
    ]
    if config.optimizer == "sgd":
        return torch.optim.SGD(
            groups, lr=config.rate, momentum=config.momentum, weight_decay=config.decay
        )
    return torch.optim.AdamW(groups, lr=config.rate, weight_decay=config.decay)


def _batches(
    config: TrainConfig, sampler: PairSampler, model: Network, first: int, ranks: Ranks
) -> Generator[Batch, None, None]:
    """Yield the batches of a run, with what does not learn computed ahead if it says so."""
    if not config.prepare:
        processes = config.loading == "processes"
        return batches(sampler, config.batch, first, config.loaders, ranks, processes=processes)
    threads = max(1, config.loaders)
    frozen = len(list(model.backbone.stages())) - trained_stages(0, config)
    teacher = TrackingTeacher(Path(config.teacher), threads) if config.teacher else None
    return batches(
        sampler,
        config.batch,
        first,
        threads,
        ranks,
        prepare=Preparation(model, frozen, teacher, threads),
        block=config.prepare,
        repeats=config.repeats,
        seed=config.seed,
    )


def _pictures(sampler: PairSampler, first: int, count: int = 6) -> Batch:
    """Draw pairs again, for people: prepared ones are kept without their pictures."""
    return collate([sampler.draw(first + index) for index in range(count)]).to("cpu")


def copy_of(model: nn.Module) -> dict[str, Tensor]:
    """Return a copy of a network's state."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def update_average(average: Mapping[str, Tensor], live: Mapping[str, Tensor], decay: float) -> None:
    """Move every floating tensor of `average` a share of 1 - decay towards the network's.

    All of them in one call, which is a few kernels on a GPU instead of hundreds.

    Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992,
    https://doi.org/10.1137/0330046
    """
    with torch.no_grad():
        floating = [name for name, value in live.items() if value.is_floating_point()]
        torch._foreach_lerp_(
            [average[name] for name in floating], [live[name] for name in floating], 1 - decay
        )
        for name, value in live.items():
            if not value.is_floating_point():
                average[name].copy_(value)


def set_trained(
    model: nn.Module, stages: Sequence[nn.Module], count: int, norms: Literal["frozen", "train"]
) -> None:
    """Let the last `count` stages of the model's backbone train, and freeze the others.

    Frozen stages get no gradient, so that the optimizer leaves them and their state alone, weight
    decay included; their batch norms use and keep their running statistics. `norms` says whether
    batch norms of stages that train learn theirs.
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


def check_finite(
    name: str, value: Tensor, batch: Batch, step: int, out: Path, rank: int = 0
) -> None:
    """Stop if a value is not finite, and write the batch to `out/bad_batch.pt`.

    Processes other than `rank` 0 write to `bad_batch_RANK.pt`.

    Raises:
        FloatingPointError: If it is not finite. The weights have not been touched by this step.
    """
    if bool(torch.isfinite(value)):
        return
    file = out / (f"bad_batch_{rank}.pt" if rank else "bad_batch.pt")
    lesson = None if batch.lesson is None else batch.lesson._asdict()
    torch.save({"step": step, **batch._asdict(), "lesson": lesson}, file)
    raise FloatingPointError(
        f"step {step}: the {name} is {value.item()}; its batch is in {file}, the last checkpoint "
        "is intact. Lower the rate, or look at the batch"
    )
