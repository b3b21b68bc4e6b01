"""ONNX Runtime: the default, in the core install, on the CPU; and on NVIDIA's GPUs."""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from threading import Lock
from typing import Any

import numpy as np
import onnxruntime

from siamtrack.errors import WeightsError
from siamtrack.runtimes.base import RUNTIMES, Floats, Graphs
from siamtrack.runtimes.choose import cores
from siamtrack.runtimes.graph import Feed, Graph, GraphRuntime, Input

onnxruntime.disable_telemetry_events()  # for Windows; elsewhere the package has done it

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
DTYPES = {"tensor(uint8)": "uint8", "tensor(float)": "float32"}

MANY = 4
"""Rows for each thread from which it pays: measured with two threads on two cores."""
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


class SharedRows:
    """A graph that takes the rows of a batch in turn, each in the next free thread.

    Threads inside an operator meet at its end, some eighty times in a graph, and wait for the
    slowest, which is long on a machine that has other work. Rows of a batch need not meet before
    the end of all, and keep to one row's activations, which fit into caches that those of a whole
    batch do not.

    Small batches, a single row above all, go through the graph that has all threads inside: one
    waits less for those than for a thread with nothing left to take.

    Args:
        inside: The graph with its threads inside operators.
        threads: How many threads.
        single: Returns the same graph with one thread, which may run in many threads at once; it is
            called when the first batch comes.
    """

    def __init__(self, inside: Graph, threads: int, single: Callable[[], Graph]) -> None:
        self._inside, self._threads, self._make = inside, threads, single
        self._single: Graph | None = None
        self._lock = Lock()

    @property
    def inputs(self) -> Mapping[str, Input]:
        """What it takes, by name."""
        return self._inside.inputs

    @property
    def outputs(self) -> Sequence[str]:
        """Names of what it gives."""
        return self._inside.outputs

    def run(self, feed: Feed) -> dict[str, Floats]:
        """Map all inputs, by name, to all outputs."""
        rows = len(next(iter(feed.values())))
        if self._threads < 2 or rows < MANY * self._threads:
            return self._inside.run(feed)
        parts = self._side_by_side(feed, rows)
        return {name: np.concatenate([part[name] for part in parts]) for name in self.outputs}

    def _side_by_side(self, feed: Feed, rows: int) -> list[dict[str, Floats]]:
        with self._lock:
            if self._single is None:
                self._single = self._make()
            graph = self._single
        found: list[dict[str, Floats]] = [{}] * rows
        numbers = count()  # taken with `next`, which is one step for all threads

        def take() -> None:
            while (row := next(numbers)) < rows:
                found[row] = graph.run({name: each[row : row + 1] for name, each in feed.items()})

        # threads of this call only: none is left to be lost in a fork or to be closed
        with ThreadPoolExecutor(self._threads - 1) as pool:
            others = [pool.submit(take) for _ in range(self._threads - 1)]
            take()
            for other in others:
                other.result()
        return found


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
