"""OpenVINO (extra `openvino`): float32 like ONNX Runtime, or bfloat16, which is faster.

Left to itself OpenVINO computes in bfloat16 wherever the processor can, and pins its threads to the
first cores, where those of another process sit as well. Both are set here, for each graph, and not
for the process.
"""

from __future__ import annotations

import sys
import threading
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from siamtrack.errors import MissingExtraError, WeightsError
from siamtrack.runtimes.base import RUNTIMES, Floats, Graphs
from siamtrack.runtimes.graph import Feed, GraphRuntime, Input

TELEMETRY = "openvino_telemetry"


@RUNTIMES.register("openvino")
class OpenVinoRuntime(GraphRuntime):
    """Runs both graphs of a model in OpenVINO: the IR where the model has one, ONNX otherwise.

    Graphs that take any batch are compiled for one patch and called for each patch in turn, so that
    nothing is compiled again for another number of targets; on one and two cores that is no slower
    than a batch.

    Args:
        graphs: The model.
        threads: Threads of each graph; 0 lets OpenVINO choose.
        bfloat16: Compute in bfloat16 instead of float32.
        device: `CPU`, or `GPU` for one of Intel's.

    Raises:
        MissingExtraError: If OpenVINO is not installed.
        ValueError: If there is no such device, or it has no bfloat16 arithmetic.
        WeightsError: If a graph cannot be loaded, or has other inputs and outputs.
    """

    def __init__(
        self, graphs: Graphs, threads: int = 0, *, bfloat16: bool = False, device: str = "CPU"
    ) -> None:
        openvino = import_openvino()
        core = openvino.Core()
        if not any(name.split(".")[0] == device for name in core.available_devices):
            raise ValueError(
                f"OpenVINO finds no {device} here, only {', '.join(core.available_devices)}: take "
                "runtime 'openvino', which runs on the CPU, or install the device's driver"
            )
        if bfloat16 and "BF16" not in core.get_property(device, "OPTIMIZATION_CAPABILITIES"):
            raise ValueError(
                "runtime 'openvino-bf16' needs a processor with bfloat16 arithmetic, which this one"
                " lacks: take runtime 'openvino'"
            )
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": openvino.Type.bf16 if bfloat16 else openvino.Type.f32,
        }
        if device == "CPU":
            settings["ENABLE_CPU_PINNING"] = False
            if threads:
                settings["INFERENCE_NUM_THREADS"] = threads
        super().__init__(
            _Compiled(core, graphs, "template", device, settings),
            _Compiled(core, graphs, "search", device, settings),
            graphs.folder,
        )


RUNTIMES.register("openvino-bf16")(partial(OpenVinoRuntime, bfloat16=True))
RUNTIMES.register("openvino-gpu")(partial(OpenVinoRuntime, device="GPU"))


class _Compiled:
    """One graph in OpenVINO."""

    def __init__(
        self, core: Any, graphs: Graphs, which: str, device: str, settings: dict[str, Any]
    ) -> None:
        xml, weights = graphs.more(f"{which}.xml"), graphs.more(f"{which}.bin")
        plain = graphs.precision == "float32"
        file = Path(graphs.folder) / f"{which}.{'xml' if xml and weights and plain else 'onnx'}"
        self._file = file
        try:
            if xml and weights and plain:
                model = core.read_model(model=xml, weights=weights)
            else:
                model = core.read_model(model=getattr(graphs, which))
            model.reshape({item.any_name: _one(item.partial_shape) for item in model.inputs})
            compiled = core.compile_model(model, device, settings)
            self.inputs = {
                item.any_name: Input(str(item.element_type.to_dtype()), _shape(item.partial_shape))
                for item in model.inputs
            }
            self.outputs = [item.any_name for item in model.outputs]
        except (RuntimeError, UnicodeDecodeError) as error:  # names in a damaged graph are no text
            reason = str(error).strip().splitlines()[-1]  # above it is where in OpenVINO it arose
            raise WeightsError(
                f"OpenVINO cannot load {file} ({reason}); export the model again"
            ) from error
        self._request = compiled.create_infer_request()
        self._lock = threading.Lock()  # a request serves one thread at a time

    def run(self, feed: Feed) -> dict[str, Floats]:
        """Map all inputs, by name, to all outputs."""
        try:
            with self._lock:
                found = self._request.infer(feed, share_inputs=True)  # outputs are copies
        except RuntimeError as error:  # a graph may fail only when it runs
            reason = str(error).strip().splitlines()[-1]
            raise WeightsError(f"{self._file} cannot be run ({reason}); export again") from error
        return {name: found[name] for name in self.outputs}


def _one(shape: Any) -> list[int]:
    """Return a shape with a batch of 1 where it is free; -1 stands for any size."""
    sizes = [-1 if size is None else size for size in _shape(shape)]
    return [max(sizes[0], 1), *sizes[1:]]


def _shape(shape: Any) -> tuple[int | None, ...]:
    return tuple(size.get_length() if size.is_static else None for size in shape)


def import_openvino() -> ModuleType:
    """Import OpenVINO without its telemetry.

    `import openvino` reports to its makers over the network and leaves an id in the home folder,
    unless the package `openvino_telemetry` is missing; so it is, while we import.

    Raises:
        MissingExtraError: If OpenVINO is not installed.
    """
    hidden = TELEMETRY not in sys.modules
    if hidden:
        sys.modules[TELEMETRY] = None  # type: ignore[assignment]
    try:
        import openvino
    except ModuleNotFoundError as error:
        if error.name != "openvino":
            raise
        raise MissingExtraError("runtime 'openvino'", "openvino", "openvino") from error
    finally:
        if hidden:
            del sys.modules[TELEMETRY]
    module: ModuleType = openvino
    return module
