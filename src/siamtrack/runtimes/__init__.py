"""Engines that run a model's two graphs, all behind one protocol."""

from siamtrack.runtimes import onnx as _onnx  # noqa: F401  (registers itself)
from siamtrack.runtimes import openvino as _openvino  # noqa: F401
from siamtrack.runtimes import torch as _torch  # noqa: F401
from siamtrack.runtimes.base import RUNTIMES, Graphs, Response, Runtime
from siamtrack.runtimes.engines import AUTO, check_threads, choose_runtime, cores, runtime_names

__all__ = [
    "AUTO",
    "RUNTIMES",
    "Graphs",
    "Response",
    "Runtime",
    "check_threads",
    "choose_runtime",
    "cores",
    "runtime_names",
]
