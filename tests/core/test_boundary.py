"""What nobody foresaw becomes one sentence; numbers that are absurd are refused everywhere."""

import dataclasses
import math
import os
import subprocess
import sys
import typing

import numpy as np
import pytest

import siamtrack
from siamtrack.cli import main
from siamtrack.core.boundary import SWITCH, surface
from siamtrack.core.config import from_dict, to_dict
from siamtrack.core.settings import OnlineSettings, PresenceSettings, TrackerSettings
from siamtrack.data import DATASETS
from siamtrack.data.annotations import import_annotations
from siamtrack.data.pairs import PairConfig
from siamtrack.data.prepare import CropConfig
from siamtrack.errors import (
    DatasetError,
    MissingExtraError,
    PluginError,
    UnexpectedError,
    VideoError,
    WeightsError,
)
from siamtrack.packages.card import load_model, model_folder, read_card
from siamtrack.tracking.follow import read_boxes
from siamtrack.tracking.tracker import SiamTracker

ABSURD = [math.nan, math.inf, -math.inf, 10**400, -(10**400), 10**5000, 2.0**80, 1e308]
CARD = read_card(model_folder("lite"))
PICTURE = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)


def numeric_fields(kind):
    hints = typing.get_type_hints(kind)
    return [
        (f.name, hints[f.name]) for f in dataclasses.fields(kind) if hints[f.name] in (int, float)
    ]


def training_configs():
    from siamtrack.models.network import BoxTrackerConfig, SiamFCConfig
    from siamtrack.training import TrainConfig

    return [SiamFCConfig(), BoxTrackerConfig(), TrainConfig()]


def check_refuses(config):
    """Every number of a config refuses what is absurd, from JSON and from Python."""
    kind = type(config)
    for name, hint in numeric_fields(kind):
        for value in [*ABSURD, "7", None, True, *([0.5] if hint is int else [])]:
            with pytest.raises((ValueError, TypeError)) as caught:
                from_dict(kind, {**to_dict(config), name: value})
            assert len(str(caught.value)) < 300
            with pytest.raises((ValueError, TypeError)):
                dataclasses.replace(config, **{name: value})


@pytest.mark.parametrize(
    "config",
    [CARD, PresenceSettings(), OnlineSettings(), TrackerSettings(), PairConfig(), CropConfig()],
    ids=lambda config: type(config).__name__,
)
def test_every_number_of_a_config_is_checked(config):
    assert numeric_fields(type(config))
    check_refuses(config)


@pytest.mark.needs("torch")
def test_every_number_of_a_training_config_is_checked():
    for config in training_configs():
        check_refuses(config)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("template", 0),
        ("template", 10**6),
        ("template", 10**400),
        ("search", 10**6),
        ("stride", -8),
        ("stride", 0),
        ("tracker.presence.slope", math.nan),
        ("tracker.up", 10**9),
        ("tracker.scales", 10**9 + 1),
        ("tracker.context", 1e300),
        ("scores", {"AUC": math.inf}),
    ],
)
def test_cards_with_absurd_numbers(place, value, tmp_path):
    import json

    values = to_dict(CARD)
    inner = values
    *path, last = place.split(".")
    for key in path:
        inner = inner[key]
    inner[last] = value
    (tmp_path / "card.json").write_text(json.dumps(values))
    with pytest.raises(WeightsError, match=last):
        load_model(tmp_path)


@pytest.mark.parametrize("box", [[10**400] * 4, [10**5000, 1, 1, 1], [1j, 2, 3, 4], "abcd"])
def test_boxes_of_absurd_numbers(box):
    tracker = siamtrack.load()
    with pytest.raises(ValueError, match="expected four numbers"):
        tracker.init(PICTURE, box)


def two_targets():
    tracker = siamtrack.load()
    tracker.add(PICTURE, (20, 20, 30, 30))
    tracker.add(PICTURE, (80, 40, 30, 30))
    return tracker


