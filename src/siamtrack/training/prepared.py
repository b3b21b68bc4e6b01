"""Pairs with all that does not learn computed ahead: frozen stages and a teacher's answers.

What the trained part of a network sees of a pair is the output of the stages before it, which does
not change while they are frozen; nor does what a teacher says. Loader threads compute both, once
for each pair, and a pair is used several times before it is dropped: the step then costs the
trained part alone.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from siamtrack.core.images import IMAGENET_MEAN, IMAGENET_STD
from siamtrack.data.pairs import Pair
from siamtrack.errors import WeightsError
from siamtrack.models.graphs import write_graph
from siamtrack.training.batches import Batch, Draws

Halves = NDArray[np.float16]
TAUGHT_CHANNELS = 96
"""Channels of a tracking teacher's features."""
MEAN, STD = np.array(IMAGENET_MEAN, np.float32), np.array(IMAGENET_STD, np.float32)


class Lesson(NamedTuple):
    """What a tracking network answers to pairs, for a student to learn.

    Attributes:
        template: Its template features (B, C, t, t).
        search: Its search features (B, C, s, s); cell (j, i) stands at the search pixel
            (16 i, 16 j), as the student's.
        score: Its score map (B, s, s) in [0, 1]; cell (j, i) covers the search pixels from 16 i and
            16 j on.
        box: Its best box ltwh (B, 4) in search pixels.
    """

    template: Tensor
    search: Tensor
    score: Tensor
    box: Tensor


class PreparedBatch(NamedTuple):
    """A batch without its pictures.

    Attributes:
        template: Output of the frozen stages for the templates (B, C, h, w).
        search: The same for the search patches (B, C, H, W).
        batch: Sizes, boxes and presence as in `Batch`; the pictures are empty.
        lesson: What the teacher says; None without one.
    """

    template: Tensor
    search: Tensor
    batch: Batch
    lesson: Lesson | None


@dataclass(frozen=True, slots=True)
class _Prepared:
    """One pair, in half precision."""

    arrays: tuple[Halves, ...]
    size: NDArray[np.float32]
    box: NDArray[np.float32]
    present: bool


class Engine:
    """A graph in OpenVINO, in bfloat16 where the processor has it, or else in ONNX Runtime.

    Safe to call from several threads: each call runs on one of them.

    Args:
        graph: An ONNX file.
        threads: How many calls run at once at most.
    """

    def __init__(self, graph: Path, threads: int) -> None:
        self._local = threading.local()
        try:
            import openvino
        except ImportError:
            self._compiled: Any = None
            self._session = self._onnx(graph)
            return
        core = openvino.Core()
        self._compiled = core.compile_model(
            core.read_model(str(graph)),
            "CPU",
            {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": threads,
             "INFERENCE_NUM_THREADS": threads},
        )  # fmt: skip

    @staticmethod
    def _onnx(graph: Path) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(str(graph), options, ["CPUExecutionProvider"])

    def __call__(self, *inputs: NDArray[np.generic]) -> list[NDArray[np.float32]]:
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


class TrackingTeacher:
    """A tracking network as two ONNX files, `template.onnx` and `search.onnx`, in one folder.

    Its search graph maps a search patch (1, 3, 256, 256) and template features to a score map, a
    size map and an offset map as center-based trackers have them; the tensor `xf` inside holds its
    search features. Patches are the student's without their last row and column.

    Args:
        folder: Where the files are.
        threads: How many pairs are asked about at once.

    Raises:
        WeightsError: If the files are no such network.
    """

    OUTPUTS = ("score_map", "size_map", "offset_map", "xf")

    def __init__(self, folder: Path, threads: int) -> None:
        import onnx

        files = [folder / "template.onnx", folder / "search.onnx"]
        missing = [str(file) for file in files if not file.is_file()]
        if missing:
            raise WeightsError(f"{', '.join(missing)}: no such file; a teacher has both")
        graph = onnx.load(str(files[1]))
        made = {name for node in graph.graph.node for name in node.output}
        if not set(self.OUTPUTS) <= made:
            raise WeightsError(f"{files[1]} is no teacher: expected tensors {self.OUTPUTS}")
        del graph.graph.output[:]
        for name in self.OUTPUTS:
            graph.graph.output.append(
                onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
            )
        with tempfile.TemporaryDirectory() as place:
            file = Path(place) / "search.onnx"
            onnx.save(graph, str(file))
            self._search = Engine(file, threads)
        self._template = Engine(files[0], threads)

    def __call__(self, pair: Pair) -> tuple[NDArray[np.float32], ...]:
        """Return its features of template and search patch, score map and best box of a pair."""
        (template,) = self._template(_normalised(pair.template))
        patch = _normalised(pair.search)
        score, size, offset, features = self._search(patch, template)
        side = patch.shape[-1]
        columns = score.shape[-1]
        stride = side / columns
        row, column = divmod(int(score.argmax()), columns)
        width, height = (size[0, :, row, column] * side).tolist()
        dx, dy = offset[0, :, row, column].tolist()
        cx, cy = (column + dx) * stride, (row + dy) * stride
        box = np.array([cx - width / 2, cy - height / 2, width, height], np.float32)
        return template[0], features[0], score[0, 0], box


