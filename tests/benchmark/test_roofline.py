import runpy
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

pytestmark = pytest.mark.needs("onnx")

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def roofline():
    return runpy.run_path(str(ROOT / "benchmarks" / "roofline.py"))


def test_multiplications_and_bytes_of_a_graph(roofline):
    wide = numpy_helper.from_array(np.zeros((8, 3, 3, 3), np.float32), "wide")
    deep = numpy_helper.from_array(np.zeros((8, 1, 3, 3), np.float32), "deep")
    nodes = [
        helper.make_node("Conv", ["x", "wide"], ["y"], strides=[2, 2]),
        helper.make_node("Conv", ["y", "deep"], ["z"], group=8, pads=[1, 1, 1, 1]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 9, 9])
    z = helper.make_tensor_value_info("z", TensorProto.FLOAT, ["batch", 8, 4, 4])
    graph = helper.make_graph(nodes, "g", [x], [z], [wide, deep])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    macs, weights, moved = roofline["totals"](model.SerializeToString())
    # 4x4 places of 8 channels: 27 multiplications each in the first, 9 in the second
    assert macs == 4 * 4 * 8 * (27 + 9)
    assert weights == 4 * (8 * 27 + 8 * 9)
    assert moved == 4 * (3 * 81 + 8 * 27 + 128) + 4 * (128 + 8 * 9 + 128)


def test_kinds_and_limits(roofline):
    assert roofline["kind_of"]("Conv", [[1, 8, 4, 4], [8, 1, 3, 3]]).endswith("3x3, depth-wise")
    assert roofline["kind_of"]("FusedConv", [[1, 8, 4, 4], [9, 8, 1, 1]]) == "convolution 1x1"
    here = roofline["Limits"](1, onnxruntime=50.0, numpy=40.0, memory=10.0, cache=100.0)
    kind = roofline["Kind"]
    assert roofline["limit"](kind(ms=1, macs=1e9, bytes=1e6), here) == 50.0
    assert roofline["limit"](kind(ms=1, macs=1e6, bytes=1e7), here) == pytest.approx(10.0)
