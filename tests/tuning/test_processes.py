"""Processes that share a study, started at the same moment, and one that is killed."""

import json
import os
import signal
import subprocess
import sys
import time

import optuna
import pytest

from siamtrack.errors import SiamtrackError
from siamtrack.tuning.optimizer import open_storage
from tests.processes import environment
from tests.tuning.clips import write_dataset

pytestmark = pytest.mark.needs("optuna")

MANY = """
import sys, time
from siamtrack.tuning.optimizer import open_storage
import optuna
time.sleep(max(0.0, float(sys.argv[2]) - time.time()))
optuna.create_study(storage=open_storage(sys.argv[1]), study_name="s", load_if_exists=True)
"""


@pytest.fixture
def python(start):
    """Start this Python; it ends with the test."""

    def begin(*words):
        return start(
            [sys.executable, *map(str, words)],
            env=environment(),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    return begin


@pytest.fixture
def tune(python):
    def begin(data, out, worker, trials):
        return python(
            "-m",
            "siamtrack",
            "tune",
            "lite",
            f"folder:{data}",
            "--out",
            out,
            "--held-out",
            "c",
            "--starts",
            1,
            "--frames",
            4,
            "--trials",
            trials,
            "--pruner",
            "none",
            "--worker",
            worker,
        )

    return begin


def trials_of(out):
    """Return the trials of a study that may not be there yet."""
    try:
        study = optuna.load_study(study_name=None, storage=f"sqlite:///{out / 'study.db'}")
    except Exception:  # no file, no tables, no study: whatever is missing
        return []
    return study.trials


@pytest.mark.slow
def test_three_workers_that_start_at_once(tmp_path, tune):
    data, out = write_dataset(tmp_path / "data"), tmp_path / "out"
    children = [tune(data, out, worker, 9) for worker in range(3)]
    for child in children:
        said = child.communicate(timeout=600)
        assert child.returncode == 0, said[1][-3000:]
    figures = json.loads((out / "tuned.json").read_text())
    trials = trials_of(out)
    ended = [trial for trial in trials if trial.state.name == "COMPLETE"]
    assert 9 <= len(ended) <= 11, "each may be at one when the last is found"
    assert figures["trials"][0] >= 9
    own = [trial for trial in trials if "fixed_params" in trial.system_attrs]
    assert len(own) == 1, "the model's own settings are tried, once"
    points = {tuple(trial.params.values()) for trial in ended}
    assert len(points) == len(ended), "nobody repeats another's numbers"
    assert figures["replayed"][1] >= figures["replayed"][0]


@pytest.mark.slow
def test_many_that_make_the_tables_at_once(tmp_path, python):
    url, begin = f"sqlite:///{tmp_path / 'study.db'}", time.time() + 8
    children = [python("-c", MANY, url, begin) for _ in range(5)]
    for child in children:
        said = child.communicate(timeout=600)
        assert child.returncode == 0, said[1][-3000:]
    assert optuna.get_all_study_names(url) == ["s"]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_search_that_was_killed_goes_on(tmp_path, tune):
    data, out = write_dataset(tmp_path / "data"), tmp_path / "out"
    child = tune(data, out, 0, 200)
    end = time.monotonic() + 300
    while len(trials_of(out)) < 4:
        assert time.monotonic() < end
        assert child.poll() is None
        time.sleep(0.1)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    before = {t.number: t.value for t in trials_of(out) if t.state.name == "COMPLETE"}
    count = len(before) + 3
    child = tune(data, out, 0, count)
    assert child.wait(600) == 0, child.communicate()[1][-3000:]
    after = {t.number: t.value for t in trials_of(out) if t.state.name == "COMPLETE"}
    assert len(after) == count
    assert before.items() <= after.items()
    figures = json.loads((out / "tuned.json").read_text())
    assert figures["passes"] == count
    work = sum(t.user_attrs["processor_seconds"] for t in trials_of(out) if t.number in after)
    assert figures["processor"][0] == pytest.approx(work), "that before the kill counts"
    assert figures["hit_rate"] > 0.3, "windows from before the kill are known"


@pytest.mark.parametrize("url", ["nonsense", "sqlite:////no/such/folder/study.db", "nodb://x/y"])
def test_storages_that_cannot_be_used(url):
    with pytest.raises(SiamtrackError, match=r"storage .* cannot be used"):
        open_storage(url, tries=2)