@pytest.mark.parametrize(
    "priors",
    [
        {0: (60, 60, 20, 20), 1: (1, 2, 0, 0)},
        {0: (60, 60, 20, 20), 1: [10**400] * 4},
        {0: (60, 60, 20, 20), 9: (1, 1, 9, 9)},
        {0: (60, 60, 20, 20), 1: None},
        {0: (60, 60, 20, 20), 1: object()},
        {0: (60, 60, 20, 20), "1": (1, 1, 9, 9)},
        {0: (60, 60, 20, 20), 0.5: (1, 1, 9, 9)},
        {0: (60, 60, 20, 20), (1,): (1, 1, 9, 9)},
        [(60, 60, 20, 20), (1, 1, 9, 9)],
        (60, 60, 20, 20),
        7,
    ],
)
def test_one_bad_prior_moves_no_target(priors):
    tracker, other = two_targets(), two_targets()
    with pytest.raises(ValueError, match=r"prior|box|id"):
        tracker.update_all(PICTURE, priors)
    for mine, theirs in zip(tracker.update_all(PICTURE), other.update_all(PICTURE), strict=True):
        np.testing.assert_array_equal(mine.box, theirs.box)


@pytest.mark.parametrize("number", [1.5, math.nan, "1", True, 10**400, [1], 2**63])
def test_ids_are_whole_numbers(number):
    tracker = siamtrack.load()
    with pytest.raises(ValueError, match="whole number"):
        tracker.add(PICTURE, (20, 20, 30, 30), number)
    assert tracker.ids == []
    with pytest.raises(ValueError, match="whole number"):
        tracker.remove(number)


def test_numpy_ids_are_whole_numbers():
    tracker = siamtrack.load()
    tracker.add(PICTURE, (20, 20, 30, 30), np.int64(3))
    assert [type(number) for number in tracker.ids] == [int]


@pytest.mark.parametrize(
    "line", ["0.5 1 1 2 30 40", "0 1.5 1 2 30 40", "nan 1 1 2 30 40", "0 1e300 1 2 3 4"]
)
def test_frames_and_ids_in_a_file_are_whole_numbers(line, tmp_path):
    path = tmp_path / "boxes.txt"
    path.write_text("0 0 1 2 30 40\n" + line + "\n")
    with pytest.raises(DatasetError, match=r"line 2: .*whole numbers"):
        read_boxes(path, 0)


@pytest.mark.parametrize("number", [2**31, 2**32, -1, 10**30, 10**400])
def test_cameras_have_small_numbers(number):
    with pytest.raises(VideoError, match="expected a number from 0"):
        siamtrack.open_video(number)


def test_the_command_names_a_camera_that_cannot_be(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["track", "4294967296", "--box", "1", "1", "9", "9"])
    assert caught.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("name", ["start", "end", "stride"])
@pytest.mark.parametrize("value", [1.5, 10**400, "3", True])
def test_spans_are_whole_numbers(name, value):
    with pytest.raises(ValueError, match=f"{name} .*whole number"):
        siamtrack.open_video(np.zeros((3, 9, 9, 3), np.uint8), **{name: value})


@pytest.mark.parametrize("threads", [10**400, 10**6, 1.5, -1])
def test_threads_are_few(threads):
    with pytest.raises(ValueError, match=r"threads .*whole number"):
        siamtrack.load(threads=threads)


IMPORTS = {
    "cvat": ("a.xml", "<annotations><track id='1'><box frame='x'/></track></annotations>"),
    "coco-video": ("a.json", '{"images": [{"id": 1}], "annotations": [[]], "videos": 5}'),
    "mot": ("gt.txt", "1,1,1\n"),
}


@pytest.mark.parametrize("form", IMPORTS)
def test_an_import_with_images_names_the_file(form, tmp_path):
    import cv2

    name, text = IMPORTS[form]
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "1.png"), PICTURE)
    (tmp_path / name).write_text(text)
    with pytest.raises(DatasetError):
        import_annotations(form, tmp_path / name, tmp_path / "out", tmp_path / "images")


