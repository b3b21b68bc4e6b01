"""Features of a trained network as an additional target: what it sees, the backbone learns to see.

Hinton et al., "Distilling the Knowledge in a Neural Network", 2015,
https://arxiv.org/abs/1503.02531; on features instead of outputs in Romero et al., "FitNets",
ICLR 2015, https://arxiv.org/abs/1412.6550.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from siamtrack.core.images import IMAGENET_MEAN, IMAGENET_STD
from siamtrack.errors import WeightsError


class Teacher(nn.Module):
    """A fixed network in ONNX Runtime, and the learned map from our features to its.

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
        super().__init__()
        import onnx

        try:
            graph = onnx.load(str(path))
            for value in (*graph.graph.input, *graph.graph.output):
                shape = value.type.tensor_type.shape
                for axis, name in ((0, "batch"), (2, "height"), (3, "width")):
                    shape.dim[axis].dim_param = f"{value.name}_{name}"
            del graph.graph.value_info[:]
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = threads
            # waiting threads would take the cores that the training step needs
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            options.log_severity_level = 3
            self._session = onnxruntime.InferenceSession(
                graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
            self._input = self._session.get_inputs()[0].name
            probe = self._run(np.zeros((1, 3, 64, 64), np.float32))
        except Exception as error:  # onnx and ONNX Runtime share no base class
            raise WeightsError(
                f"{path} is no teacher ({error}); expected an ONNX file of a fully convolutional "
                "network that maps images (B, 3, H, W) to features (B, C, h, w)"
            ) from error
        self.project = nn.Conv2d(channels, probe.shape[1], 1)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN)[:, None, None])
        self.register_buffer("std", torch.tensor(IMAGENET_STD)[:, None, None])

    def _run(self, images: np.ndarray) -> np.ndarray:
        features = self._session.run(None, {self._input: images})[0]
        if features.ndim != 4:
            raise ValueError(f"features of shape {features.shape}")
        return np.asarray(features, dtype=np.float32)

    def forward(self, features: Tensor, images: Tensor) -> Tensor:
        """Return one minus the mean cosine between our mapped features and the teacher's.

        Args:
            features: Ours (B, channels, h, w).
            images: RGB in [0, 255] (B, 3, H, W) that they came from. Where ours are for an odd
                number of pixels, the last row and column are left out for the teacher.
        """
        rows, cols = (side - side % 2 for side in images.shape[2:])
        plain = (images[..., :rows, :cols] - self.mean) / self.std
        truth = torch.from_numpy(self._run(plain.contiguous().numpy()))
        ours = self.project(features[..., : truth.shape[2], : truth.shape[3]].float())
        return 1 - F.cosine_similarity(ours, truth, dim=1).mean()
