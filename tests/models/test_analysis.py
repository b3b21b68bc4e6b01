"""The analysis of backbones, against the arithmetic of layers and against hand-made networks."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from siamtrack.models.analysis import analyse, receptive_field, shift_error
from siamtrack.models.backbones import BACKBONES
from siamtrack.models.backbones.backbone import build_backbone, layer_arithmetic

torch.set_num_threads(1)


def convolutions(*layers):
    """A chain of 3-channel convolutions (kernel, stride, padding, dilation)."""
    return nn.Sequential(
        *(nn.Conv2d(3, 3, k, s, padding=p, dilation=d, bias=False) for k, s, p, d in layers)
    )


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_field_and_stride_are_those_of_the_layers(name):
    backbone = BACKBONES[name](width=0.125)
    field, stride = receptive_field(backbone, 255)
    assert stride == backbone.stride
    if name not in ("mobilenetv2",):  # its dilations are not in the arithmetic
        assert (field, stride) == layer_arithmetic(backbone)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([(3, 1, 0, 1)], (3, 1)),
        ([(5, 2, 0, 1), (3, 1, 0, 1)], (9, 2)),
        ([(3, 2, 1, 1), (3, 2, 1, 2)], (11, 4)),
        ([(1, 1, 0, 1)], (1, 1)),
    ],
)
def test_field_of_hand_made_chains(layers, expected):
    assert receptive_field(convolutions(*layers), 41) == expected


def test_the_image_grows_until_the_field_fits():
    assert receptive_field(convolutions((91, 1, 45, 1)), 15) == (91, 1)


def test_functional_layers_are_seen():
    class Functional(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, images):
            return F.avg_pool2d(F.relu(self.conv(images)), 2)

    found = analyse(Functional(), "mine", 31, 63, repeats=0)
    assert (found.receptive_field, found.stride, found.channels) == (4, 2, 4)
    assert found.search_macs == 61 * 61 * 4 * 27
    assert found.parameters == 4 * 27 + 4
    assert found.weights_bytes == 4 * found.parameters
    assert found.activation_bytes == 4 * (3 * 63 * 63 + 4 * 61 * 61)
    assert found.latency_ms is None


def test_macs_are_those_of_alexnet_by_hand():
    found = analyse(BACKBONES["alexnet"](), repeats=1)
    cells = (123, 57, 26, 24, 22)
    weights = (3 * 96 * 121, 48 * 256 * 25, 256 * 384 * 9, 192 * 384 * 9, 192 * 256 * 9)
    assert found.search_macs == sum(c * c * w for c, w in zip(cells, weights, strict=True))
    assert found.latency_ms > 0
    assert found.flags == ()


@torch.no_grad()
def test_the_network_is_left_as_it_was():
    backbone = BACKBONES["ciresnet16"](width=0.125).train()
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    analyse(backbone, repeats=0)
    assert backbone.training
    assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())


def test_flags_say_what_the_guidelines_reject():
    flags = analyse(BACKBONES["mobile"](width=0.25), "", 129, 257, repeats=0).flags
    assert [flag.split()[0] for flag in flags] == ["stride", "receptive", "padding"]
    assert analyse(BACKBONES["ciresnet22"](width=0.125), repeats=0).flags == ()
    padded = BACKBONES["ciresnet22"](width=0.125, crop=False)
    assert any("padding" in flag for flag in analyse(padded, repeats=0).flags)


def test_false_declarations_are_flagged():
    network = convolutions((3, 2, 1, 1))
    network.stride, network.channels, network.padding_free = 8, 3, True
    flags = analyse(network, "", 31, 63, repeats=0).flags
    assert any("declares stride 8, but 2" in flag for flag in flags)
    assert any("free of padding" in flag for flag in flags)
    assert not any("channels" in flag for flag in flags)


@pytest.mark.parametrize(
    ("network", "settings", "message"),
    [
        (convolutions((3, 1, 0, 1)), {"template": 64, "search": 63}, "template <= search"),
        (convolutions((3, 1, 0, 1)), {"repeats": -1}, "repeats"),
        (nn.Conv2d(1, 1, 3), {}, "does not take images"),
        (nn.Flatten(), {}, "expected features"),
        (nn.Sequential(nn.Conv2d(3, 3, 99)), {"template": 64, "search": 64}, "does not take"),
        (BACKBONES["ciresnet22"](width=0.125), {"template": 60}, "at least"),
    ],
)
def test_bad_input(network, settings, message):
    with pytest.raises(ValueError, match=message):
        analyse(network, **settings)


def test_shift_error_of_known_networks():
    assert shift_error(convolutions((3, 1, 0, 1)), 31, 1) < 1e-6
    assert 0.01 < shift_error(convolutions((3, 1, 1, 1)), 31, 1) < 2


OWN = """
import torch
from siamtrack.models.backbones import BACKBONES
from siamtrack.models.backbones.alexnet import AlexNet

class Mine(AlexNet):
    stride = 4

def fixed():
    return AlexNet(0.25)

ready = AlexNet(0.125)
number = 3
def broken(width=1.0):
    return width

if "own_backbone" not in BACKBONES:
    @BACKBONES.register("own_backbone")
    def _(width=1.0):
        return AlexNet(width / 4)
"""


@pytest.fixture
def clean_registry(monkeypatch):
    monkeypatch.setattr(BACKBONES, "_items", dict(BACKBONES._items))


def test_backbones_of_the_user(tmp_path, monkeypatch, clean_registry):
    file = tmp_path / "own.py"
    file.write_text(OWN)
    assert build_backbone(f"{file}:Mine", 0.25).channels == 64
    assert build_backbone(f"{file}:fixed").channels == 64
    assert build_backbone(f"{file}:ready").channels == 32
    assert build_backbone(f"{file}:own_backbone").channels == 64
    monkeypatch.syspath_prepend(tmp_path)
    assert build_backbone("own:Mine", 0.5).channels == 128
    for name, message in [
        ("fixed", "width"),
        ("number", "is no backbone"),
        ("broken", "expected a torch module"),
        ("absent", "neither holds nor registers"),
    ]:
        with pytest.raises(ValueError, match=message):
            build_backbone(f"{file}:{name}", 0.5)
    (tmp_path / "wrong.py").write_text("1 / 0")
    for place in (tmp_path / "wrong.py", tmp_path / "absent.py", "no.such.module"):
        with pytest.raises(ValueError, match="cannot import"):
            build_backbone(f"{place}:Mine")
