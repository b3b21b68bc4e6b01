"""How settings are searched: Optuna's samplers and pruners by name."""

from __future__ import annotations

from typing import Any

from siamtrack.core.registry import Registry
from siamtrack.errors import MissingExtraError

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
