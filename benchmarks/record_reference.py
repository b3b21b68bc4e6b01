"""Run the original code of other projects with seeded weights, and store what it answers.

    python benchmarks/record_reference.py siamdw /path/to/SiamDW
    python benchmarks/record_reference.py siamfc-pytorch /path/to/siamfc-pytorch
    python benchmarks/record_reference.py pysot /path/to/pysot

The paths are checkouts of github.com/researchmm/SiamDW, huanglianghua/siamfc-pytorch and
STVIR/pysot (which needs yacs); those stored come from their commits c82b0599 (2021-02), 39572051
(2020-06) and d04028f8 (2025-06). Names, shapes and the response to
a seeded picture go into tests/models/convert/fixtures; tests/models/convert/seeded.py says which
weights and which picture.
"""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).parent.parent
FIXTURES = ROOT / "tests" / "models" / "convert" / "fixtures"
Models = Iterator[tuple[str, torch.nn.Module, int]]  # name, network, side of search patch
STEP = 4  # every fourth cell of a response is kept, in both directions


def siamdw(path: Path) -> Models:
    sys.path.insert(0, str(path / "lib"))
    torch.nn.init.kaiming_normal = torch.nn.init.kaiming_normal_  # names of old torch
    torch.nn.init.constant = torch.nn.init.constant_
    from models import models

    for name in ("SiamFCRes22", "SiamFCRes22W", "SiamFCIncep22", "SiamFCNext22"):
        yield name, getattr(models, name)(), 255
    for kind in ("thinner", "thicker"):
        yield f"SiamRPNRes22-{kind}", models.SiamRPNRes22(anchors_nums=5, cls_type=kind), 255


def siamfc_pytorch(path: Path) -> Models:
    parts = {}
    for part in ("backbones", "heads"):  # the package itself imports the tracker and its toolkit
        spec = importlib.util.spec_from_file_location(part, path / "siamfc" / f"{part}.py")
        parts[part] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(parts[part])

    class Net(torch.nn.Module):
        def __init__(self, backbone: torch.nn.Module) -> None:
            super().__init__()
            self.backbone, self.head = backbone, parts["heads"].SiamFC(0.001)

        def template(self, z: torch.Tensor) -> None:
            self.kernel = self.backbone(z)

        def track(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.kernel, self.backbone(x))

    yield "AlexNetV1", Net(parts["backbones"].AlexNetV1()), 255
    yield "AlexNetV3", Net(parts["backbones"].AlexNetV3()), 255


def pysot(path: Path) -> Models:
    sys.path.insert(0, str(path))
    from pysot.core.config import cfg
    from pysot.models.model_builder import ModelBuilder

    defaults = cfg.clone()
    for name, experiment, side in (
        ("AlexNetLegacy", "siamrpn_alex_dwxcorr", 287),
        ("MobileNetV2", "siamrpn_mobilev2_l234_dwxcorr", 255),
        ("AlexNet", "siamrpn_alex_dwxcorr", 287),
        ("ResNet50", "siamrpn_r50_l234_dwxcorr", 255),
    ):
        cfg.clear()
        cfg.update(defaults.clone())
        cfg.merge_from_file(str(path / "experiments" / experiment / "config.yaml"))
        if name == "AlexNet":
            cfg.BACKBONE.TYPE = "alexnet"
        yield name, ModelBuilder(), side


def record(
    name: str, model: torch.nn.Module, side: int, picture: Callable, weights: Callable
) -> None:
    """Write the fixture of one model."""
    shapes = {key: list(value.shape) for key, value in model.state_dict().items()}
    model.load_state_dict({key: torch.from_numpy(v) for key, v in weights(shapes).items()})
    model.eval()
    with torch.no_grad():
        model.template(torch.from_numpy(picture(f"{name} template", 127)))
        answer = model.track(torch.from_numpy(picture(f"{name} search", side)))
    if isinstance(answer, dict):
        answer = (answer["cls"], answer["loc"])
    maps = answer if isinstance(answer, tuple) else (answer,)
    backbone = model.backbone if hasattr(model, "backbone") else model.features
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        backbone(torch.zeros(1, 3, 255, 255))
    file = FIXTURES / f"{name}.npz"
    np.savez_compressed(
        file,
        shapes=np.frombuffer(json.dumps(shapes, separators=(",", ":")).encode(), np.uint8),
        side=side,
        macs=counter.get_total_flops() // 2,  # of the backbone, for a search patch of 255
        full=[list(each.shape) for each in maps],
        **{f"map{i}": each[..., ::STEP, ::STEP].numpy() for i, each in enumerate(maps)},
    )
    print(f"{file}: {len(shapes)} tensors, {file.stat().st_size} bytes", *(m.shape for m in maps))


def main(project: str, folder: str) -> None:
    sys.path.insert(0, str(ROOT))
    from tests.models.convert.seeded import picture, weights

    commit = subprocess.run(
        ["git", "-C", folder, "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    print(project, commit or "(no git checkout)")
    FIXTURES.mkdir(exist_ok=True)
    models = {"siamdw": siamdw, "siamfc-pytorch": siamfc_pytorch, "pysot": pysot}[project]
    for name, model, side in models(Path(folder)):
        record(name, model, side, picture, weights)


if __name__ == "__main__":
    main(*sys.argv[1:])
