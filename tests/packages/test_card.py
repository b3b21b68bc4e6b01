import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import siamtrack
from siamtrack.errors import UnknownNameError, WeightsError
from siamtrack.packages.card import (
    DEFAULT,
    load_model,
    model_files,
    model_folder,
    model_names,
    read_card,
)
from siamtrack.runtimes import RUNTIMES

SOURCE = model_folder("lite")


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(model_folder("lite"), tmp_path / "mine")


def test_default_is_in_the_package():
    assert model_names()[0] == DEFAULT


@pytest.mark.parametrize("name", model_names())
def test_every_packaged_model(name):
    folder = model_folder(name)
    card = read_card(folder)
    assert card.name == name
    assert card.summary
    assert card.license
    assert card.trained_on
    assert card.scores
    assert sum(path.stat().st_size for path in folder.iterdir()) < 15e6
    tracker = siamtrack.load(name, threads=1)
    picture = np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    tracker.init(picture, (40, 30, 20, 30))
    assert np.isfinite(tracker.update(picture).box).all()


def test_a_card_of_version_0_1_spells_licence(folder):
    card = json.loads((folder / "card.json").read_text())
    card["licence"] = "MIT"
    del card["license"]
    (folder / "card.json").write_text(json.dumps(card))
    found = read_card(folder)
    assert (found.license, found.licence) == ("MIT", "MIT")


def test_folder_of_ones_own(folder):
    assert load_model(folder).card.name == "lite"
    assert siamtrack.load(str(folder)).name == "lite"


def test_unknown_model():
    with pytest.raises(UnknownNameError, match="did you mean 'lite'"):
        siamtrack.load("lit")


def test_unknown_runtime():
    with pytest.raises(UnknownNameError, match="did you mean 'onnx'"):
        siamtrack.load(runtime="onx")


@pytest.mark.parametrize("which", ["template.onnx", "search.onnx"])
def test_altered_file(folder, which):
    path = folder / which
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(WeightsError, match=f"{which} has sha256 .* altered or damaged"):
        load_model(folder, precision="float32")


def test_truncated_and_missing_file(folder):
    path = folder / "search.onnx"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(WeightsError, match="altered or damaged"):
        load_model(folder, precision="float32")
    path.unlink()
    with pytest.raises(WeightsError, match="cannot be read"):
        load_model(folder, precision="float32")


@pytest.mark.parametrize("text", ["", "{}", "[]", "{", '{"name": 3}', "\udcff"])
def test_damaged_card(folder, text):
    (folder / "card.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(WeightsError, match=r"card\.json is no model card"):
        load_model(folder)


def test_setting_that_does_not_exist(folder):
    path = folder / "card.json"
    card = json.loads(path.read_text())
    card["tracker"]["windw"] = 0.1
    path.write_text(json.dumps(card))
    with pytest.raises(WeightsError, match="did you mean 'window'"):
        load_model(folder)


def test_path_without_a_model(tmp_path):
    with pytest.raises(WeightsError, match="is no model: expected a folder with"):
        load_model(tmp_path)
    with pytest.raises(WeightsError, match="is no model"):
        load_model(tmp_path / "absent")
    (tmp_path / "checkpoint.pt").write_bytes(b"weights")
    with pytest.raises(WeightsError, match=r"is a checkpoint: `siamtrack export"):
        load_model(tmp_path / "checkpoint.pt")
    with pytest.raises(WeightsError, match="does not exist"):
        load_model(tmp_path / "absent.pt")


def test_graph_with_other_outputs(folder):
    from siamtrack.runtimes import Graphs

    template = (folder / "template.onnx").read_bytes()
    with pytest.raises(WeightsError, match="expected kernel and search"):
        RUNTIMES["onnx"](Graphs(template, template, folder), 1)
    with pytest.raises(WeightsError, match="cannot be loaded"):
        RUNTIMES["onnx"](Graphs(b"not a graph", template, folder), 1)


def test_a_version_names_its_weights_for_good(tmp_path, monkeypatch):
    import siamtrack.packages.card as weights

    monkeypatch.setattr(weights, "PACKAGED", tmp_path)
    for name, version in (("lite", "lite-2"), ("lite-1", "")):
        folder = shutil.copytree(SOURCE, tmp_path / name)
        card = json.loads((folder / "card.json").read_text())
        (folder / "card.json").write_text(json.dumps(card | {"name": name, "version": version}))
    assert model_folder("lite") == model_folder("lite-2") == tmp_path / "lite"
    assert model_folder("lite-1") == tmp_path / "lite-1"
    with pytest.raises(UnknownNameError):
        model_folder("lite-3")


def test_files_shared_in_the_package_are_all_in_a_copy(tmp_path):
    from siamtrack.packages.write import writing

    source = model_folder("base")
    card = read_card(source)
    assert card.shares == "lite"
    assert not (source / "search.onnx").exists()
    with writing(tmp_path / "mine", card, source):
        pass
    copy = read_card(tmp_path / "mine")
    assert copy.shares == ""
    assert copy.sha256 == card.sha256
    assert {path.name for path in (tmp_path / "mine").iterdir()} == {
        "card.json",
        *model_files(card),
    }
    assert load_model(tmp_path / "mine", threads=1).refiner is not None


def test_folder_of_the_package_copied_by_hand(tmp_path):
    folder = Path(shutil.copytree(model_folder("base"), tmp_path / "copied"))
    assert load_model(folder, threads=1).card.name == "base"
    card = json.loads((folder / "card.json").read_text())
    for other in ("", "../lite", "nobody"):
        (folder / "card.json").write_text(json.dumps(card | {"shares": other}))
        with pytest.raises(WeightsError, match=r"copied/template.onnx cannot be read"):
            load_model(folder, threads=1)
