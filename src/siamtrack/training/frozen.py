"""The stages of a backbone that do not train, in ONNX Runtime, which runs them faster than torch.

Their weights and batch statistics are constant for as long as they are frozen, so that the graph
may hold them as constants, with the batch norms folded into the convolutions.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from torch import Tensor, nn

from siamtrack.core.files import bytes_of
from siamtrack.models.graphs import write_graph
from siamtrack.models.network import Network


class _Front(nn.Module):
    """Normalisation and the first stages: (B, 3, H, W) in [0, 255] to (B, C, h, w)."""

    def __init__(self, network: Network, stages: Sequence[nn.Module]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.normalise = network.normalise

    def forward(self, images: Tensor) -> Tensor:
        features = self.normalise(images)
        for stage in self.stages:
            features = stage(features)
        return features


class FrozenFront:
    """The first stages of a network's backbone as an ONNX session, rebuilt when their number falls.

    Args:
        network: Its backbone must be the sequence of its stages.

    Raises:
        ValueError: If it is not, or the network is not on the CPU.
    """

    def __init__(self, network: Network) -> None:
        self.network, self.stages = network, list(network.backbone.stages())
        self._count = -1
        self._session: Any = None
        if next(network.parameters()).device.type != "cpu":
            raise ValueError("frozen stages run in ONNX Runtime on the CPU: set frozen to 'torch'")
        was = network.training
        network.eval()
        probe = torch.rand(1, 3, network.sides[0], network.sides[0]) * 255
        with torch.no_grad():
            whole, parts = network.features(probe), _Front(network, self.stages)(probe)
        network.train(was)
        if whole.shape != parts.shape or not torch.allclose(whole, parts, rtol=1e-4, atol=1e-5):
            raise ValueError(
                f"{type(network.backbone).__name__} is not the sequence of its stages, so that a "
                "part of it cannot run elsewhere: set frozen to 'torch'"
            )

    def features(self, images: Tensor, frozen: int) -> Tensor:
        """Map RGB in [0, 255] (B, 3, H, W) to the backbone's features (B, channels, h, w).

        Args:
            images: Pictures, float32.
            frozen: So many first stages are frozen; the others run in torch, with gradient.
        """
        if frozen == 0:
            return self.network.features(images)
        if frozen != self._count:
            self._session, self._count = self._build(images, frozen), frozen
        found = self._session.run(None, {"images": images.contiguous().numpy()})[0]
        features = torch.from_numpy(found).contiguous(memory_format=torch.channels_last)
        for stage in self.stages[frozen:]:
            features = stage(features)
        return features

    def _build(self, images: Tensor, frozen: int) -> Any:
        front = _Front(self.network, self.stages[:frozen])
        modes = {module: module.training for module in front.modules()}
        free = {0: "batch", 2: "height", 3: "width"}
        # autocast would write casts into the graph that ONNX Runtime has no kernels for
        whole = torch.autocast(images.device.type, enabled=False)
        with tempfile.TemporaryDirectory() as folder, whole:
            file = Path(folder) / "front.onnx"
            write_graph(
                front.eval(), (images[:1],), file, inputs=["images"], outputs=["features"],
                free={"images": free, "features": free},
            )  # fmt: skip
            graph = bytes_of(file)
        for module, mode in modes.items():
            module.training = mode
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        # waiting threads would take the cores that the training step needs
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
