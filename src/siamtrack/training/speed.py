"""What makes a step cheap on a CPU: what does not learn runs elsewhere or ahead; half the bits.

The output of stages that do not train is constant for a picture, and so is what a teacher says of
it. Either may be computed in an inference engine: the frozen stages in each step (`FrozenFront`),
or both ahead, in the threads that draw pairs, and then be used several times (`Preparation`).
"""

from __future__ import annotations

import copy
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from siamtrack.core.files import bytes_of
from siamtrack.data.pairs import Pair
from siamtrack.errors import MissingExtraError
from siamtrack.models.files import write_graph
from siamtrack.models.network import Network
from siamtrack.runtimes.openvino import import_openvino
from siamtrack.training.batches import Batch, Prepared

Floats = NDArray[np.float32]

NO_PICTURE = np.empty((0, 0, 3), np.uint8)


class Front(nn.Module):
    """First stages, normalization too: float (B, 3, H, W) or uint8 (B, H, W, 3) to (B, C, h, w)."""

    def __init__(self, network: Network, count: int) -> None:
        super().__init__()
        self.stages = nn.ModuleList(list(network.backbone.stages())[:count])
        self.normalize = network.normalize

    def forward(self, images: Tensor) -> Tensor:
        """Run the stages."""
        if images.dtype == torch.uint8:
            images = images.permute(0, 3, 1, 2).float()
        images = self.normalize(images)
        for stage in self.stages:
            images = stage(images)
        return images


def onnx_session(graph: str | bytes, threads: int) -> Any:
    """Open a graph in ONNX Runtime on the CPU, beside a training step; 0 threads: it chooses."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # waiting threads would take the cores that the training step needs
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, ["CPUExecutionProvider"])


class FrozenFront:
    """The first stages of a network's backbone in ONNX Runtime, which runs them faster than torch.

    Their weights and batch statistics are constant while they are frozen, so that the
    graph may hold them as constants, with the batch norms folded into the convolutions. The graph
    is rebuilt when fewer stages are frozen.

    Args:
        network: Its backbone must be the sequence of its stages.

    Raises:
        ValueError: If it is not, or the network is not on the CPU.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self._count = -1
        self._session: Any = None
        if next(network.parameters()).device.type != "cpu":
            raise ValueError("frozen stages run in ONNX Runtime on the CPU: set frozen to 'torch'")
        was = network.training
        network.eval()
        side = network.sides[0]
        probe = torch.rand(1, 3, side, side) * 255
        everything = len(list(network.backbone.stages()))
        with torch.no_grad():
            whole, parts = network.features(probe), Front(network, everything)(probe)
        network.train(was)
        if whole.shape != parts.shape or not torch.allclose(whole, parts, rtol=1e-4, atol=1e-5):
            raise ValueError(
                f"{type(network.backbone).__name__} is not the sequence of its stages, so "
                "that a part of it cannot run elsewhere: set frozen to 'torch'"
            )

    def __call__(self, batch: Batch, frozen: int) -> Batch:
        """Run the first `frozen` stages on the pictures of a batch."""
        if frozen == 0:
            return batch
        template, search = self.run(batch.template, frozen), self.run(batch.search, frozen)
        return batch._replace(template=template, search=search, stages=frozen)

    def run(self, images: Tensor, frozen: int) -> Tensor:
        """Map RGB in [0, 255] (B, 3, H, W) to the output of the first stages (B, C, h, w)."""
        if frozen != self._count:
            self._session, self._count = self._build(images, frozen), frozen
        found = self._session.run(None, {"images": images.contiguous().numpy()})[0]
        return torch.from_numpy(found).contiguous(memory_format=torch.channels_last)

    def _build(self, images: Tensor, frozen: int) -> Any:
        front = Front(self.network, frozen)
        modes = {module: module.training for module in front.modules()}
        free = {0: "batch", 2: "height", 3: "width"}
        # autocast would write casts into the graph that ONNX Runtime has no kernels for
        whole = torch.autocast(images.device.type, enabled=False)
        with tempfile.TemporaryDirectory() as folder, whole:
            file = Path(folder) / "front.onnx"
            write_graph(
                front.eval(),
                (images[:1],),
                file,
                inputs=["images"],
                outputs=["features"],
                free={"images": free, "features": free},
            )
            graph = bytes_of(file)
        for module, mode in modes.items():
            module.training = mode
        return onnx_session(graph, torch.get_num_threads())


