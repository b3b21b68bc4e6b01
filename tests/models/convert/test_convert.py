"""Checkpoint files: what is read, what is refused, and that nothing is half-loaded."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from siamtrack.errors import UnknownNameError, WeightsError
from siamtrack.models.convert import LAYOUTS, convert, read_tensors

from .seeded import weights

torch.set_num_threads(1)
FIXTURES = Path(__file__).parent / "fixtures"


def state_of(name):
    shapes = json.loads(np.load(FIXTURES / f"{name}.npz")["shapes"].tobytes())
    return {key: torch.from_numpy(value) for key, value in weights(shapes).items()}


@pytest.fixture(scope="module")
def alexnet():
    return state_of("AlexNetV1")


@pytest.fixture(scope="module")
def resnet():
    return state_of("SiamFCRes22")


def same(model, other):
    pairs = zip(model.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_every_way_to_write_it_gives_the_same(tmp_path, alexnet):
    expected, _ = convert(alexnet)
    torch.save(alexnet, tmp_path / "plain.pth")
    parallel = {f"module.{name}": value for name, value in alexnet.items()}
    torch.save({"epoch": 3, "state_dict": parallel}, tmp_path / "parallel.pth")
    torch.save(alexnet, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    save_file(alexnet, tmp_path / "a.safetensors")
    counted = {name: value for name, value in alexnet.items() if "num_batches" not in name}
    torch.save(counted, tmp_path / "older.pth")
    for file in tmp_path.iterdir():
        model, report = convert(file)
        assert report.complete, (file, report.text())
        assert not model.training
        assert same(model, expected), file
    assert same(convert(alexnet, "siamfc-pytorch")[0], expected)


def test_colours_are_turned_round(resnet):
    model, _ = convert(resnet)
    first = resnet["features.features.conv1.weight"]
    assert torch.equal(model.backbone.stem.conv1.weight, first[:, [2, 1, 0]])
    assert float(model.head.scale.detach()) == pytest.approx(0.1)


def test_shallower_networks_of_the_family_convert(resnet):
    less = {k: v for k, v in resnet.items() if ".layer2.4." not in k and ".layer2.3." not in k}
    model, _ = convert(less)
    assert len(model.backbone.layer2) == 2


def test_every_unmatched_name_is_said(resnet):
    first, second = "features.features.conv1.weight", "features.features.layer1.1.bn2.bias"
    for change, words in [
        ({second: None}, ["1 missing: backbone.layer1.1.bn2.bias"]),
        ({second: None, first: None}, ["2 missing: backbone.stem.conv1.weight, backbone.layer1"]),
        ({second: torch.zeros(63)}, [f"1 misshapen: {second} (63,) for", "(64,)"]),
        ({"features.more": torch.zeros(1)}, ["1 unused: features.more"]),
        ({"x": torch.zeros(1), second: None}, ["1 missing", "1 unused: x"]),
    ]:
        state = {k: v for k, v in {**resnet, **change}.items() if v is not None}
        with pytest.raises(WeightsError) as error:
            convert(state)
        assert all(word in str(error.value) for word in words), str(error.value)


def test_tensors_without_a_place_can_be_let_pass(resnet):
    model, report = convert({**resnet, "optimizer.step": torch.zeros(1)}, strict=False)
    assert report.unused == ("optimizer.step",)
    assert not report.complete
    assert same(model, convert(resnet)[0])
    with pytest.raises(WeightsError, match="missing"):
        convert(dict(list(resnet.items())[1:]), strict=False)


def test_other_architectures_are_refused(alexnet, resnet):
    with pytest.raises(WeightsError, match="in none of the layouts pysot-alexnet, pysot-mob"):
        convert({"conv1.weight": torch.zeros(64, 3, 7, 7)})
    with pytest.raises(WeightsError, match="no whole checkpoint of layout siamdw: it lacks"):
        convert(alexnet, "siamdw")
    with pytest.raises(WeightsError, match="no whole checkpoint of layout pysot-alexnet"):
        convert(resnet, "pysot-alexnet")
    with pytest.raises(UnknownNameError, match="did you mean 'siamdw'"):
        convert(alexnet, "siamdv")
    # version 2 of siamfc-pytorch has other strides and 32 channels: no network of ours
    with pytest.raises(WeightsError, match=r"conv5.0.weight \(32, 192, 3, 3\)"):
        convert({**alexnet, "backbone.conv5.0.weight": torch.zeros(32, 192, 3, 3)})


def test_shapes_of_no_network_are_refused(alexnet, resnet):
    for shape in [(256,), (256, 30, 5, 5), (256, 0, 5, 5)]:
        with pytest.raises(WeightsError, match="no network of layout siamfc-pytorch"):
            convert({**alexnet, "backbone.conv2.0.weight": torch.zeros(shape)})
    with pytest.raises(WeightsError, match=r"it lacks 'features\.features\.layer2'"):
        convert({name: value for name, value in resnet.items() if ".layer2." not in name})


class Evil:
    def __reduce__(self):
        return Path.touch, (Path("ran"),)


def test_code_in_a_checkpoint_is_not_run(tmp_path, monkeypatch, alexnet):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": alexnet, "args": Evil()}, "a.pth")
    Path("b.pth").write_bytes(pickle.dumps(Evil()))
    for file in ("a.pth", "b.pth"):
        with pytest.raises(WeightsError, match="other than tensors"):
            convert(file)
    assert not Path("ran").exists()


@pytest.mark.parametrize("name", ["a.pth", "old.pth", "a.safetensors"])
@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.999])
def test_cut_files(tmp_path, alexnet, name, share):
    file = tmp_path / name
    if name == "a.safetensors":
        save_file(alexnet, file)
    else:
        torch.save(alexnet, file, _use_new_zipfile_serialization=name == "a.pth")
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(WeightsError, match="damaged or no checkpoint") as error:
        read_tensors(file)
    assert name in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "no state dict"),
        ([1, 2], "no state dict"),
        ({"a": 3}, "'a' is int, not a tensor"),
        ({"state_dict": {}}, "no state dict"),
        ({"w": torch.tensor([1.0, float("nan")])}, "w holds values that are not finite"),
    ],
)
def test_files_without_weights(tmp_path, content, message):
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=message):
        read_tensors(tmp_path / "a.pth")
    (tmp_path / "text.pth").write_text("hello")
    for name in ("text.pth", "absent.pth", "."):
        with pytest.raises(WeightsError, match=r"damaged|no such file"):
            read_tensors(tmp_path / name)


def test_layouts_are_registered():
    assert set(LAYOUTS) == {
        "pysot-alexnet",
        "pysot-mobilenetv2",
        "pysot-resnet50",
        "siamdw",
        "siamfc-pytorch",
    }
