"""What other packages add: found without importing it, and unable to break ours."""

import logging
import pickle
import shutil
import sys

import numpy as np
import pytest

import siamtrack
from siamtrack.cli import main
from siamtrack.core.registry import GROUPS, Registry, plugins
from siamtrack.data.annotations import TRAINING
from siamtrack.errors import PluginError, UnknownNameError
from siamtrack.evaluation import open_tracker
from siamtrack.packages.card import model_folder, model_names
from siamtrack.runtimes import RUNTIMES, runtime_names
from siamtrack.sinks import SINKS
from tests.helpers import clip
from tests.plugin_files import installed

GOOD = """
from pathlib import Path
from types import SimpleNamespace
from siamtrack.sinks import CsvSink
from siamtrack.runtimes.onnx import OnnxRuntime
class Still:
    def __init__(self, source, *, threads=0): self.source = source
    def init(self, frame, box): self.box = box
    def update(self, frame): return SimpleNamespace(box=self.box, score=0.5)
class Table(CsvSink): ...
class Engine(OnnxRuntime): ...
def nothing(source, *, threads=0): return 3
"""
ENTRIES = """
[siamtrack.trackers]
still = good_things:Still
nothing = good_things:nothing
[siamtrack.sinks]
table = good_things:Table
[siamtrack.runtimes]
engine = good_things:Engine
"""


@pytest.fixture
def good(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(installed(tmp_path, "good-pack", ENTRIES, good_things=GOOD)))
    yield
    sys.modules.pop("good_things", None)


@pytest.fixture
def bad(tmp_path, monkeypatch):
    entries = """
[siamtrack.trackers]
broken = bad_things:Tracker
absent = no_such_module:Tracker
leaves = bad_exit:Tracker
lacking = json:no_such_name
module = json
[siamtrack.models]
broken = bad_things:FOLDER
nowhere = sys:prefix
number = sys:maxsize
lite = bad_things:FOLDER
"""
    place = installed(tmp_path, "bad-pack", entries, bad_things="1 / 0", bad_exit="exit(3)")
    monkeypatch.syspath_prepend(str(place))


def test_names_are_listed_without_an_import(good):
    assert "engine" in runtime_names()
    assert "table" in SINKS
    assert len(SINKS) == len(list(SINKS))
    assert set(plugins("siamtrack.trackers")) >= {"still", "nothing"}
    assert "good_things" not in sys.modules


def test_things_are_what_the_package_has(good):
    assert RUNTIMES["engine"].__name__ == "Engine"
    tracker = siamtrack.load(runtime="engine", threads=1)
    assert type(tracker.model.runtime) is sys.modules["good_things"].Engine


@pytest.mark.parametrize(("spec", "source"), [("still", ""), ("still:here", "here")])
def test_a_tracker_is_opened_by_its_name(good, spec, source):
    name, make = open_tracker(spec)
    tracker = pickle.loads(pickle.dumps(make))()  # on its way to a worker
    assert (name, tracker.source) == ("still", source)
    pictures, boxes = clip(2)
    tracker.init(pictures[0], boxes[0])
    np.testing.assert_array_equal(tracker.update(pictures[1]).box, boxes[0])


def test_a_tracker_that_is_none_is_refused(good):
    with pytest.raises(siamtrack.errors.SiamtrackError, match="'nothing' makes a int, which has"):
        open_tracker("nothing")[1]()


def test_unknown_names_suggest_theirs(good):
    with pytest.raises(UnknownNameError, match="did you mean 'engine'"):
        siamtrack.load(runtime="enginee")


