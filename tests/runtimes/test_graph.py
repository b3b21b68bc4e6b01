import numpy as np
import onnx
import pytest

from siamtrack.errors import WeightsError
from siamtrack.packages.card import load_model, read_card, read_graphs
from siamtrack.runtimes import RUNTIMES, Graphs
from siamtrack.training.checkpoint import export
from tests.networks import answers, assert_alike, inputs, write_checkpoint

pytestmark = pytest.mark.needs("torch")
ENGINES = ["onnx", pytest.param("openvino", marks=pytest.mark.needs("openvino"))]

ENGINES = ("onnx", "openvino")


@pytest.fixture(scope="module")
def pairs(folders, tmp_path_factory):
    """A box model whose graphs take two patches, no more and no less."""
    root = tmp_path_factory.mktemp("pairs")
    export(write_checkpoint(root / "a.pt", "box"), root / "model", batch=2)
    return root / "model"


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("count", [1, 2, 5])
def test_graphs_of_one_batch_size_take_any(pairs, folders, name, count):
    truth = answers(load_model(folders["box"], threads=1), count)
    found = answers(load_model(pairs, runtime=name, threads=1), count, truth["kernel"])
    assert_alike(found, truth, 1e-4)


def test_fixed_batch_is_in_the_graphs(pairs):
    for which in ("template", "search"):
        graph = onnx.load(pairs / f"{which}.onnx").graph
        sizes = {item.type.tensor_type.shape.dim[0].dim_value for item in graph.input}
        assert sizes == {2}


@pytest.mark.parametrize("name", ENGINES)
def test_graphs_of_another_layout(folders, name):
    graphs = read_graphs(folders["box"], read_card(folders["box"]))
    turned, floats, renamed = (onnx.load_from_string(graphs.search) for _ in range(3))
    first = {item.name: item.type.tensor_type for item in turned.graph.input}["search"]
    for size, value in zip(first.shape.dim, (1, 3, 129, 129), strict=True):
        size.dim_value = value
    before = onnx.helper.make_node("Transpose", ["search"], ["turned"], perm=[0, 2, 3, 1])
    _read_instead(turned, before)
    kinds = {item.name: item.type.tensor_type for item in floats.graph.input}
    kinds["search"].elem_type = onnx.TensorProto.FLOAT
    _read_instead(floats, onnx.helper.make_node("Cast", ["search"], ["cast"], to=2))
    for node in renamed.graph.node:
        node.output[:] = ["other" if output == "score" else output for output in node.output]
    renamed.graph.output[0].name = "other"
    for model, shown in (
        (turned, r"search uint8 \(1, 3, 129, 129\)"),
        (floats, r"search float32 \((any|1), 129, 129, 3\)"),
        (renamed, "maps .* to other, distances"),
    ):
        onnx.checker.check_model(model)
        other = Graphs(graphs.template, model.SerializeToString(), graphs.folder)
        with pytest.raises(WeightsError, match=rf"search graph .*{shown}.*expected kernel and"):
            RUNTIMES[name](other, 1)
    with pytest.raises(WeightsError, match=r"template graph maps .*expected template"):
        RUNTIMES[name](Graphs(graphs.search, graphs.search, graphs.folder), 1)
    with pytest.raises(WeightsError, match=r"search\.onnx.*export the model again"):
        RUNTIMES[name](Graphs(graphs.template, b"no graph", graphs.folder), 1)


def _read_instead(model, node):
    """Put a node between the search patches and what reads them."""
    for other in model.graph.node:
        other.input[:] = [node.output[0] if name == "search" else name for name in other.input]
    model.graph.node.insert(0, node)


@pytest.mark.parametrize("name", [*ENGINES, "torch"])
def test_patches_that_do_not_fit(folders, name):
    model = load_model(folders["box"], runtime=name, threads=1)
    template, size, search = inputs(model.card, 2)
    kernel = model.runtime.embed(template, size)
    with pytest.raises(WeightsError, match=r"search of shape \(2, 128, 129, 3\) for a graph that"):
        model.runtime.respond(kernel, search[:, 1:])
    with pytest.raises(ValueError, match=r"as many of each .* got \{'kernel': 1, 'search': 2\}"):
        model.runtime.respond(kernel[:1], search)
    with pytest.raises(ValueError, match="at least one"):
        model.runtime.respond(kernel[:0], search[:0])
    turned = np.flip(search, 2)  # not contiguous, as views of frames may be
    other = model.runtime.respond(kernel, turned.copy())
    np.testing.assert_array_equal(model.runtime.respond(kernel, turned).score, other.score)
