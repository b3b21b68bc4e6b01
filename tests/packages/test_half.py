"""Half the size, nearly the same answers, and a card that says the truth."""

import shutil

import numpy as np
import onnx
import pytest

from siamtrack.cli.main import main
from siamtrack.errors import WeightsError
from siamtrack.packages.card import GRAPHS, INT8, load_model, read_card, read_graphs
from siamtrack.packages.quantize import half_weights, halve
from tests.networks import KINDS, answers, assert_alike, write_checkpoint

pytestmark = pytest.mark.needs("torch")


@pytest.mark.parametrize("kind", KINDS)
def test_half_the_size_and_nearly_the_same(kind, folders, tmp_path):
    plain, small = folders[kind], shutil.copytree(folders[kind], tmp_path / "small")
    card = halve(small)
    assert card == read_card(small)
    for name in ("template.onnx", "search.onnx"):
        assert (small / name).stat().st_size < 0.7 * (plain / name).stat().st_size
    one, other = (answers(load_model(folder, threads=1), 2) for folder in (plain, small))
    assert_alike(other, one, 0.02)
    assert not np.array_equal(one["score"], other["score"])  # the weights are rounded


def test_int8_stays_and_a_second_time_changes_nothing(folders, tmp_path):
    folder = shutil.copytree(folders["siamfc"], tmp_path / "model")
    before = read_card(folder).sha256
    first = halve(folder).sha256
    assert first.keys() == before.keys()
    assert all(first[name] != before[name] for name in GRAPHS)
    assert halve(folder).sha256 == first
    assert read_graphs(folder, read_card(folder))
    assert INT8 not in first


def test_what_does_not_fit_stays_in_single_precision():
    large = onnx.numpy_helper.from_array(np.full(1000, 1e6, np.float32), "large")
    fits = onnx.numpy_helper.from_array(np.linspace(-9, 9, 1000, dtype=np.float32), "fits")
    few = onnx.numpy_helper.from_array(np.ones(3, np.float32), "few")
    node = onnx.helper.make_node("Add", ["large", "fits"], ["sum"])
    wanted = onnx.helper.make_tensor_value_info("sum", onnx.TensorProto.FLOAT, [1000])
    graph = onnx.helper.make_graph([node], "g", [], [wanted], [large, fits, few])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    found = onnx.load_from_string(half_weights(model.SerializeToString()))
    onnx.checker.check_model(found)
    kinds = {item.name: item.data_type for item in found.graph.initializer}
    half, single = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    assert kinds == {"large": single, "fits.half": half, "few": single}


def test_a_damaged_model_is_refused(folders, tmp_path):
    folder = shutil.copytree(folders["siamfc"], tmp_path / "model")
    (folder / "search.onnx").write_bytes(b"no graph")
    with pytest.raises(WeightsError, match="altered or damaged"):
        halve(folder)


def test_the_command(tmp_path):
    path = write_checkpoint(tmp_path / "checkpoint.pt", "siamfc")
    with pytest.raises(SystemExit) as stop:
        main(["export", str(path), str(tmp_path / "model"), "--half"])
    assert stop.value.code == 0
    assert b".half" in (tmp_path / "model" / "search.onnx").read_bytes()
    assert load_model(tmp_path / "model", threads=1).card.name == tmp_path.name