def test_a_plug_in_that_returns_nothing_is_named(tmp_path):
    DATASETS.register("nothing-at-all")(lambda path, partial=False: None)
    try:
        with pytest.raises(PluginError, match="data set 'nothing-at-all' returned None"):
            siamtrack.open_dataset(f"nothing-at-all:{tmp_path}")
    finally:
        del DATASETS._items["nothing-at-all"]


def test_a_tracker_whose_update_returns_nothing_is_named():
    from siamtrack.data.sequence import Sequence
    from siamtrack.evaluation.run import run_tracker

    class Silent:
        def init(self, frame, box):
            return None

        def update(self, frame):
            return None

    sequence = Sequence("a", [PICTURE, PICTURE], np.array([[1.0, 1, 9, 9]] * 2))
    with pytest.raises(TypeError, match="expected an object with box and score"):
        run_tracker(Silent(), sequence)


def test_what_nobody_foresaw_leaves_the_api_as_one_sentence(caplog, monkeypatch):
    monkeypatch.delenv(SWITCH, raising=False)

    class Broken:
        def embed(self, template, size):
            return {}["kernel"]

    tracker = SiamTracker(dataclasses.replace(siamtrack.load().model, runtime=Broken()))
    with pytest.raises(
        UnexpectedError, match=r"unexpected KeyError: 'kernel'\. .*report it"
    ) as caught:
        tracker.init(PICTURE, (20, 20, 30, 30))
    assert isinstance(caught.value.__cause__, KeyError)
    assert not caplog.records
    monkeypatch.setenv(SWITCH, "1")
    with pytest.raises(UnexpectedError):
        tracker.init(PICTURE, (20, 20, 30, 30))
    assert "embed" in caplog.text


def test_foreseen_errors_pass_as_they_are():
    @surface
    def refuse():
        raise WeightsError("no")

    with pytest.raises(WeightsError, match=r"^no$"):
        refuse()


OWN = """from siamtrack.{place} import {name}
@{name}.register("broken")
def broken(*a, **k):
    {does}
"""


def run(*words, **more):
    command = [sys.executable, "-m", "siamtrack", *words]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=600, env={**os.environ, **more}
    )


def test_the_command_tells_a_defect_in_one_sentence(tmp_path):
    own = tmp_path / "own.py"
    own.write_text(OWN.format(place="data", name="DATASETS", does="raise RuntimeError('oh no')"))
    (tmp_path / "data").mkdir()
    words = ["--import", str(own), "eval", f"broken:{tmp_path / 'data'}", "--tracker", "lite"]
    done = run(*words, **{SWITCH: ""})
    assert done.returncode == 2  # an UnexpectedError of the API
    assert done.stderr.count("\n") == 1
    assert "unexpected RuntimeError: oh no" in done.stderr
    assert "Traceback" in run(*words, **{SWITCH: "1"}).stderr


@pytest.mark.parametrize(
    "words",
    [
        ("train", "--data", "x", "--out", "y"),
        ("fine-tune", "a.pt", "--data", "x", "--out", "y"),
        ("export", "a.pt", "b"),
    ],
)
def test_verbs_that_need_torch_name_the_extra(words, tmp_path):
    """As in an environment without the extra: nothing called torch can be imported."""
    (tmp_path / "a.pt").write_bytes(b"")
    hide = (
        "import sys\n"
        "class Hide:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] == 'torch':\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Hide())\n"
        "from siamtrack.cli import main\n"
        f"main({list(words)!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", hide], capture_output=True, text=True, cwd=tmp_path, timeout=600
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert "siamtrack[train]" in done.stderr


def test_functions_that_need_torch_name_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [
        name for name in sys.modules if name.startswith(("siamtrack.training", "siamtrack.models"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    siamtrack.__dict__.pop("train", None)
    with pytest.raises(MissingExtraError, match=r"siamtrack\[train\]"):
        siamtrack.train  # noqa: B018