def _normalised(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Turn a patch (S, S, 3) into (1, 3, s, s) with ImageNet's mean and deviation, s even."""
    side = image.shape[0] - image.shape[0] % 2
    plain = (image[:side, :side].astype(np.float32) - MEAN) / STD
    return np.ascontiguousarray(plain.transpose(2, 0, 1))[None]


class _Front(nn.Module):
    """uint8 (1, S, S, 3) to the output of the first stages (1, C, h, w)."""

    def __init__(self, network: Any, count: int) -> None:
        super().__init__()
        self.stages = nn.ModuleList(list(network.backbone.stages())[:count])
        self.normalise = network.normalise

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.normalise(images.permute(0, 3, 1, 2).float())
        for stage in self.stages:
            features = stage(features)
        return features


class Preparation:
    """Computes for pairs what does not learn.

    Args:
        network: The network; its first stages do not train.
        frozen: How many these are.
        teacher: Folder of a `TrackingTeacher`; None without one.
        threads: How many pairs at once.
    """

    def __init__(self, network: Any, frozen: int, teacher: Path | None, threads: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self._fronts = []
            for side in network.sides:
                file = Path(folder) / f"front{side}.onnx"
                write_graph(
                    _Front(network, frozen).eval(),
                    (torch.zeros(1, side, side, 3, dtype=torch.uint8),), file,
                    inputs=["images"], outputs=["features"],
                )  # fmt: skip
                self._fronts.append(Engine(file, threads))
        self._teacher = None if teacher is None else TrackingTeacher(teacher, threads)

    def __call__(self, pair: Pair) -> _Prepared:
        """Prepare one pair."""
        pictures = (pair.template, pair.search)
        arrays = [
            front(picture[None])[0][0]
            for front, picture in zip(self._fronts, pictures, strict=True)
        ]
        if self._teacher is not None:
            arrays += self._teacher(pair)
        return _Prepared(
            tuple(array.astype(np.float16) for array in arrays),
            pair.size.astype(np.float32),
            pair.box.astype(np.float32),
            pair.present,
        )


def uses(block: int, pairs: int, repeats: int, seed: int) -> list[int]:
    """Return the order in which a block's pairs are used, each `repeats` times.

    The first time they come in their order, since the later ones may still be in preparation.

    Example:
        >>> sorted(uses(1, 3, 2, 0))
        [3, 3, 4, 4, 5, 5]
    """
    first = block * pairs
    order = list(range(first, first + pairs))
    for turn in range(1, repeats):
        rng = np.random.default_rng((seed, block, turn))
        order += (first + rng.permutation(pairs)).tolist()
    return order


def prepared_batches(
    sampler: Draws,
    prepare: Preparation,
    size: int,
    first: int,
    loaders: int,
    *,
    repeats: int,
    block: int,
    seed: int,
) -> Generator[PreparedBatch, None, None]:
    """Yield batch `first`, `first + 1` and so on; nothing depends on the number of loaders.

    Args:
        sampler: Where pairs come from.
        prepare: What is done with each.
        size: Pairs in a batch; divides `block`.
        first: Batch to begin with.
        loaders: Threads.
        repeats: How often each pair is used.
        block: Pairs among which the uses are shuffled, and that are kept in memory; twice as many
            while the next block is prepared.
        seed: Seed of the order.
    """
    per_block = block * repeats // size
    ahead = block * (repeats - 1) // repeats + 3 * size
    workers = ThreadPoolExecutor(max(1, loaders), thread_name_prefix="prepare")
    jobs: dict[int, Future[_Prepared]] = {}

    def work(index: int) -> _Prepared:
        return prepare(sampler.draw(index))

    try:
        number, place = divmod(first, per_block)
        begun = number * block
        while True:
            order = uses(number, block, repeats, seed)
            for step in range(place, per_block):
                # evenly ahead: just enough for the first turn of each block, and no more, so that
                # loaders do not take the processor from the step
                wanted = number * block + (step + 1) * size // repeats + ahead
                for index in range(begun, wanted):
                    jobs[index] = workers.submit(work, index)
                begun = max(begun, wanted)
                yield _stack([jobs[i].result() for i in order[step * size : (step + 1) * size]])
            for index in range(number * block, (number + 1) * block):
                del jobs[index]
            number, place = number + 1, 0
    finally:
        workers.shutdown(wait=False, cancel_futures=True)


def _stack(pairs: list[_Prepared]) -> PreparedBatch:
    arrays = [
        torch.from_numpy(np.stack([pair.arrays[index] for pair in pairs])).float()
        for index in range(len(pairs[0].arrays))
    ]
    empty = torch.empty(len(pairs), 3, 0, 0)
    batch = Batch(
        empty,
        torch.from_numpy(np.stack([pair.size for pair in pairs])),
        empty,
        torch.from_numpy(np.stack([pair.box for pair in pairs])),
        torch.tensor([float(pair.present) for pair in pairs]),
    )
    template, search = (a.contiguous(memory_format=torch.channels_last) for a in arrays[:2])
    lesson = Lesson(*arrays[2:]) if len(arrays) > 2 else None
    return PreparedBatch(template, search, batch, lesson)


class Learned(nn.Module):
    """The learned map from a student's features to its teacher's.

    Args:
        channels: Channels of the student's features.
        taught: Channels of the teacher's.
    """

    def __init__(self, channels: int, taught: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(channels, taught, 1)

    def forward(self, ours: Tensor, theirs: Tensor) -> Tensor:
        """Return one minus the mean cosine of features (B, C, h, w) and (B, D, t, t), t <= h."""
        rows, columns = theirs.shape[2:]
        mapped = self.project(ours[..., :rows, :columns].float())
        return 1 - F.cosine_similarity(mapped, theirs, dim=1).mean()
