"""Errors survive the way out of a worker process, and are what callers catch."""

import pickle
from pathlib import Path

import pytest

from siamtrack import errors

SAMPLES = [
    errors.SiamtrackError("x"),
    errors.UnknownNameError("model", "nanno", ["nano", "siamfc"], "Do this"),
    errors.NotInitialisedError("x"),
    errors.VideoError("x"),
    errors.FolderBusyError(Path("out"), "process 7"),
    errors.StaleResultsError("x"),
    errors.DatasetError("x"),
    errors.ImageError("a.jpg", "missing"),
    errors.ResultsError("x"),
    errors.WorkerDiedError("x"),
    errors.PluginError("x"),
    errors.UnexpectedError("x"),
    errors.WeightsError("x"),
    errors.MissingExtraError("training", "torch", "train"),
]


def test_there_is_a_sample_of_every_class():
    classes = {c for c in vars(errors).values() if isinstance(c, type)}
    assert {c for c in classes if issubclass(c, Exception)} == {type(e) for e in SAMPLES}


@pytest.mark.parametrize("error", SAMPLES, ids=lambda error: type(error).__name__)
def test_errors_can_be_pickled_and_share_a_base(error):
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert isinstance(error, errors.SiamtrackError)


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.UnknownNameError, LookupError),
        (errors.NotInitialisedError, RuntimeError),
        (errors.VideoError, OSError),
        (errors.DatasetError, ValueError),
        (errors.ImageError, errors.DatasetError),
        (errors.ResultsError, ValueError),
        (errors.WeightsError, ValueError),
        (errors.MissingExtraError, ImportError),
        (errors.PluginError, ImportError),
    ],
)
def test_the_built_in_error_catches_them_too(kind, builtin):
    assert issubclass(kind, builtin)