class Engine:
    """A graph in OpenVINO, in bfloat16 where the processor has it, or else in ONNX Runtime.

    Safe to call from several threads: each call runs on one of them, up to `threads` at once.
    """

    def __init__(self, graph: Path, threads: int) -> None:
        self._local = threading.local()
        self._compiled: Any = None
        try:
            openvino = import_openvino()
        except MissingExtraError:
            self._session = onnx_session(str(graph), 1)
            return
        core = openvino.Core()
        settings = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "NUM_STREAMS": threads,
            "INFERENCE_NUM_THREADS": threads,
        }
        self._compiled = core.compile_model(core.read_model(str(graph)), "CPU", settings)

    def __call__(self, *inputs: NDArray[np.generic]) -> list[Floats]:
        """Run the graph once."""
        if self._compiled is None:
            names = [value.name for value in self._session.get_inputs()]
            found = self._session.run(None, dict(zip(names, inputs, strict=True)))
            return [np.asarray(each, np.float32) for each in found]
        request = getattr(self._local, "request", None)
        if request is None:
            request = self._local.request = self._compiled.create_infer_request()
        results = request.infer(dict(enumerate(inputs)), share_inputs=True)
        return [np.array(results[index], np.float32) for index in range(len(results))]


class Preparation:
    """Computes for pairs what does not learn: the `frozen` first stages, and a teacher's `Lesson`.

    So many `threads` work on a pair each.
    """

    def __init__(
        self,
        network: Network,
        frozen: int,
        teacher: Callable[[Pair], tuple[Floats, ...]] | None,
        threads: int,
    ) -> None:
        self._frozen, self._teacher, self._fronts = frozen, teacher, list[Engine]()
        with tempfile.TemporaryDirectory() as folder:
            for side in network.sides if frozen else ():
                file = Path(folder) / f"front{side}.onnx"
                picture = torch.zeros(1, side, side, 3, dtype=torch.uint8)
                # engines run on the CPU, wherever the network trains
                front = copy.deepcopy(Front(network, frozen)).cpu().eval()
                write_graph(front, (picture,), file, inputs=["images"], outputs=["features"])
                self._fronts.append(Engine(file, threads))

    def __call__(self, pair: Pair) -> Prepared:
        """Prepare one pair."""
        pictures = (pair.template, pair.search)
        arrays: list[NDArray[Any]] = [picture.transpose(2, 0, 1) for picture in pictures]
        if self._frozen:  # half precision holds bytes exactly, and so the pictures themselves
            arrays = [
                front(picture[None])[0][0]
                for front, picture in zip(self._fronts, pictures, strict=True)
            ]
        if self._teacher is not None:
            arrays += self._teacher(pair)
        bare = Pair(NO_PICTURE, NO_PICTURE, pair.size, pair.box, pair.present)
        return Prepared(self._frozen, tuple(array.astype(np.float16) for array in arrays), bare)


class _FloatConv2d(nn.Conv2d):
    """A convolution that stays in float32 under autocast, in place of another one."""

    def __init__(self, other: nn.Conv2d) -> None:
        super().__init__(
            other.in_channels,
            other.out_channels,
            other.kernel_size,  # type: ignore[arg-type]
            other.stride,  # type: ignore[arg-type]
            other.padding,  # type: ignore[arg-type]
            other.dilation,  # type: ignore[arg-type]
            other.groups,
            padding_mode=other.padding_mode,
            device="meta",
        )
        self.weight, self.bias = other.weight, other.bias

    def forward(self, input: Tensor) -> Tensor:
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input.float())


def keep_depthwise_in_float32(model: nn.Module) -> None:
    """Replace the depth-wise convolutions inside `model` by ones that ignore autocast.

    Names and weights stay. On CPUs the backward pass of a depth-wise convolution takes about three
    times as long in bfloat16 as in float32, which costs more than the other layers gain.
    """
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.Conv2d and child.groups == child.in_channels > 1:
                setattr(parent, name, _FloatConv2d(child).train(child.training))
