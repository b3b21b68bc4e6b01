"""ONNX Runtime: the default, in the core install, on the CPU; and on NVIDIA's GPUs."""

from __future__ import annotations

from functools import partial
from typing import Any

import onnxruntime

from siamtrack.errors import WeightsError
from siamtrack.runtimes.base import RUNTIMES, Floats, Graphs
from siamtrack.runtimes.choose import cores
from siamtrack.runtimes.graph import Feed, Graph, GraphRuntime, Input
from siamtrack.runtimes.rows import SharedRows

onnxruntime.disable_telemetry_events()  # for Windows; elsewhere the package has done it

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
DTYPES = {"tensor(uint8)": "uint8", "tensor(float)": "float32"}


@RUNTIMES.register("onnx")
class OnnxRuntime(GraphRuntime):
    """Runs both graphs of a model in ONNX Runtime.

    Args:
        graphs: The model.
        threads: Threads inside an operator, or for the rows of a batch; 0 lets ONNX Runtime choose.
        provider: Execution provider; operators that it lacks run on the CPU.

    Raises:
        WeightsError: If a graph cannot be loaded, or has other inputs and outputs.
        ValueError: If there is no such provider, or no device for it.
    """

    shareable = True

    def __init__(self, graphs: Graphs, threads: int = 0, *, provider: str = CPU) -> None:
        if provider not in onnxruntime.get_available_providers():
            raise ValueError(
                f"runtime 'onnx-cuda' needs {provider}, which this ONNX Runtime "
                f"{onnxruntime.__version__} lacks: install onnxruntime-gpu in place of "
                "onnxruntime, or take runtime 'onnx', which runs on the CPU"
            )
        search: Graph = _Session(graphs, "search", threads, provider)
        patches = search.inputs.get("search")  # that it is missing is said below
        if provider == CPU and patches is not None and patches.shape[:1] == (None,):
            single = partial(_Session, graphs, "search", 1, provider)
            search = SharedRows(search, threads or cores(), single)
        super().__init__(_Session(graphs, "template", threads, provider), search, graphs.folder)


RUNTIMES.register("onnx-cuda")(partial(OnnxRuntime, provider=CUDA))


class _Session:
    """One graph in ONNX Runtime."""

    def __init__(self, graphs: Graphs, which: str, threads: int, provider: str) -> None:
        self._name = f"{graphs.folder / which}.onnx"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self._session: Any = onnxruntime.InferenceSession(
                getattr(graphs, which), options, providers=list(dict.fromkeys((provider, CPU)))
            )
        except Exception as error:  # ONNX Runtime raises its own classes, which share no base
            raise WeightsError(
                f"{graphs.folder / which}.onnx cannot be loaded ({error}); export the model again"
            ) from error
        if provider not in self._session.get_providers():  # it goes on without, and only logs it
            raise ValueError(
                f"ONNX Runtime finds no device for {provider}: take runtime 'onnx', which runs on "
                "the CPU, or install the GPU's driver and libraries"
            )
        self.inputs = {
            item.name: Input(DTYPES.get(item.type, item.type), _shape(item.shape))
            for item in self._session.get_inputs()
        }
        self.outputs = [item.name for item in self._session.get_outputs()]

    def run(self, feed: Feed) -> dict[str, Floats]:
        """Map all inputs, by name, to all outputs."""
        try:
            found = self._session.run(self.outputs, feed)
        except Exception as error:  # as above; a graph may fail only when it runs
            raise WeightsError(f"{self._name} cannot be run ({error}); export it again") from error
        return dict(zip(self.outputs, found, strict=True))


def _shape(sizes: list[int | str | None]) -> tuple[int | None, ...]:
    return tuple(size if isinstance(size, int) else None for size in sizes)