def test_a_model_is_loaded_by_its_name(tmp_path, monkeypatch, capsys):
    shutil.copytree(model_folder("ciresnet22-slim"), tmp_path / "theirs")
    text = "from pathlib import Path\nFOLDER = Path(__file__).parent / 'theirs'"
    entries = "[siamtrack.models]\nsharp = model_things:FOLDER\n"
    monkeypatch.syspath_prepend(str(installed(tmp_path, "model-pack", entries, model_things=text)))
    assert model_names()[0] == "base"
    assert "sharp" in model_names()
    assert "model_things" not in sys.modules
    assert siamtrack.load("sharp", threads=1).name == "ciresnet22-slim"
    with pytest.raises(SystemExit):
        main(["models"])
    assert "\nsharp: " in capsys.readouterr().out
    del sys.modules["model_things"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("broken", "ZeroDivisionError: division by zero"),
        ("absent", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("leaves", "SystemExit: 3"),
        ("lacking", "AttributeError"),
        ("module", "is the module json; its entry point has to say module:attribute"),
    ],
)
def test_a_package_that_fails_is_named(bad, name, reason):
    with pytest.raises(PluginError) as caught:
        open_tracker(name)[1]()
    message = str(caught.value)
    assert message.startswith(f"tracker {name!r} of the package bad-pack 1.0 ")
    assert reason in message


@pytest.mark.parametrize("name", ["nowhere", "number"])
def test_a_model_that_is_no_folder_of_a_model_is_refused(bad, name):
    with pytest.raises(PluginError, match=r"of the package bad-pack 1\.0 is .*expected the path"):
        siamtrack.load(name)


def test_models_of_ours_are_listed_beside_broken_ones(bad, capsys, caplog):
    with pytest.raises(SystemExit) as stop:
        main(["models"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith("base (default): ")
    assert "broken" not in out
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warnings) == 3  # one each; the name `lite` is ours
    assert all("bad-pack 1.0" in warning for warning in warnings)


def test_a_name_of_ours_goes_before_theirs(bad):
    assert model_names().count("lite") == 1
    assert siamtrack.load("lite", threads=1).name == "lite"


def test_the_command_lists_and_checks(good, bad, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["plugins"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert "tracker still: good-pack 1.0\n" in out
    assert "good_things" not in sys.modules
    with pytest.raises(SystemExit) as stop:
        main(["plugins", "--check"])
    assert stop.value.code == 2
    out = capsys.readouterr().out
    assert "tracker still: good-pack 1.0; tracker, check 'follows_a_target'" in out
    assert "tracker nothing: good-pack 1.0; tracker, check" in out
    assert "runtime engine: good-pack 1.0\n" in out
    assert "tracker broken: bad-pack 1.0; tracker 'broken' of the package bad-pack" in out


def test_two_packages_with_one_name(tmp_path, monkeypatch):
    for number in (1, 2):
        entries = "[siamtrack.trackers]\ntwice = json:loads\n"
        place = installed(tmp_path / str(number), f"pack-{number}", entries)
        monkeypatch.syspath_prepend(str(place))
    with pytest.raises(PluginError, match=r"from several packages, pack-1 1\.0, pack-2"):
        open_tracker("twice")[1]()


def test_damaged_metadata_of_others_hide_nothing(good, tmp_path, monkeypatch, caplog):
    place = installed(tmp_path / "more", "odd-pack", "[siamtrack.sinks]\nno equals sign here\n")
    monkeypatch.syspath_prepend(str(place))
    assert "table" in SINKS
    assert SINKS["table"].__name__ == "Table"


def test_lists_of_everything_go_on_without_what_fails(bad, caplog):
    registry = Registry("tracker", "siamtrack.trackers")
    registry.register("ours")(int)
    assert [name for name, _ in registry.loadable() if name in ("ours", "broken")] == ["ours"]
    assert "bad-pack 1.0 cannot be loaded" in caplog.text


@pytest.mark.needs("torch")
def test_every_group_serves_a_registry():
    from siamtrack.data import DATASETS
    from siamtrack.data.pairs import SAMPLERS
    from siamtrack.evaluation.peers import PEERS
    from siamtrack.losses import LOSSES
    from siamtrack.models.backbones import BACKBONES
    from siamtrack.models.heads import HEADS, OBJECTIVES
    from siamtrack.packages.write import FORMATS
    from siamtrack.training import PRESETS

    registries = [
        BACKBONES,
        DATASETS,
        FORMATS,
        HEADS,
        LOSSES,
        OBJECTIVES,
        PEERS,
        PRESETS,
        RUNTIMES,
        SAMPLERS,
        SINKS,
        TRAINING,
    ]
    assert {r.group: r.kind for r in registries} | {"siamtrack.models": "model"} == GROUPS
