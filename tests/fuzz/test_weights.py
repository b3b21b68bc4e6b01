"""Weights, checkpoints, graphs and cards of every format: a network, or a `WeightsError`."""

import io
import json
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save

from siamtrack.core.config import to_dict
from siamtrack.data.pairs import PairConfig
from siamtrack.errors import MissingExtraError, UnknownNameError, WeightsError
from siamtrack.models import files
from siamtrack.models.convert import convert
from siamtrack.models.convert.layout import read_tensors
from siamtrack.models.network import SiamFCConfig, build_network
from siamtrack.packages.card import load_model, model_folder, read_card
from siamtrack.runtimes import RUNTIMES, Graphs
from siamtrack.training import TrainConfig, checkpoint
from siamtrack.training.checkpoint import export
from tests.fuzz.harness import CHANGES, case, changed, fuzz
from tests.networks import write_checkpoint

pytestmark = pytest.mark.needs("torch")

LITTLE = {"backbone.a.weight": torch.ones(4, 3), "backbone.b": torch.arange(3)}


def _torch(content, **options):
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


def _checkpoint(path):
    return write_checkpoint(path, "siamfc").read_bytes()


def _foreign(path):
    return write_checkpoint(path, "foreign").read_bytes()


def _read_checkpoint(path):
    checkpoint.config_of(checkpoint.read(path))


def _saved(_):
    return files.to_bytes(build_network(SiamFCConfig(width=0.0625, search=191)))


READERS = {
    "zip.pth": (lambda _: _torch({"state_dict": LITTLE}), read_tensors),
    "legacy.pth": (lambda _: _torch(LITTLE, _use_new_zipfile_serialization=False), read_tensors),
    "tensors.safetensors": (lambda _: save(LITTLE), read_tensors),
    "foreign.pth": (_foreign, lambda path: convert(read_tensors(path))),
    "checkpoint.pt": (_checkpoint, _read_checkpoint),
    "search.safetensors": (_saved, lambda path: files.from_bytes(path.read_bytes(), str(path))),
}


@pytest.mark.parametrize("name", READERS)
def test_files(name, tmp_path):
    make, read = READERS[name]
    path = tmp_path / name
    data = make(path)
    path.write_bytes(data)
    read(path)

    @fuzz
    @given(changes=CHANGES)
    def run(changes):
        path.write_bytes(changed(data, changes))
        with case(name, WeightsError):
            read(path)

    run()


def test_cards(tmp_path):
    """A changed card is refused, or says nothing else of the files than before."""
    folder = shutil.copytree(model_folder("lite"), tmp_path / "mine")
    data = (folder / "card.json").read_bytes()
    hashes = read_card(folder).sha256

    @fuzz
    @given(changes=CHANGES)
    def run(changes):
        (folder / "card.json").write_bytes(changed(data, changes))
        with case("card.json", WeightsError):
            card = read_card(folder)
            if card.sha256 != hashes:
                load_model(folder, threads=1, precision="float32")

    run()


def test_one_changed_bit_of_a_graph_is_always_noticed(tmp_path):
    folder = shutil.copytree(model_folder("lite"), tmp_path / "mine")
    path = folder / "search.onnx"
    data = path.read_bytes()

    @fuzz
    @given(st.integers(0, 8 * len(data) - 1))
    def run(bit):
        byte = bit // 8
        path.write_bytes(data[:byte] + bytes([data[byte] ^ 1 << bit % 8]) + data[byte + 1 :])
        with case("graph behind its hash", WeightsError):
            load_model(folder, threads=1, precision="float32")
            raise AssertionError("loaded although a bit was changed")

    run()


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Template and search graph of a small SiamFC, and patches for both."""
    folder = tmp_path_factory.mktemp("small")
    network = build_network(SiamFCConfig(width=0.0625, search=191))
    config = TrainConfig(model=network.config, pairs=PairConfig(127, 191))
    content = {"step": 0, "config": json.dumps(to_dict(config)), "model": network.state_dict()}
    torch.save(content | {"average": network.state_dict()}, folder / "a.pt")
    export(folder / "a.pt", folder / "out")
    template, search = (np.zeros((1, side, side, 3), np.uint8) for side in (127, 191))
    graphs = [(folder / "out" / f"{name}.onnx").read_bytes() for name in ("template", "search")]
    return (*graphs, template, search)


@pytest.mark.parametrize("name", ["onnx", "openvino"])
@pytest.mark.parametrize("which", [0, 1], ids=["template", "search"])
def test_graphs_that_somebody_made(name, which, small, tmp_path):
    """Hashes do not help against a folder whose card and graphs are of the same bad hand."""
    *graphs, template, search = small

    @fuzz
    @given(changes=CHANGES)
    def run(changes):
        data = list(graphs)
        data[which] = changed(data[which], changes)
        with case(f"hostile graph, {name}", WeightsError, MissingExtraError):
            runtime = RUNTIMES[name](Graphs(*data, tmp_path), 1)
            kernel = runtime.embed(template, np.zeros((1, 2), np.float32))
            runtime.respond(kernel, search)

    run()


@fuzz
@given(st.text(max_size=30))
def test_names_of_models(name):
    with case("model name", WeightsError, UnknownNameError):
        if name != "lite":
            model_folder(name)


@fuzz
@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=4),
        lambda inner: st.dictionaries(st.text(max_size=5), inner),
        max_leaves=5,
    )
)
def test_structures_in_metadata(value):
    data = save(LITTLE, {files.STRUCTURE: json.dumps(value)})
    with case("structure in .safetensors", WeightsError):
        files.from_bytes(data, "a.safetensors")
