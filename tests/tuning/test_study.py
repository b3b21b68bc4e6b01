import json

import pytest
from optuna.pruners import BasePruner

from siamtrack.cli import main
from siamtrack.errors import UnknownNameError
from siamtrack.packages.card import load_model
from siamtrack.tuning import Plan, Range, Replay, ResponseStore, clips_of, split, tune
from siamtrack.tuning.optimizer import PRUNERS, SAMPLERS
from tests.tuning.clips import dataset, write_dataset

pytestmark = pytest.mark.needs("optuna")

SPACE = {"window": Range(0.0, 0.6), "size_rate": Range(0.1, 0.9)}


@pytest.fixture(scope="module")
def model():
    return load_model("lite", threads=1)


@pytest.fixture
def study(model, tmp_path):
    tuning, held_out = (clips_of(part, 1, 4) for part in split(dataset(3, 5), "b"))
    url = f"sqlite:///{tmp_path / 'study.db'}"

    def run(trials, storage=url, watch=None, **more):
        replay = Replay(model, ResponseStore(tmp_path / "responses", model))
        plan = Plan(trials, storage=storage, **more)
        return tune(replay, model, tuning, held_out, SPACE, plan, watch)

    return run


@pytest.mark.slow
def test_a_study_goes_on_where_it_stopped(study):
    first = [trial.params for trial in study(3)[1].trials]
    tuned, second = study(6)
    assert sum(tuned.trials) == 6
    assert [t.params for t in second.trials[:3]] == first
    assert len({t.params["window"] for t in second.trials}) == 6
    again, _ = study(6)
    assert again.point == tuned.point


def test_own_settings_come_first_and_the_best_is_no_worse(study, model):
    seen = []
    tuned, result = study(4, watch=lambda ended, best: seen.append((ended, best)))
    assert [ended for ended, _ in seen] == [1, 2, 3, 4]
    assert seen[-1][1] == pytest.approx(result.best_value)
    assert result.trials[0].params["window"] == model.card.tracker.window
    assert tuned.replayed[1] >= tuned.replayed[0]
    assert tuned.sequences == {"tuned_on": ["a", "c"], "held_out": ["b"]}


@PRUNERS.register("odd")
class Odd(BasePruner):
    """Ends every other trial after its second clip."""

    def prune(self, study, trial):
        return trial.number % 2 == 1 and trial.last_step == 2


@pytest.mark.slow
def test_pruned_trials_are_parts_of_passes(model, tmp_path):
    tuning, held_out = (clips_of(part, 2, 3) for part in split(dataset(3, 5), "b"))
    assert len(tuning) == 4
    replay = Replay(model, ResponseStore(tmp_path, model))
    tuned, result = tune(replay, model, tuning, held_out, SPACE, Plan(4, pruner="odd"))
    assert tuned.trials == (2, 2)
    assert tuned.passes == 2 + 2 * 2 / 4
    assert [len(trial.intermediate_values) for trial in result.trials] == [3, 2, 3, 2]
    trials, real = tuned.processor
    assert trials > 0
    assert real > 0
    assert tuned.cheaper == pytest.approx(tuned.passes * real / trials)


def test_every_sampler_is_there():
    assert all(SAMPLERS[name](0) is not None for name in SAMPLERS)


@pytest.mark.slow
@pytest.mark.parametrize("sampler", list(SAMPLERS))
def test_every_sampler_repeats_itself_by_seed(study, sampler):
    runs = [study(3, storage="", sampler=sampler, seed=7)[1] for _ in range(2)]
    points = [[trial.params for trial in run.trials] for run in runs]
    assert points[0] == points[1]
    other = study(3, storage="", sampler=sampler, seed=7, worker=1)[1]
    assert [t.params for t in other.trials[1:]] != points[0][1:]


def test_unknown_sampler_and_shared_sequences(study, model, tmp_path):
    with pytest.raises(UnknownNameError, match="did you mean 'tpe'"):
        study(1, sampler="tpee")
    clips = clips_of(dataset(2, 5), 1, 4)
    with pytest.raises(ValueError, match="of other sequences"):
        tune(Replay(model, ResponseStore(tmp_path, model)), model, clips, clips, SPACE)


@pytest.mark.slow
def test_the_command_writes_figures_plot_and_model(tmp_path, capsys):
    data, out = write_dataset(tmp_path / "data"), tmp_path / "out"
    arguments = ["tune", "lite", f"folder:{data}", "--out", out, "--held-out", "c", "--starts", 1]
    arguments += ["--frames", 4, "--trials", 12, "--pruner", "none"]
    with pytest.raises(SystemExit) as stop:
        main([str(each) for each in arguments])
    assert stop.value.code == 0
    said = capsys.readouterr().out
    assert "held out, tracked" in said
    assert "held out: c" in said
    figures = json.loads((out / "tuned.json").read_text())
    assert figures["trials"] == [12, 0]
    assert sum(figures["importance"].values()) == pytest.approx(1)
    assert (out / "study.png").read_bytes().startswith(b"\x89PNG")
    card = load_model(out / "model", threads=1).card
    assert card.tracker.window == figures["point"]["window"]
    assert card.name == "lite-tuned"


@pytest.mark.slow
def test_other_workers_search_and_only_the_first_judges(tmp_path, capsys):
    data, out = write_dataset(tmp_path / "data"), tmp_path / "out"
    for worker, trials in ((1, 2), (0, 3)):
        arguments = ["tune", "lite", f"folder:{data}", "--out", out, "--held-out", "c", "--starts"]
        arguments += [1, "--frames", 4, "--trials", trials, "--worker", worker]
        with pytest.raises(SystemExit) as stop:
            main([str(each) for each in arguments])
        assert stop.value.code == 0
        assert (out / "tuned.json").exists() == (worker == 0)
    assert sum(json.loads((out / "tuned.json").read_text())["trials"]) == 3
    capsys.readouterr()
