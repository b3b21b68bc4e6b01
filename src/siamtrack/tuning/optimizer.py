"""What is tuned, between what, and how: spaces, samplers, pruners, storage, pictures of a study."""

from __future__ import annotations

import dataclasses
import logging
import random
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from siamtrack.core.registry import Registry
from siamtrack.core.settings import TrackerSettings
from siamtrack.errors import MissingExtraError, SiamtrackError, UnknownNameError
from siamtrack.evaluation.report.plots import matplotlib_figure

if TYPE_CHECKING:
    import optuna

logger = logging.getLogger(__name__)

FEWEST = 10
"""Complete trials below which importance says nothing."""
PATIENCE = 120.0
"""Seconds that a process waits for another one to let go of an SQLite file."""

SAMPLERS: Registry[Any] = Registry("sampler")
"""Name to a function (seed) -> `optuna.samplers.BaseSampler`."""
PRUNERS: Registry[Any] = Registry("pruner")
"""Name to a function () -> `optuna.pruners.BasePruner`."""


def optuna_library() -> Any:
    """Return the module `optuna`.

    Raises:
        MissingExtraError: If it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise MissingExtraError("tuning", "optuna", "tune") from error
    return optuna


_SAMPLERS: dict[str, tuple[str, dict[str, Any]]] = {
    # Tree-structured Parzen estimator, aware of trials that run elsewhere at the moment
    "tpe": ("TPESampler", {"multivariate": True, "constant_liar": True}),
    "cma": ("CmaEsSampler", {}),
    "genetic": ("NSGAIISampler", {"population_size": 20}),
    "random": ("RandomSampler", {}),
}
_PRUNERS: dict[str, tuple[str, dict[str, Any]]] = {
    # Ends trials that are worse after the same clips than half of those before
    "median": ("MedianPruner", {"n_startup_trials": 20, "n_warmup_steps": 3}),
    "halving": ("SuccessiveHalvingPruner", {"min_resource": 2}),
    "none": ("NopPruner", {}),
}


def _made(module: str, kind: str, options: dict[str, Any], *seed: int) -> Any:
    """Return an object of Optuna, of a class that takes a seed if one is given."""
    more = {"seed": seed[0]} if seed else {}
    return getattr(getattr(optuna_library(), module), kind)(**options, **more)


for _name, _given in _SAMPLERS.items():
    SAMPLERS.register(_name)(partial(_made, "samplers", *_given))
for _name, _given in _PRUNERS.items():
    PRUNERS.register(_name)(partial(_made, "pruners", *_given))


def open_storage(url: str, tries: int = 8) -> optuna.storages.RDBStorage:
    """Open a database for a study, and make its tables if it has none.

    Processes that begin together all find no tables and all make them; all but one of them fail at
    one table or another. Everything is made only where it is missing, so they try again.

    Args:
        url: As SQLAlchemy takes it, such as `sqlite:////runs/study.db`.
        tries: How often.

    Raises:
        SiamtrackError: If it is no such address, the driver is not installed, the database cannot
            be reached, or another version of Optuna made it.
    """
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import ArgumentError, DatabaseError

    options: dict[str, Any] = {}
    if url.startswith("sqlite"):
        options["connect_args"] = {"timeout": PATIENCE}
    advice = "give --storage an address such as postgresql://USER@HOST/NAME, or none for a file"
    for left in reversed(range(tries)):
        try:
            return RDBStorage(url, engine_kwargs=dict(options))
        except DatabaseError as error:
            if not left:
                raise SiamtrackError(f"storage {url} cannot be used ({error}): {advice}") from error
            logger.debug("storage %s: trying again after %s", url, error)
            time.sleep(random.uniform(0.1, 0.6))  # so that they do not meet again
        except (ArgumentError, ImportError, RuntimeError) as error:
            raise SiamtrackError(f"storage {url} cannot be used ({error}): {advice}") from error
    raise AssertionError("unreachable")


def importance(study: optuna.Study) -> dict[str, float]:
    """Return the share of each setting in what made trials differ; empty for too few trials.

    Hutter et al., "An Efficient Approach for Assessing Hyperparameter Importance", ICML 2014.
    """
    library = optuna_library()
    done = study.get_trials(deepcopy=False, states=(library.trial.TrialState.COMPLETE,))
    if len(done) < FEWEST:
        return {}
    judge = library.importance.PedAnovaImportanceEvaluator()
    with warnings.catch_warnings():
        # trials that are all alike have settings of the same importance, which the result says
        warnings.filterwarnings("ignore", "Target and region quantiles", UserWarning)
        found = library.importance.get_param_importances(study, evaluator=judge)
    return {name: float(value) for name, value in found.items()}


def draw(study: optuna.Study, file: Path) -> Path:
    """Draw the history of a study and the importance of its settings.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    figure = matplotlib_figure("plots of a study", "tune", 10, 4)
    history, bars = figure.subplots(1, 2)
    complete = optuna_library().trial.TrialState.COMPLETE
    trials = study.get_trials(deepcopy=False, states=(complete,))
    values = [float(trial.value or 0.0) for trial in trials]
    history.plot([trial.number for trial in trials], values, ".", label="trial")
    best = np.maximum.accumulate(np.array(values))
    history.plot([trial.number for trial in trials], best, label="best so far")
    history.set(xlabel="trial", ylabel="success AUC, replayed", title="history")
    history.legend()
    shares: dict[str, Any] = dict(reversed(importance(study).items()))
    bars.barh(list(shares), list(shares.values()))
    bars.set(xlabel="share", title="importance" if shares else "importance: too few trials")
    figure.savefig(file, dpi=120)
    return file


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`; `log` searches their logarithm.

    Raises:
        ValueError: If the ends are in the wrong order, or not above 0 with `log`.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(
                f"range from {self.low} to {self.high}: expected the lower end first"
                + (", above 0 with 'log'" if self.log else "")
            )


Space = dict[str, Range]

SPACES: dict[str, Space] = {
    "box": {
        "window": Range(0.0, 0.6),
        "penalty": Range(0.0, 0.6),
        "size_rate": Range(0.05, 0.9),
        "size_floor": Range(0.0, 0.7),
        "online.weight": Range(0.0, 0.6),
        "online.rate": Range(0.002, 0.1, log=True),
        "online.ridge": Range(0.01, 1.0, log=True),
    },
    "response": {
        "window": Range(0.0, 0.6),
        "penalty": Range(0.9, 1.0),
        "size_rate": Range(0.1, 0.9),
        "scale_step": Range(1.01, 1.08),
    },
}
"""Kind of a model to what is tuned if nothing else is asked for."""


def default_space(kind: str) -> Space:
    """Return what is tuned of a model of a kind (`Card.kind`).

    Raises:
        UnknownNameError: If there is no such kind.
    """
    if kind not in SPACES:
        raise UnknownNameError("kind of model", kind, SPACES)
    return SPACES[kind]


def read_space(values: Mapping[str, Any]) -> Space:
    """Return a space from plain data: setting to `[low, high]` or `[low, high, "log"]`.

    Raises:
        UnknownNameError: If there is no such setting.
        ValueError: If a range is none, the tracker refuses one of its ends, or nothing is there.

    Example:
        >>> read_space({"window": [0, 0.5], "online.rate": [0.001, 0.1, "log"]})["window"]
        Range(low=0.0, high=0.5, log=False)
    """
    if not values:
        raise ValueError("an empty space: give at least one setting and its range")
    space: Space = {}
    for name, given in values.items():
        numbers = list(given) if isinstance(given, (list, tuple)) else []
        log = len(numbers) == 3 and numbers[2] == "log"
        if len(numbers) - log != 2 or not all(isinstance(x, (int, float)) for x in numbers[:2]):
            raise ValueError(f"{name}: expected [low, high] or [low, high, 'log'], got {given!r}")
        space[name] = Range(float(numbers[0]), float(numbers[1]), log)
        for end in (space[name].low, space[name].high):
            changed(TrackerSettings(), {name: end})
    return space


def value_of(settings: Any, name: str) -> float:
    """Return one of the settings; a dot leads into a group.

    Raises:
        UnknownNameError: If there is no such setting.
        ValueError: If it is no number with decimals.
    """
    first, _, rest = name.partition(".")
    fields = [field.name for field in dataclasses.fields(settings)]
    if first not in fields:
        raise UnknownNameError("tracker setting", first, fields)
    value = getattr(settings, first)
    if rest and dataclasses.is_dataclass(value):
        return value_of(value, rest)
    if rest or not isinstance(value, float):
        raise ValueError(f"setting {name} is {value!r}: only numbers with decimals are tuned")
    return value


def changed(settings: TrackerSettings, point: Mapping[str, float]) -> TrackerSettings:
    """Return settings with some values replaced; a dot leads into a group.

    Raises:
        UnknownNameError: If there is no such setting.
        ValueError: If it is no number with decimals, or the settings refuse the value.

    Example:
        >>> changed(TrackerSettings(), {"online.weight": 0.25}).online.weight
        0.25
    """
    for name, value in point.items():
        value_of(settings, name)
        settings = _replaced(settings, name, value)
    return settings


def _replaced(settings: Any, name: str, value: float) -> Any:
    first, _, rest = name.partition(".")
    new = _replaced(getattr(settings, first), rest, value) if rest else value
    return dataclasses.replace(settings, **{first: new})
