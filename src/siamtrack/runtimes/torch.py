"""torch (extra `train`): for GPUs, for comparing, and for networks that are not exported.

It runs the network itself, from `network.safetensors` in the model's folder, in which nothing is
ever run as code. torch is imported when a runtime is made, and not before.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from siamtrack.errors import MissingExtraError, WeightsError
from siamtrack.runtimes.base import RUNTIMES, Floats, Graphs
from siamtrack.runtimes.graph import Feed, GraphRuntime, Input

if TYPE_CHECKING:
    from siamtrack.models.files import Half
    from siamtrack.models.network import Network

FILE = "network.safetensors"


class TorchRuntime(GraphRuntime):
    """Runs a network in torch, where its weights are.

    Args:
        network: In eval mode.
        threads: Threads of torch while it runs, on a CPU; 0 leaves them as they are.
        compiled: Use torch.compile, which takes a minute when the runtime is made and needs a C++
            compiler; batches are run patch by patch, so that it stays at that.
        bfloat16: Compute in bfloat16 (autocast).
        where: Where the network comes from, for messages.

    Raises:
        ValueError: If the network cannot be compiled here.
    """

    def __init__(
        self,
        network: Network,
        threads: int = 0,
        *,
        compiled: bool = False,
        bfloat16: bool = False,
        where: Path | str = "the network",
    ) -> None:
        from siamtrack.models.files import split

        halves = [_Module(half, threads, compiled, bfloat16) for half in split(network)]
        super().__init__(halves[0], halves[1], where)


def from_folder(
    graphs: Graphs, threads: int = 0, *, device: str = "cpu", compiled: bool = False
) -> TorchRuntime:
    """Return the runtime of a model's folder; the arguments are those of `TorchRuntime`.

    Raises:
        MissingExtraError: If torch is not installed.
        ValueError: If there is no such device.
        WeightsError: If the folder has no network for torch, or it is damaged.
    """
    try:
        import safetensors  # noqa: F401
        import torch

        from siamtrack.models.files import from_bytes
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "safetensors"):
            raise
        raise MissingExtraError("runtime 'torch'", error.name, "train") from error
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"runtime 'torch-cuda' needs a GPU, and torch {torch.__version__} finds none: take "
            "runtime 'onnx' or 'torch', which run on the CPU, or install a torch built for the GPU"
        )
    data = graphs.more(FILE)
    if data is None:
        raise WeightsError(
            f"{graphs.folder} has no {FILE}, which runtime 'torch' runs. The models in the package "
            "come without it: take runtime 'onnx' or 'openvino'. For a model that you trained, "
            "`siamtrack export CHECKPOINT FOLDER --format torch` writes it"
        )
    if graphs.precision != "float32":
        raise WeightsError(
            f"runtime 'torch' computes in float32, not in {graphs.precision}: take runtime 'onnx'"
        )
    network = from_bytes(data, f"{graphs.folder / FILE}").to(device)
    return TorchRuntime(network, threads, compiled=compiled, where=graphs.folder)


RUNTIMES.register("torch")(from_folder)
RUNTIMES.register("torch-compiled")(partial(from_folder, compiled=True))
RUNTIMES.register("torch-cuda")(partial(from_folder, device="cuda"))


class _Module:
    """One half of a network in torch."""

    def __init__(self, half: Half, threads: int, compiled: bool, bfloat16: bool) -> None:
        import torch

        self._torch, self._threads, self._bfloat16 = torch, threads, bfloat16
        self._device = half.example[0].device
        self._module: Any = half.module
        self.outputs = half.outputs
        self.inputs = {
            name: Input(
                str(tensor.dtype).removeprefix("torch."),
                (1 if compiled else None, *tensor.shape[1:]),
            )
            for name, tensor in zip(half.inputs, half.example, strict=True)
        }
        if compiled:
            self._module = torch.compile(half.module)
            examples = zip(half.inputs, half.example, strict=True)
            try:
                self.run({name: tensor.cpu().numpy() for name, tensor in examples})
            except Exception as error:  # the compilers raise classes of their own
                raise ValueError(
                    f"torch.compile fails here ({str(error).strip().splitlines()[0]}): it needs a "
                    "C++ compiler; take runtime 'torch'"
                ) from error

    def run(self, feed: Feed) -> dict[str, Floats]:
        """Map all inputs, by name, to all outputs."""
        torch = self._torch
        given = [torch.from_numpy(feed[name]).to(self._device) for name in self.inputs]
        half = torch.autocast(self._device.type, torch.bfloat16, enabled=self._bfloat16)
        with _threads(torch, self._threads), torch.inference_mode(), half:
            found = self._module(*given)
        parts = found if isinstance(found, tuple) else (found,)
        arrays = (np.asarray(part.float().cpu().numpy(), dtype=np.float32) for part in parts)
        return dict(zip(self.outputs, arrays, strict=True))


_lock = threading.Lock()


@contextmanager
def _threads(torch: Any, count: int) -> Iterator[None]:
    """Let torch use `count` threads meanwhile; it knows one number for the whole process."""
    if not count:
        yield
        return
    with _lock:
        before = torch.get_num_threads()
        torch.set_num_threads(count)
        try:
            yield
        finally:
            torch.set_num_threads(before)
