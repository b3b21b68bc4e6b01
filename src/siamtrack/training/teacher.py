"""Teachers: what a trained network sees, the backbone learns to see.

Hinton et al., "Distilling the Knowledge in a Neural Network", 2015,
https://arxiv.org/abs/1503.02531; on features instead of outputs in Romero et al., "FitNets",
ICLR 2015, https://arxiv.org/abs/1412.6550.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from siamtrack.core.images import IMAGENET_MEAN, IMAGENET_STD
from siamtrack.data.pairs import Pair
from siamtrack.errors import WeightsError
from siamtrack.training.speed import Engine, Floats, onnx_session

MEAN, STD = np.array(IMAGENET_MEAN, np.float32), np.array(IMAGENET_STD, np.float32)
TAUGHT_CHANNELS = 96
"""Channels of a tracking teacher's features."""
TAUGHT_STRIDE = 16
"""Pixels between two cells of them."""


class TrackingTeacher:
    """A tracking network as two ONNX files, `template.onnx` and `search.onnx`, in one folder.

    Its search graph maps a search patch (1, 3, 256, 256) and template features to a score map, a
    size map and an offset map as center-based trackers have them; the tensor `xf` inside holds its
    search features. Patches are the student's without their last row and column.

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

    def __call__(self, pair: Pair) -> tuple[Floats, ...]:
        """Return its features of template and search patch, score map and best box of a pair."""
        (template,) = self._template(_normalized(pair.template))
        patch = _normalized(pair.search)
        score, size, offset, seen = self._search(patch, template)
        side = patch.shape[-1]
        columns = score.shape[-1]
        stride = side / columns
        row, column = divmod(int(score.argmax()), columns)
        width, height = (size[0, :, row, column] * side).tolist()
        dx, dy = offset[0, :, row, column].tolist()
        cx, cy = (column + dx) * stride, (row + dy) * stride
        box = np.array([cx - width / 2, cy - height / 2, width, height], np.float32)
        return template[0], seen[0], score[0, 0], box


def _normalized(image: NDArray[np.uint8]) -> Floats:
    """Turn a patch (S, S, 3) into (1, 3, s, s) with ImageNet's mean and deviation, s even."""
    side = image.shape[0] - image.shape[0] % 2
    plain = (image[:side, :side].astype(np.float32) - MEAN) / STD
    return np.ascontiguousarray(plain.transpose(2, 0, 1))[None]


class Learned(nn.Module):
    """The learned map from a student's features to its teacher's.

    Args:
        channels: Channels of the student's features.
        taught: Channels of the teacher's.
        stride: Stride of a student whose cells lie in the middle of the patch and elsewhere than
            the teacher's, which stand 16 pixels apart from the first pixel on; 0: they agree.
    """

    def __init__(self, channels: int, taught: int, stride: int = 0) -> None:
        super().__init__()
        self.project = nn.Conv2d(channels, taught, 1)
        self.stride = stride

    def forward(self, ours: Tensor, theirs: Tensor) -> Tensor:
        """Return one minus the mean cosine of features (B, C, h, w) and (B, D, t, t).

        Where cells agree, the teacher has at most as many. Otherwise the teacher's features are
        read at the student's cells, which must lie within the patch.
        """
        rows, columns = theirs.shape[2:]
        if self.stride:
            reach = (ours.shape[-1] - 1) * self.stride / (columns * TAUGHT_STRIDE)
            place = torch.linspace(-reach, reach, ours.shape[-1], device=ours.device)
            # cell i of the teacher stands at the pixel 16 i, half a cell before its middle
            place = (place + 1 / columns) * columns / max(columns - 1, 1)
            y, x = torch.meshgrid(place, place, indexing="ij")
            grid = torch.stack([x, y], -1)[None].expand(len(ours), -1, -1, -1)
            theirs = F.grid_sample(theirs, grid, padding_mode="border", align_corners=True)
            rows, columns = theirs.shape[2:]
        mapped = self.project(ours[..., :rows, :columns].float())
        return 1 - F.cosine_similarity(mapped, theirs, dim=1).mean()


class Teacher(Learned):
    """A fixed network in ONNX Runtime that is asked in each step, and the learned map to it.

    Args:
        path: ONNX file of a fully convolutional network: RGB with ImageNet's mean and standard
            deviation (B, 3, H, W) to features (B, C, H / stride, W / stride). Its declared input
            size does not matter.
        channels: Channels of the features that learn.
        threads: Threads of the network; 0 lets ONNX Runtime choose.

    Raises:
        WeightsError: If the file is no such network.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, path: str | Path, channels: int, threads: int = 0) -> None:
        import onnx

        try:
            graph = onnx.load(str(path))
            for value in (*graph.graph.input, *graph.graph.output):
                shape = value.type.tensor_type.shape
                for axis, name in ((0, "batch"), (2, "height"), (3, "width")):
                    shape.dim[axis].dim_param = f"{value.name}_{name}"
            del graph.graph.value_info[:]
            self._session = onnx_session(graph.SerializeToString(), threads)
            self._input = self._session.get_inputs()[0].name
            probe = self._run(np.zeros((1, 3, 64, 64), np.float32))
        except Exception as error:  # onnx and ONNX Runtime share no base class
            raise WeightsError(
                f"{path} is no teacher ({error}); expected an ONNX file of a fully convolutional "
                "network that maps images (B, 3, H, W) to features (B, C, h, w)"
            ) from error
        super().__init__(channels, probe.shape[1])
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN)[:, None, None])
        self.register_buffer("std", torch.tensor(IMAGENET_STD)[:, None, None])

    def _run(self, images: Floats) -> Floats:
        found = self._session.run(None, {self._input: images})[0]
        if found.ndim != 4:
            raise ValueError(f"features of shape {found.shape}")
        return np.asarray(found, dtype=np.float32)

    def forward(self, ours: Tensor, images: Tensor) -> Tensor:
        """Return one minus the mean cosine between our mapped features and the teacher's.

        Images are RGB in [0, 255] (B, 3, H, W); where ours are for an odd number of pixels, the
        last row and column are left out for the teacher.
        """
        rows, columns = (side - side % 2 for side in images.shape[2:])
        plain = (images[..., :rows, :columns] - self.mean) / self.std
        seen = torch.from_numpy(self._run(plain.contiguous().cpu().numpy()))
        return super().forward(ours, seen.to(ours.device))
