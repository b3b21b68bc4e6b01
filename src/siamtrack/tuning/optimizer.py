"""How settings are searched: Optuna's samplers, pruners, storage, and pictures of a study."""

from __future__ import annotations

import logging
import random
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from siamtrack.core.registry import Registry
from siamtrack.errors import MissingExtraError, SiamtrackError
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


@SAMPLERS.register("tpe")
def _tpe(seed: int) -> Any:
    """Tree-structured Parzen estimator, aware of trials that run elsewhere at the moment."""
    return optuna_library().samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)


@SAMPLERS.register("cma")
def _cma(seed: int) -> Any:
    """Evolution of a covariance matrix."""
    return optuna_library().samplers.CmaEsSampler(seed=seed)


@SAMPLERS.register("genetic")
def _genetic(seed: int) -> Any:
    """The genetic algorithm NSGA-II, here with one objective."""
    return optuna_library().samplers.NSGAIISampler(seed=seed, population_size=20)


@SAMPLERS.register("random")
def _random(seed: int) -> Any:
    return optuna_library().samplers.RandomSampler(seed=seed)


@PRUNERS.register("median")
def _median() -> Any:
    """Ends trials that are worse after the same clips than half of those before."""
    return optuna_library().pruners.MedianPruner(n_startup_trials=20, n_warmup_steps=3)


@PRUNERS.register("halving")
def _halving() -> Any:
    return optuna_library().pruners.SuccessiveHalvingPruner(min_resource=2)


@PRUNERS.register("none")
def _never() -> Any:
    return optuna_library().pruners.NopPruner()


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
