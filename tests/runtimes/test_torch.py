import os
import shutil
from dataclasses import replace

import pytest
import torch

import siamtrack
from siamtrack.errors import WeightsError
from siamtrack.models.files import from_bytes, to_bytes
from siamtrack.packages.card import load_model, read_card, read_graphs
from siamtrack.runtimes import RUNTIMES
from tests.helpers import clip
from tests.networks import KINDS, answers
from tests.runtimes.test_choose import run_python

pytestmark = pytest.mark.needs("torch")


@pytest.mark.parametrize("kind", KINDS)
def test_network_returns_from_its_file(folders, kind):
    network = from_bytes((folders[kind] / "network.safetensors").read_bytes(), "the file")
    assert not network.training
    if kind == "foreign":
        with pytest.raises(ValueError, match="expected the tensors that it was converted from"):
            to_bytes(network)
        return
    twin = from_bytes(to_bytes(network), "a copy")
    assert twin.config == network.config
    state = network.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in twin.state_dict().items())


def test_model_without_a_network(folders):
    with pytest.raises(
        WeightsError, match=r"no network\.safetensors.* 'onnx' or 'openvino'.* --format torch`"
    ):
        siamtrack.load("lite", runtime="torch")
    graphs = read_graphs(folders["box"], read_card(folders["box"]))
    with pytest.raises(WeightsError, match="computes in float32, not in int8"):
        RUNTIMES["torch"](replace(graphs, precision="int8"), 1)


@pytest.mark.parametrize("damage", ["cut", "empty", "other", "pickle"])
def test_file_that_is_no_network(folders, damage, tmp_path):
    data = (folders["box"] / "network.safetensors").read_bytes()
    if damage == "pickle":
        torch.save(torch.nn.Linear(1, 1), tmp_path / "a.pt")
        data = (tmp_path / "a.pt").read_bytes()
    elif damage == "other":
        from safetensors.torch import save

        data = save({"a": torch.zeros(2)})
    else:
        data = data[:5000] if damage == "cut" else b""
    with pytest.raises(WeightsError, match=r"the file holds no network .*export the model again"):
        from_bytes(data, "the file")


def test_altered_network(folders, tmp_path):
    folder = shutil.copytree(folders["siamfc"], tmp_path / "mine")
    path = folder / "network.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    load_model(folder, threads=1)  # others do not read it
    with pytest.raises(WeightsError, match=r"network\.safetensors has sha256 .* altered"):
        load_model(folder, runtime="torch")


def test_threads_of_the_process_stay(folders):
    before = torch.get_num_threads()
    answers(load_model(folders["siamfc"], runtime="torch", threads=before + 1), 1)
    assert torch.get_num_threads() == before


def test_tracks(folders):
    tracker = siamtrack.load(folders["siamfc"], runtime="torch", threads=1)
    reference = siamtrack.load(folders["siamfc"], threads=1)
    pictures, boxes = clip(3)
    for each in (tracker, reference):
        each.init(pictures[0], boxes[0])
    for picture in pictures[1:]:
        one, other = tracker.update(picture), reference.update(picture)
        assert one.box == pytest.approx(other.box, abs=0.05)


@pytest.mark.slow
def test_no_compiler(folders, tmp_path):
    code = f"""
import siamtrack
try:
    siamtrack.load({str(folders["siamfc"])!r}, runtime="torch-compiled")
except ValueError as error:
    print(error)
"""
    nowhere = {"CXX": "no-such-compiler", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    done = run_python(code, **nowhere, PATH=os.defpath if os.name == "nt" else str(tmp_path))
    assert "torch.compile fails here" in done.stdout, done.stderr
    assert "take runtime 'torch'" in done.stdout
