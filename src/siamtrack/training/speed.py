"""What makes a step cheap on a CPU: what does not learn runs elsewhere or ahead; half the bits.

The output of stages that do not train is constant for a picture, and so is what a teacher says of
it. Either may be computed in an inference engine: the frozen stages in each step (`FrozenFront`),
or both ahead, in the threads that draw pairs, and then be used several times (`Preparation`).
"""

from __future__ import annotations

import copy
import logging
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from siamtrack.core.files import bytes_of
from siamtrack.data.pairs import Pair
from siamtrack.errors import MissingExtraError
from siamtrack.models.files import write_graph
from siamtrack.models.network import Network
from siamtrack.models.units import is_traced
from siamtrack.runtimes.openvino import import_openvino
from siamtrack.training.batches import Batch, Prepared

logger = logging.getLogger(__name__)

Floats = NDArray[np.float32]

TOGETHER = 2
"""Pictures that a thread runs through frozen stages at once.

Threads that share a layer would wait for each other after every one, and what lies between two
layers of more pictures leaves the caches.
"""

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
        self._count, self._failed = -1, False
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
        """Run the first `frozen` stages on the pictures of a batch.

        Where there is no graph of them, as of a plug-in's layer that does not export, the batch
        stays as it is, and a warning says so once.
        """
        if frozen == 0 or self._failed:
            return batch
        try:
            self.prepare(frozen)
        except Exception as error:  # torch's exporter and ONNX Runtime share no base class
            self._failed = True
            logger.warning(
                "frozen stages run in torch, since ONNX Runtime has no graph of them (%s)",
                str(error).strip().partition("\n")[0],
            )
            return batch
        template, search = self.run(batch.template, frozen), self.run(batch.search, frozen)
        return batch._replace(template=template, search=search, stages=frozen)

    def run(self, images: Tensor, frozen: int) -> Tensor:
        """Map RGB in [0, 255] (B, 3, H, W) to the output of the first stages (B, C, h, w)."""
        self.prepare(frozen)
        pictures = images.contiguous().numpy()

        def features(first: int) -> Floats:
            few = pictures[first : first + TOGETHER]
            found: Floats = self._session.run(None, {"images": few})[0]
            return found

        with ThreadPoolExecutor(torch.get_num_threads()) as workers:
            parts = list(workers.map(features, range(0, len(pictures), TOGETHER)))
        whole = torch.from_numpy(np.concatenate(parts))
        return whole.contiguous(memory_format=torch.channels_last)

    def prepare(self, frozen: int) -> None:
        """Build the graph of the first `frozen` stages, unless it is there."""
        if frozen != self._count:
            self._session, self._count = self._build(frozen), frozen

    def _build(self, frozen: int) -> Any:
        front = Front(self.network, frozen)
        side = self.network.sides[0]
        images = torch.zeros(1, 3, side, side)
        modes = {module: module.training for module in front.modules()}
        free = {0: "batch", 2: "height", 3: "width"}
        # autocast would write casts into the graph that ONNX Runtime has no kernels for
        whole = torch.autocast(images.device.type, enabled=False)
        with tempfile.TemporaryDirectory() as folder, whole:
            file = Path(folder) / "front.onnx"
            write_graph(
                front.eval(),
                (images,),
                file,
                inputs=["images"],
                outputs=["features"],
                free={"images": free, "features": free},
            )
            graph = bytes_of(file)
        for module, mode in modes.items():
            module.training = mode
        return onnx_session(graph, 1)  # a thread for some of the pictures each


def frozen_front(network: Network) -> FrozenFront | None:
    """Return the frozen stages of a network in ONNX Runtime, or None, and log why, if torch has to.

    That is on other devices than the CPU, and of a backbone that is not the sequence of its stages.
    """
    try:
        return FrozenFront(network)
    except ValueError as error:
        logger.info("frozen stages run in torch: %s", error)
        return None


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


class _DepthwiseConv2d(nn.Conv2d):
    """A depth-wise convolution in place of another one; see `quicken_depthwise`."""

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
        form = (self.kernel_size, self.stride, self.padding, self.dilation, self.padding_mode)
        usual = form == ((5, 5), (1, 1), (2, 2), (1, 1), "zeros")
        self._splits = usual and self.in_channels == self.out_channels

    def forward(self, input: Tensor) -> Tensor:
        with torch.autocast(input.device.type, enabled=False):
            input = input.float()
            learns = self.weight.requires_grad and torch.is_grad_enabled() and not is_traced()
            if not (learns and self._splits and input.ndim == 4 and input.shape[-1] > 2):
                return super().forward(input)
            found: Tensor = _Depthwise5x5.apply(  # type: ignore[no-untyped-call]
                input, self.weight, self.bias
            )
            return found


class _Depthwise5x5(torch.autograd.Function):
    """A depth-wise 5x5 convolution that keeps the size, its weights' gradient column by column.

    oneDNN has a quick kernel for gradients of depth-wise weights up to 3 columns wide. The three in
    the middle are such weights. The first and the last column are each a 5x1 convolution of the
    same input, whose output lies two cells beside.
    """

    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(images, weight)
        return F.conv2d(images, weight, bias, padding=2, groups=len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor | None, ...]:
        images, weight = ctx.saved_tensors

        def gradients(over: Tensor, kernel: Tensor, beside: int, *which: bool) -> Any:
            return torch.ops.aten.convolution_backward(
                over,
                images,
                kernel,
                None,
                [1, 1],
                [2, beside],
                [1, 1],
                False,
                [0, 0],
                len(kernel),
                [*which, False],
            )

        wanted = ctx.needs_input_grad[0]
        back = gradients(given, weight, 2, True, False)[0] if wanted else None
        left, right = F.pad(given[..., 2:], (0, 2)), F.pad(given[..., :-2], (2, 0))
        columns = [
            gradients(over, weight[..., first : first + count], count // 2, False, True)[1]
            for over, first, count in ((left, 0, 1), (given, 1, 3), (right, 4, 1))
        ]
        sums = given.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None
        return back, torch.cat(columns, 3), sums


def quicken_depthwise(model: nn.Module) -> None:
    """Replace the depth-wise convolutions inside `model` by ones that train faster on a CPU.

    Names, weights and, up to rounding, results stay. The new ones ignore autocast: the gradient of
    a depth-wise 5x5 weight takes four times as long in bfloat16 as in float32, which costs more
    than the other layers gain. Their own gradient of such a weight takes little more than half the
    time of torch's.
    """
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.Conv2d and child.groups == child.in_channels > 1:
                setattr(parent, name, _DepthwiseConv2d(child).train(child.training))
