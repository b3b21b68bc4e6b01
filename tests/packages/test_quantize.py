import base64
import errno
import shutil

import numpy as np
import onnx
import pytest

from siamtrack.data.manifest import Pool, read_manifest
from siamtrack.data.pairs import PairConfig, PairSampler
from siamtrack.errors import WeightsError
from siamtrack.packages.card import INT8, choose_precision, load_model, model_folder, read_card
from siamtrack.packages.quantize import quantize
from siamtrack.runtimes.onnx import PROBE, int8_is_exact
from siamtrack.training import checkpoint as checkpoints
from siamtrack.training import train
from siamtrack.training.checkpoint import export
from tests.training.manifest import write_manifest
from tests.training.test_loop import SIAMFC

pytestmark = pytest.mark.needs("torch")


def sampled(folder, pairs):
    return PairSampler(Pool(read_manifest(write_manifest(folder / "data"))), pairs)


def trained(folder):
    """A sampler, and the checkpoint of a short run."""
    sampler = sampled(folder, SIAMFC.pairs)
    return sampler, train(SIAMFC, sampler, folder / "run")


@pytest.fixture(scope="module", params=["box", "siamfc"])
def model(request, tmp_path_factory):
    """A folder with both precisions, a sampler of its pairs, and how well the two agree."""
    folder = tmp_path_factory.mktemp("model")
    if request.param == "siamfc":
        sampler, path = trained(folder)
        export(path, folder / "both")
    else:  # peaks of a network after four steps move with the last bits of its scores
        sampler = sampled(folder, PairConfig(template=129, search=257))
        shutil.copytree(model_folder("lite"), folder / "both")
    before = (folder / "both" / "search.onnx").read_bytes()
    found = quantize(folder / "both", sampler.draw, pairs=4, compare=6)
    assert (folder / "both" / "search.onnx").read_bytes() == before
    return folder / "both", sampler, found


def test_int8_gives_nearly_what_float32_gives(model):
    folder, sampler, found = model
    assert found.pairs == 6
    assert 0.9 < found.correlation < 1
    one = load_model(folder, precision="float32", threads=1)
    other = load_model(folder, precision="int8", threads=1)
    assert (one.precision, other.precision) == ("float32", "int8")
    pairs = [sampler.draw(index) for index in (50, 51)]
    kernel = one.runtime.embed(
        np.stack([pair.template for pair in pairs]),
        np.stack([pair.size for pair in pairs]).astype(np.float32),
    )
    search = np.stack([pair.search for pair in pairs])
    wide, narrow = one.runtime.respond(kernel, search), other.runtime.respond(kernel, search)
    assert narrow.score.shape == wide.score.shape
    assert not np.array_equal(narrow.score, wide.score)
    assert np.corrcoef(wide.score.ravel(), narrow.score.ravel())[0, 1] > 0.9
    alone = other.runtime.respond(kernel[1:], search[1:])
    np.testing.assert_allclose(alone.score[0], narrow.score[1], rtol=1e-4, atol=1e-5)


def test_the_first_convolution_reads_the_pixels(model):
    graph = onnx.load(str(model[0] / f"{INT8}.onnx")).graph
    readers = {name: node for node in graph.node for name in node.input}
    pixels = readers["search"]
    assert (pixels.op_type, readers[pixels.output[0]].op_type) == ("Transpose", "DequantizeLinear")


def test_choice(model):
    card = read_card(model[0])
    assert choose_precision(card, "auto", "onnx", lambda: True) == "int8"
    assert choose_precision(card, "auto", "onnx", lambda: False) == "float32"
    assert load_model(model[0]).precision == choose_precision(card, "auto", "onnx")
    assert choose_precision(card, "auto", "another") == "float32"
    assert choose_precision(card, "float32", "onnx") == "float32"
    with pytest.raises(ValueError, match="precision 'int4': expected one of"):
        load_model(model[0], precision="int4")


def test_altered_int8_graph(model, tmp_path):
    shutil.copytree(model[0], tmp_path / "both")
    file = tmp_path / "both" / f"{INT8}.onnx"
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    with pytest.raises(WeightsError, match=r"search\.int8\.onnx has sha256 .* altered"):
        load_model(tmp_path / "both", precision="int8")


def test_a_full_disk_leaves_what_was_there(model, tmp_path, monkeypatch):
    shutil.copytree(model[0], tmp_path / "both")
    before = {file.name: file.read_bytes() for file in (tmp_path / "both").iterdir()}

    def full(folder, card):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("siamtrack.packages.write.write_card", full)
    with pytest.raises(OSError, match="what it held stays: make room"):
        quantize(tmp_path / "both", model[1].draw, pairs=4, compare=6)
    assert {file.name: file.read_bytes() for file in (tmp_path / "both").iterdir()} == before


def test_pairs_of_other_sides(model):
    other = PairSampler(model[1].pool, type(model[1].config)(template=33, search=65))
    with pytest.raises(ValueError, match="pairs of 33 and 65 pixels for a model of"):
        quantize(model[0], other.draw, pairs=1)


def test_a_model_that_int8_would_ruin(tmp_path):
    """One channel, which nothing reads, a million times the others leaves these a single step."""
    sampler, path = trained(tmp_path)
    state = checkpoints.read(path)
    norm = next(name for name in state["average"] if name.endswith("running_mean"))
    state["average"][norm.replace("running_mean", "bias")][0] = 1e6
    weights = [
        name
        for name, value in state["average"].items()
        if name.endswith("weight") and value.ndim > 1
    ]
    following = weights[1]
    state["average"][following][:, 0] = 0
    checkpoints.save(tmp_path / "checkpoint.pt", state)
    export(tmp_path / "checkpoint.pt", tmp_path / "model")
    assert choose_precision(read_card(tmp_path / "model"), "auto", "onnx") == "float32"
    with pytest.raises(WeightsError, match=r"has no int8 graph: .* export --int8"):
        load_model(tmp_path / "model", precision="int8")
    card = (tmp_path / "model" / "card.json").read_bytes()
    with pytest.raises(WeightsError, match=r"int8 would ruin .*: .* keep float32"):
        quantize(tmp_path / "model", sampler.draw, pairs=4, compare=6)
    assert (tmp_path / "model" / "card.json").read_bytes() == card
    assert not (tmp_path / "model" / f"{INT8}.onnx").exists()


def test_probe_convolves_in_8_bits():
    graph = onnx.load_from_string(base64.b64decode(PROBE)).graph
    assert [node.op_type for node in graph.node] == ["ConstantOfShape", "QLinearConv"]
    assert isinstance(int8_is_exact(), bool)
