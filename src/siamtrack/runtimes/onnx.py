"""ONNX Runtime: the default, in the core install, on the CPU; and on NVIDIA's GPUs."""

from __future__ import annotations

import base64
import functools
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import onnxruntime

from siamtrack.errors import WeightsError
from siamtrack.runtimes.base import RUNTIMES, Floats, Graphs
from siamtrack.runtimes.engines import cores
from siamtrack.runtimes.graph import Feed, Graph, GraphRuntime, Input, SharedRows

onnxruntime.disable_telemetry_events()  # for Windows; elsewhere the package has done it

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
DTYPES = {"tensor(uint8)": "uint8", "tensor(float)": "float32"}

PROBE = (
    "CAcSADqDAgosCgFzEgF3Ig9Db25zdGFudE9mU2hhcGUqEwoFdmFsdWUqBwgBEANKAX+gAQQKLAoBeAoCeHMKAXoKAXcK"
    "AndzCgJ3egoCeXMKAXoSAXkiC1FMaW5lYXJDb252EgFwKikIBBAHQgFzSiAQAAAAAAAAAEAAAAAAAAAAAQAAAAAAAAAB"
    "AAAAAAAAACoMEAFCAnhzSgQAAIA/KggQAkIBekoBACoMEAFCAndzSgQAAIA/KgkQA0ICd3pKAQAqDBABQgJ5c0oEzewh"
    "RlobCgF4EhYKFAgCEhAKAggBCgIIQAoCCAQKAggEYhsKAXkSFgoUCAISEAoCCAEKAggQCgIIBAoCCARCBAoAEA0="
)
"""An ONNX graph: QLinearConv with 16 x 64 weights of 127 on uint8 `x` (1, 64, 4, 4) to `y`, scaled
so that pixels of 255 give 200."""


@RUNTIMES.register("onnx")
class OnnxRuntime(GraphRuntime):
    """Runs both graphs of a model in ONNX Runtime.

    Args:
        graphs: The model.
        threads: Threads inside an operator, or for the rows of a batch; 0 lets ONNX Runtime choose.
            The template, which is small and rare, always has one.
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
        # Two graphs are made ready side by side: half of the time until the first box. That of the
        # template has one thread: another would look out for more work long after its last, on the
        # core that the search needs next.
        with ThreadPoolExecutor(1) as pool:
            first, second = (str(graphs.folder / f"{name}.onnx") for name in ("template", "search"))
            template = pool.submit(_Session, graphs.template, first, 1, provider)
            search: Graph = _Session(graphs.search, second, threads, provider)
        patches = search.inputs.get("search")  # that it is missing is said below
        if provider == CPU and patches is not None and patches.shape[:1] == (None,):
            single = partial(_Session, graphs.search, second, 1, provider)
            search = SharedRows(search, threads or cores(), single)
        super().__init__(template.result(), search, graphs.folder)


def open_graph(data: bytes, name: str, threads: int = 0) -> Graph:
    """Return a graph that runs on the CPU; `name` is for messages.

    Raises:
        WeightsError: If it cannot be loaded.
    """
    return _Session(data, name, threads, CPU)


RUNTIMES.register("onnx-cuda")(partial(OnnxRuntime, provider=CUDA))


class _Session:
    """One graph in ONNX Runtime."""

    def __init__(self, data: bytes, name: str, threads: int, provider: str) -> None:
        self._name = name
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self._session: Any = onnxruntime.InferenceSession(
                data, options, providers=list(dict.fromkeys((provider, CPU)))
            )
        except Exception as error:  # ONNX Runtime raises its own classes, which share no base
            raise WeightsError(
                f"{name} cannot be loaded ({error}); export the model again"
            ) from error
        if provider not in self._session.get_providers():  # it only logs that it lacks it
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


@functools.cache
def int8_is_exact() -> bool:
    """Return whether this processor adds 8-bit products without overflow; takes some ms.

    Processors with dot products of bytes (VNNI, ARM) do. Older x86 ones add two products in 16 bits
    first and clip the sum, which spoils the results; there float32 is the better choice.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        base64.b64decode(PROBE), options, providers=["CPUExecutionProvider"]
    )
    found = session.run(None, {"x": np.full((1, 64, 4, 4), 255, np.uint8)})[0]
    return bool(np.all(found == 200))
