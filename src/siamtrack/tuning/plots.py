"""Pictures of a study: how it went, and which settings mattered."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from siamtrack.errors import MissingExtraError

if TYPE_CHECKING:
    import optuna

FEWEST = 10
"""Complete trials below which importance says nothing."""


def importance(study: optuna.Study) -> dict[str, float]:
    """Return the share of each setting in what made trials differ; empty for too few trials.

    Hutter et al., "An Efficient Approach for Assessing Hyperparameter Importance", ICML 2014.
    """
    import optuna as _optuna

    done = study.get_trials(deepcopy=False, states=(_optuna.trial.TrialState.COMPLETE,))
    if len(done) < FEWEST:
        return {}
    judge = _optuna.importance.PedAnovaImportanceEvaluator()
    with warnings.catch_warnings():
        # trials that are all alike have settings of the same importance, which the result says
        warnings.filterwarnings("ignore", "Target and region quantiles", UserWarning)
        found = _optuna.importance.get_param_importances(study, evaluator=judge)
    return {name: float(value) for name, value in found.items()}


def draw(study: optuna.Study, file: Path) -> Path:
    """Draw the history of a study and the importance of its settings.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("plots of a study", "matplotlib", "tune") from error
    import optuna as _optuna

    figure = Figure(figsize=(10, 4), layout="constrained")
    FigureCanvasAgg(figure)
    history, bars = figure.subplots(1, 2)
    trials = study.get_trials(deepcopy=False, states=(_optuna.trial.TrialState.COMPLETE,))
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
