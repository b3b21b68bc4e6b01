from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from siamtrack.packages.card import load_model, read_card, read_graphs
from siamtrack.runtimes import RUNTIMES
from siamtrack.runtimes.engines import cores
from siamtrack.training.checkpoint import export
from tests.networks import answers, assert_alike, inputs, write_checkpoint

pytestmark = pytest.mark.needs("torch", "openvino")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Folder of a small model with an IR."""
    root = tmp_path_factory.mktemp("ir")
    export(write_checkpoint(root / "a.pt", "siamfc", seed=1), root / "model", formats=["openvino"])
    return root / "model"


def compiled(runtime):
    return [graph._request.get_compiled_model() for graph in (runtime._template, runtime._search)]


def test_settings_are_those_of_each_graph(folders):
    """One thread here and two there in one process; no bfloat16 unasked; no pinned cores."""
    runtimes = [
        load_model(folders["box"], runtime="openvino", threads=threads).runtime
        for threads in (1, 2)
    ]
    for threads, runtime in zip((1, 2), runtimes, strict=True):
        for graph in compiled(runtime):
            assert graph.get_property("INFERENCE_NUM_THREADS") == min(threads, cores())
            assert graph.get_property("INFERENCE_PRECISION_HINT").get_type_name() == "f32"
            assert graph.get_property("PERFORMANCE_HINT") == "LATENCY"
            assert graph.get_property("ENABLE_CPU_PINNING") is False


def test_runs_the_ir(model, tmp_path):
    reference = load_model(model, threads=1)
    truth = answers(reference, 3)
    found = answers(load_model(model, runtime="openvino", threads=1), 3, truth["kernel"])
    assert_alike(found, truth, 1e-4)


def test_ir_goes_before_onnx_but_not_before_int8(model, folders):
    """The IR of one network beside the ONNX graphs of another tells which was read."""
    own = read_graphs(folders["siamfc"], read_card(folders["siamfc"]))
    mixed = replace(own, more=read_graphs(model, read_card(model)).more)
    template, size, search = inputs(read_card(model), 1)

    def score(graphs):
        runtime = RUNTIMES["openvino"](graphs, 1)
        return runtime.respond(runtime.embed(template, size), search).score

    ir = load_model(model, runtime="openvino", threads=1).runtime
    np.testing.assert_array_equal(score(mixed), ir.respond(ir.embed(template, size), search).score)
    assert np.abs(score(mixed) - score(own)).max() > 0.1
    np.testing.assert_array_equal(score(replace(mixed, precision="int8")), score(own))


def test_threads_share_a_runtime(folders):
    found = load_model(folders["box"], runtime="openvino", threads=1)
    template, size, search = inputs(found.card, 12)
    kernel = found.runtime.embed(template, size)
    truth = found.runtime.respond(kernel, search).score
    with ThreadPoolExecutor(4) as pool:
        scores = pool.map(
            lambda i: found.runtime.respond(kernel[[i]], search[[i]]).score, range(12)
        )
        # one patch may go through another kernel than twelve, which rounds otherwise; the answers
        # to two patches differ by far more
        single = np.concatenate(list(scores))
    rounding = np.abs(single - truth).max()
    assert rounding <= 1e-3 * np.abs(truth).max()
    assert np.abs(np.diff(truth, axis=0)).max(axis=(1, 2)).min() > 20 * rounding
