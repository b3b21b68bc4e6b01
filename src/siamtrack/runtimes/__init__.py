"""Engines that run a model's two graphs, all behind one protocol."""

from siamtrack.runtimes import onnx as _onnx  # noqa: F401  (registers itself)
from siamtrack.runtimes.base import RUNTIMES, Graphs, Response, Runtime

__all__ = ["RUNTIMES", "Graphs", "Response", "Runtime"]
