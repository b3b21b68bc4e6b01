"""Converted networks answer as the code they come from, which wrote the fixtures.

`benchmarks/record_reference.py` ran the original code; nothing of it is needed here.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from siamtrack.models.convert import convert

from .seeded import picture, weights

torch.set_num_threads(1)
FIXTURES = sorted((Path(__file__).parent / "fixtures").glob("*.npz"))
LARGE = {"ResNet50", "SiamRPNRes22-thicker"}  # 200 and 300 MB of weights
PARAMS = [
    pytest.param(file, marks=pytest.mark.slow if file.stem in LARGE else (), id=file.stem)
    for file in FIXTURES
]


def rgb(name, side, swapped):
    values = picture(name, side)
    return torch.from_numpy(values[:, ::-1].copy() if swapped else values)


def test_every_model_is_there():
    assert [file.stem for file in FIXTURES] == [
        "AlexNet",
        "AlexNetLegacy",
        "AlexNetV1",
        "AlexNetV3",
        "MobileNetV2",
        "ResNet50",
        "SiamFCIncep22",
        "SiamFCNext22",
        "SiamFCRes22",
        "SiamFCRes22W",
        "SiamRPNRes22-thicker",
        "SiamRPNRes22-thinner",
    ]


@pytest.mark.parametrize("file", PARAMS)
@torch.no_grad()
def test_the_response_is_that_of_the_original_code(file):
    content = np.load(file)
    state = weights(json.loads(content["shapes"].tobytes()))
    model, report = convert({name: torch.from_numpy(value) for name, value in state.items()})
    assert report.complete, report.text()
    swapped = "AlexNetV" not in file.stem  # siamfc-pytorch alone takes RGB
    kernel = model.kernel(rgb(f"{file.stem} template", 127, swapped))
    answer = model.respond(kernel, rgb(f"{file.stem} search", int(content["side"]), swapped))
    maps = answer if isinstance(answer, tuple) else (answer,)
    assert len(maps) == len(content["full"])
    for index, (found, full) in enumerate(zip(maps, content["full"], strict=True)):
        found = found.reshape(tuple(full))
        expected = torch.from_numpy(content[f"map{index}"])
        difference = (found[..., ::4, ::4] - expected).abs().max()
        assert difference < 1e-4 * expected.abs().max()
        assert expected.std() > 1e-3 * expected.abs().max()  # it says something
