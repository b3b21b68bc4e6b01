"""Run a module in ONNX Runtime, exported as the project exports: opset 17 and a free batch size."""

import tempfile
from pathlib import Path

import onnx
import onnxruntime
import torch

from siamtrack.models.files import write_graph


def export(module, inputs):
    """Return the bytes of the ONNX file; inputs are named a, b, ..."""
    names = [chr(ord("a") + i) for i in range(len(inputs))]
    module.eval()  # the exporter puts a module in training back into training, and so its children
    outputs = module(*inputs)
    count = 1 if isinstance(outputs, torch.Tensor) else len(outputs)
    results = [f"out{i}" for i in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "graph.onnx"
        free = {name: {0: "batch"} for name in [*names, *results]}
        write_graph(module, inputs, file, inputs=names, outputs=results, free=free)
        return file.read_bytes()


def operators(data):
    return {node.op_type for node in onnx.load_from_string(data).graph.node}


def run(data, inputs):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    feed = {meta.name: x.numpy() for meta, x in zip(session.get_inputs(), inputs, strict=True)}
    return [torch.from_numpy(x) for x in session.run(None, feed)]
