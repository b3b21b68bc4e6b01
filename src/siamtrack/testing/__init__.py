"""Checks for what you add to siamtrack: trackers, data sets, runtimes, backbones, heads, losses.

Each says what is wrong and what to change. In a test of your package::

    @parametrize_with_checks([("tracker", MyTracker), ("backbone", MyBackbone)])
    def test_mine(check):
        check()

`siamtrack plugins --check` runs them on everything that is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from siamtrack.core.registry import Plugin
from siamtrack.core.tracks import TrackerFactory
from siamtrack.errors import MissingExtraError, PluginError, SiamtrackError
from siamtrack.testing import datasets, runtimes, trackers
from siamtrack.testing.base import (
    KINDS,
    CheckError,
    Expected,
    Outcome,
    parametrize_with_checks,
)

__all__ = [
    "KINDS",
    "CheckError",
    "Outcome",
    "check_backbone",
    "check_dataset",
    "check_head",
    "check_loss",
    "check_plugin",
    "check_runtime",
    "check_tracker",
    "parametrize_with_checks",
]


def check_tracker(make: TrackerFactory, *, expected: Expected | None = None) -> list[Outcome]:
    """Check anything with `init` and `update`.

    Args:
        make: Returns a new tracker; a class will do.
        expected: Names of checks that it is known to fail, with the reasons.

    Returns:
        What came of each check.

    Raises:
        CheckError: For the first check that did not end as expected; it says what to change.
        UnknownNameError: If `expected` names a check that there is not.

    Example:
        >>> import siamtrack
        >>> [outcome.check for outcome in check_tracker(siamtrack.load)][0]
        'returns_boxes_and_scores'
    """
    return trackers.TRACKER.verify(make, expected)


def check_dataset(dataset: Any, *, expected: Expected | None = None) -> list[Outcome]:
    """Check a data set of sequences, as `siamtrack.open_dataset` returns it.

    The frames of its first three sequences are read.

    Args:
        dataset: The data set.
        expected: As `check_tracker` takes it.

    Raises:
        CheckError, UnknownNameError: As `check_tracker`.
    """
    return datasets.DATASET.verify(dataset, expected)


def check_runtime(make: runtimes.Make, *, expected: Expected | None = None) -> list[Outcome]:
    """Check a runtime with the default model in float32.

    Args:
        make: Callable (graphs, threads) that returns the runtime.
        expected: As `check_tracker` takes it.

    Raises:
        CheckError, UnknownNameError: As `check_tracker`.
    """
    return runtimes.RUNTIME.verify(make, expected)


def check_backbone(make: Callable[..., Any], *, expected: Expected | None = None) -> list[Outcome]:
    """Check a backbone; needs torch.

    Args:
        make: Returns the network; the class will do.
        expected: As `check_tracker` takes it.

    Raises:
        CheckError, UnknownNameError: As `check_tracker`.
        MissingExtraError: If torch is not installed.
    """
    return _network_checks("backbone", make, expected)


def check_head(make: Callable[..., Any], *, expected: Expected | None = None) -> list[Outcome]:
    """Check a head; needs torch.

    Args:
        make: Callable (channels, template_cells, stride) that returns the head.
        expected: As `check_tracker` takes it.

    Raises:
        CheckError, UnknownNameError: As `check_tracker`.
        MissingExtraError: If torch is not installed.
    """
    return _network_checks("head", make, expected)


def check_loss(make: Callable[..., Any], *, expected: Expected | None = None) -> list[Outcome]:
    """Check a loss; needs torch.

    It is tried on response maps. One that takes something else has a method `example` that returns
    a prediction and a target.

    Args:
        make: Callable without arguments that returns the loss.
        expected: As `check_tracker` takes it.

    Raises:
        CheckError, UnknownNameError: As `check_tracker`.
        MissingExtraError: If torch is not installed.
    """
    return _network_checks("loss", make, expected)


def _network_checks(kind: str, make: Any, expected: Expected | None) -> list[Outcome]:
    load_network_checks()
    return KINDS[kind].verify(make, expected)


def load_network_checks() -> None:
    """Import the checks that need torch.

    Raises:
        MissingExtraError: If it is not installed.
    """
    from siamtrack.core.boundary import missing_extra

    try:
        from siamtrack.testing import networks  # noqa: F401
    except ModuleNotFoundError as error:
        if (missing := missing_extra(error)) is not None:
            raise missing from error
        raise


def check_plugin(plugin: Plugin) -> str:
    """Load what another package adds, and check it where its kind has checks.

    Data sets and models need files, and trackers may need a source behind their name: those that
    cannot be made from nothing are loaded only.

    Returns:
        What is wrong with it; empty if nothing is.
    """
    try:
        item = plugin.load()
    except PluginError as error:
        return str(error)
    if plugin.kind not in KINDS or plugin.kind == "data set":
        return ""
    make = item
    if plugin.kind == "tracker":
        try:
            item("", threads=1)
        except (ValueError, SiamtrackError, OSError):
            return ""  # it needs a source
        except Exception as error:  # anything can go wrong in what others wrote
            return f"cannot be made ({type(error).__name__}: {error})"
        make = partial(item, "", threads=1)
    try:
        if plugin.kind in ("backbone", "head", "loss"):
            load_network_checks()
        KINDS[plugin.kind].verify(make)
    except (CheckError, MissingExtraError) as error:
        return str(error)
    return ""
