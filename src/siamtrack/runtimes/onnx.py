"""The default runtime: ONNX Runtime on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime

from siamtrack.errors import WeightsError
from siamtrack.frames import Image
from siamtrack.runtimes.base import RUNTIMES, Floats, Graphs, Response


@RUNTIMES.register("onnx")
class OnnxRuntime:
    """Runs both graphs of a model in ONNX Runtime.

    Args:
        graphs: The model.
        threads: Threads inside an operator; 0 lets ONNX Runtime choose.

    Raises:
        WeightsError: If a graph cannot be loaded, or has other inputs and outputs.
    """

    def __init__(self, graphs: Graphs, threads: int = 0) -> None:
        self._template = _session(graphs, "template", threads)
        self._search = _session(graphs, "search", threads)
        self._outputs = [output.name for output in self._search.get_outputs()]
        inputs = sorted(item.name for item in self._search.get_inputs())
        if inputs != ["kernel", "search"] or "score" not in self._outputs:
            raise WeightsError(
                f"{graphs.folder}: search.onnx maps {inputs} to {self._outputs}; expected kernel "
                "and search to score; export the model with `siamtrack export`"
            )

    def embed(self, template: Image, size: Floats) -> Floats:
        """Map template patches (B, T, T, 3), uint8 RGB, and sizes (B, 2) to kernels (B, ...)."""
        feed: dict[str, Any] = {"template": np.ascontiguousarray(template)}
        if any(item.name == "size" for item in self._template.get_inputs()):
            feed["size"] = np.asarray(size, dtype=np.float32)
        kernel = self._template.run(["kernel"], feed)[0]
        return np.asarray(kernel, dtype=np.float32)

    def respond(self, kernel: Floats, search: Image) -> Response:
        """Match kernels (B, ...) with search patches (B, S, S, 3), uint8 RGB, one by one."""
        feed = {"kernel": kernel, "search": np.ascontiguousarray(search)}
        found = dict(zip(self._outputs, self._search.run(self._outputs, feed), strict=True))
        return Response(
            score=found["score"],
            distances=found.get("distances"),
            presence=found.get("presence"),
            features=found.get("features"),
        )


def _session(graphs: Graphs, which: str, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(
            getattr(graphs, which), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime raises its own classes, which share no base
        raise WeightsError(
            f"{graphs.folder / which}.onnx cannot be loaded ({error}); export the model again"
        ) from error
