"""One study: many trials on the clips to tune on, then the real tracker on all clips."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from siamtrack.core.config import check_numbers
from siamtrack.core.settings import TrackerSettings
from siamtrack.packages.card import Model
from siamtrack.tracking.tracker import SiamTracker
from siamtrack.tuning.clips import Clip
from siamtrack.tuning.optimizer import (
    PRUNERS,
    SAMPLERS,
    Space,
    changed,
    open_storage,
    optuna_library,
    value_of,
)
from siamtrack.tuning.replay import Replay

if TYPE_CHECKING:
    import optuna

logger = logging.getLogger(__name__)

REPORTS = 12
"""How often at most a trial asks whether it shall be ended."""
PROCESSOR = "processor_seconds"
"""Attribute of a trial."""


@dataclass(frozen=True)
class Plan:
    """How to search.

    Attributes:
        trials: Finished or pruned trials that the study shall have in all, those of other processes
            and of earlier runs included.
        sampler: Name in `SAMPLERS`.
        pruner: Name in `PRUNERS`.
        seed: Of the sampler. One process alone that is not interrupted finds the same every time.
        worker: Number of this process among those that share the study; each needs another one.
        storage: URL of the study's storage, as Optuna takes it; empty: in memory.
        study: Its name there.
    """

    trials: int = 200
    sampler: str = "tpe"
    pruner: str = "median"
    seed: int = 0
    worker: int = 0
    storage: str = ""
    study: str = "siamtrack"

    def __post_init__(self) -> None:
        check_numbers(self, trials=(1, 2**31), seed=(0, 2**63 - 1), worker=(0, 100_000))


Watch = Callable[[int, float], None]
"""Takes the number of trials that have ended, those of all processes, and the best success AUC."""


@dataclass(frozen=True)
class Tuned:
    """What came of it.

    Attributes:
        settings: The best settings on the replayed clips.
        point: Those of them that were tuned.
        replayed: Success AUC with the replay before and after.
        tuning: Success AUC of the real tracker on the clips tuned on, before and after.
        held_out: The same on clips not tuned on.
        trials: Trials in the study: complete and pruned.
        passes: Passes over the clips tuned on that all trials amount to, those of other processes
            and of earlier runs included; a pruned one is a part.
        processor: Processor seconds of all trials together, and of one pass of the real tracker
            over the same clips, on average.
        seconds: What the trials of this process took by the clock, since it was started last.
        seconds_real: What one pass of the real tracker took by the clock.
        hit_rate: Share of the windows of this process that the network had answered before.
    """

    settings: TrackerSettings
    point: dict[str, float]
    replayed: tuple[float, float]
    tuning: tuple[float, float]
    held_out: tuple[float, float]
    trials: tuple[int, int]
    passes: float
    processor: tuple[float, float]
    seconds: float
    seconds_real: float
    hit_rate: float
    sequences: dict[str, list[str]] = field(default_factory=dict)

    @property
    def cheaper(self) -> float:
        """How many times less work the trials were than as many passes of the real tracker."""
        return self.passes * self.processor[1] / max(self.processor[0], 1e-9)

    @property
    def worse_held_out(self) -> bool:
        """Whether the chosen settings lose on sequences on which they were not chosen."""
        return self.held_out[1] < self.held_out[0]


def tune(
    replay: Replay,
    model: Model,
    tuning: Sequence[Clip],
    held_out: Sequence[Clip],
    space: Space,
    plan: Plan | None = None,
    watch: Watch | None = None,
) -> tuple[Tuned, optuna.Study]:
    """Search settings by mean success AUC over clips, and judge the best with the real tracker.

    The model's own settings are the first trial. Trials see only the clips in `tuning`; those in
    `held_out` are tracked with the settings before and after, once, when all is decided. `watch` is
    called after each trial.

    Raises:
        MissingExtraError: If Optuna is not installed.
        UnknownNameError: If there is no such sampler, pruner or setting.
        ValueError: If there are no clips, or one sequence is on both sides.
    """
    names = [sorted({clip.sequence.name for clip in clips}) for clips in (tuning, held_out)]
    if not tuning or not held_out or set(names[0]) & set(names[1]):
        raise ValueError(
            f"{len(tuning)} clips to tune on, {len(held_out)} held out: expected both, and of "
            "other sequences"
        )
    # Search.
    hits, misses = replay.store.hits, replay.store.misses
    clock = time.perf_counter()
    study = search(replay, model, tuning, space, plan, watch)
    seconds = time.perf_counter() - clock
    # Count what the trials cost.
    ended = study.get_trials(deepcopy=False, states=_ended())
    parts = [max(t.intermediate_values, default=0) for t in ended if t.state.name == "PRUNED"]
    passes = len(ended) - len(parts) + sum(parts) / len(tuning)
    processor = sum(float(trial.user_attrs.get(PROCESSOR, 0.0)) for trial in ended)
    before, point = model.card.tracker, dict(study.best_params)
    asked = replay.store.hits + replay.store.misses - hits - misses
    rate = (replay.store.hits - hits) / max(1, asked)
    # Judge the settings before and after: with the replay, then with the real tracker.
    after = changed(before, point)
    old, new = (_mean(tuning, lambda c, s=s: replay.track(c, s)) for s in (before, after))
    clock, worked = time.perf_counter(), time.process_time()
    real = tuple(success(model, tuning, s) for s in (before, after))
    seconds_real = (time.perf_counter() - clock) / 2
    processor_real = (time.process_time() - worked) / 2
    states = [trial.state.name for trial in ended]
    tuned = Tuned(
        settings=after,
        point=point,
        replayed=(old, new),
        tuning=(real[0], real[1]),
        held_out=(success(model, held_out, before), success(model, held_out, after)),
        trials=(states.count("COMPLETE"), states.count("PRUNED")),
        passes=passes,
        processor=(processor, processor_real),
        seconds=seconds,
        seconds_real=seconds_real,
        hit_rate=rate,
        sequences={"tuned_on": names[0], "held_out": names[1]},
    )
    return tuned, study


def search(
    replay: Replay,
    model: Model,
    tuning: Sequence[Clip],
    space: Space,
    plan: Plan | None = None,
    watch: Watch | None = None,
) -> optuna.Study:
    """Do this process's share of the trials, and return the study; `tune` does so before it judges.

    Raises:
        MissingExtraError: If Optuna is not installed.
        UnknownNameError: If there is no such sampler, pruner or setting.
    """
    library = optuna_library()
    plan = Plan() if plan is None else plan
    before = model.card.tracker
    study = _study(plan, {name: value_of(before, name) for name in space}, space)

    def objective(trial: optuna.Trial) -> float:
        point = {
            name: trial.suggest_float(name, each.low, each.high, log=each.log)
            for name, each in space.items()
        }
        scores: list[float] = []
        for clip in tuning:
            scores.append(clip.success(replay.track(clip, changed(before, point))))
            if prunes and len(scores) % often == 0 and len(scores) < len(tuning):
                trial.report(float(np.mean(scores)), len(scores))
                if trial.should_prune():
                    break
        work.append(time.process_time())
        trial.set_user_attr(PROCESSOR, work[-1] - work[-2])
        if len(scores) < len(tuning):
            raise library.TrialPruned
        return float(np.mean(scores))

    work = [time.process_time()]  # at the ends of trials, so that choosing the next is in it
    # a report costs as much as dozens of frames whose responses are known
    prunes, often = plan.pruner != "none", math.ceil(len(tuning) / REPORTS)
    # in an order that mixes sequences, so that a pruned trial was not judged by one of them
    tuning = [tuning[k] for k in np.random.default_rng(plan.seed).permutation(len(tuning))]

    def told(study: optuna.Study, trial: Any) -> None:
        if watch is not None:
            ended = study.get_trials(deepcopy=False, states=_ended())
            whole = [t.value or 0.0 for t in ended if t.state.name == "COMPLETE"]
            watch(len(ended), max(whole, default=0.0))

    enough = library.study.MaxTrialsCallback(plan.trials, states=_ended())
    waiting = study.get_trials(deepcopy=False, states=(library.trial.TrialState.WAITING,))
    # what others have found is compared with the model's own settings, even if they found it all
    own_waiting = plan.worker == 0 and len(waiting) > 0
    if own_waiting or len(study.get_trials(deepcopy=False, states=_ended())) < plan.trials:
        study.optimize(objective, callbacks=[enough, told])
    return study


def _ended() -> tuple[Any, Any]:
    states = optuna_library().trial.TrialState
    return states.COMPLETE, states.PRUNED


def success(model: Model, clips: Sequence[Clip], settings: TrackerSettings) -> float:
    """Return the mean success AUC of the real tracker over clips, in [0, 1]."""
    tracker = SiamTracker(replace(model, card=replace(model.card, tracker=settings)))

    def track(clip: Clip) -> Any:
        boxes = [tracker.init(clip.sequence[clip.start], clip.truth[0]).box]
        boxes += [tracker.update(clip.sequence[k]).box for k in range(clip.start + 1, clip.end)]
        return np.array(boxes)

    return _mean(clips, track)


def _mean(clips: Sequence[Clip], track: Any) -> float:
    return float(np.mean([clip.success(track(clip)) for clip in clips]))


def _study(plan: Plan, start: Mapping[str, float], space: Space) -> optuna.Study:
    library = optuna_library()
    library.logging.set_verbosity(library.logging.WARNING)
    study: optuna.Study = library.create_study(
        storage=open_storage(plan.storage) if plan.storage else None,
        study_name=plan.study,
        direction="maximize",
        load_if_exists=True,
        pruner=PRUNERS[plan.pruner](),
    )
    done = len(study.get_trials(deepcopy=False))
    # a resumed or another process continues with other numbers, not with the same ones again
    seed = int(np.random.SeedSequence([plan.seed, plan.worker, done]).generate_state(1)[0])
    study.sampler = SAMPLERS[plan.sampler](seed)
    # one process asks for the model's own settings, so that several that begin together try them
    # once; again if it was killed while it tried them
    own = {k: min(max(v, space[k].low), space[k].high) for k, v in start.items()}
    if plan.worker == 0 and not _tried(study, own):
        study.enqueue_trial(own)
    return study


def _tried(study: optuna.Study, point: Mapping[str, float]) -> bool:
    """Return whether a point has been or will be tried; a trial whose process died is none."""
    states = optuna_library().trial.TrialState
    trials = study.get_trials(
        deepcopy=False, states=(states.COMPLETE, states.PRUNED, states.WAITING)
    )
    return any(point in (t.params, t.system_attrs.get("fixed_params")) for t in trials)
