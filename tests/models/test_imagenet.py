"""A ResNet-50 fills the layers that fit, and says which do not."""

import pytest
import torch

from siamtrack.core.images import IMAGENET_MEAN, IMAGENET_STD
from siamtrack.errors import WeightsError
from siamtrack.models.backbones import BACKBONES
from siamtrack.models.backbones.ciresnet import fold_pixels, load_resnet50


def norm(state, name, channels):
    for field, value in (("weight", 1.0), ("bias", 0.5), ("running_mean", 2.0), ("running_var", 3)):
        state[f"{name}.{field}"] = torch.full((channels,), float(value))
    state[f"{name}.num_batches_tracked"] = torch.tensor(9)


@pytest.fixture(scope="module")
def resnet50():
    """Names and shapes of torchvision's and timm's ResNet-50, which are the same."""
    generator = torch.Generator().manual_seed(0)

    def conv(*shape):
        return torch.randn(shape, generator=generator)

    state = {"conv1.weight": conv(64, 3, 7, 7)}
    norm(state, "bn1", 64)
    inputs = 64
    for layer, (planes, units) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)], start=1):
        for unit in range(units):
            name = f"layer{layer}.{unit}"
            shapes = [(planes, inputs, 1, 1), (planes, planes, 3, 3), (4 * planes, planes, 1, 1)]
            for index, shape in enumerate(shapes, start=1):
                state[f"{name}.conv{index}.weight"] = conv(*shape)
                norm(state, f"{name}.bn{index}", shape[0])
            if unit == 0:
                state[f"{name}.downsample.0.weight"] = conv(4 * planes, inputs, 1, 1)
                norm(state, f"{name}.downsample.1", 4 * planes)
            inputs = 4 * planes
    state["fc.weight"], state["fc.bias"] = conv(1000, 2048), conv(1000)
    return state


@pytest.mark.parametrize("name", ["ciresnet16", "ciresnet19", "ciresnet22"])
def test_it_fills_the_whole_network(resnet50, name):
    backbone = BACKBONES[name]()
    report = load_resnet50(backbone, resnet50)
    assert report.missing == report.misshapen == ()
    assert len(report.loaded) == len(backbone.state_dict())
    assert torch.equal(backbone.layer2[1].conv2.weight, resnet50["layer2.1.conv2.weight"])
    assert torch.equal(backbone.stem.conv1.weight, resnet50["conv1.weight"])
    assert {"fc.weight", "layer3.0.conv1.weight"} <= set(report.unused)


def test_it_fills_what_fits_and_says_the_rest(resnet50):
    backbone = BACKBONES["ciresnet22w"]()
    before = backbone.layer1[0].conv2.weight.clone()
    report = load_resnet50(backbone, {f"model.{name}": v for name, v in resnet50.items()})
    # 3x3 convolutions, their norms, and the convolution after them, in 7 units
    assert len(report.misshapen) == 7 * 6
    assert report.misshapen[0].startswith("layer1.0.conv2.weight (64, 64, 3, 3) for layer1.0.conv2")
    assert torch.equal(backbone.layer1[0].conv2.weight, before)
    assert torch.equal(backbone.layer1[0].conv1.weight, resnet50["layer1.0.conv1.weight"])
    deep = BACKBONES["ciresnet43"]()
    report = load_resnet50(deep, resnet50)
    assert {name.split(".")[1] for name in report.missing} == {str(unit) for unit in range(3, 14)}


@torch.no_grad()
def test_a_folded_stem_takes_pixels_as_every_network_here_gets_them(resnet50):
    mean, deviation = (
        torch.tensor(each, dtype=torch.float64)[:, None, None]
        for each in (IMAGENET_MEAN, IMAGENET_STD)
    )
    generator = torch.Generator().manual_seed(1)
    pixels = torch.rand(1, 3, 63, 63, generator=generator, dtype=torch.float64) * 255
    plain, folded = (BACKBONES["ciresnet16"]().double().eval() for _ in range(2))
    for backbone in (plain, folded):
        load_resnet50(backbone, resnet50)
    expected = plain.stem((pixels - mean) / deviation)
    fold_pixels(folded)
    found = folded.stem((pixels - 127.0) / 128.0)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)
    assert (plain.stem((pixels - 127.0) / 128.0) - expected).abs().max() > 0.1


def test_bad_input(resnet50, tmp_path):
    narrow = BACKBONES["ciresnet22"](width=0.25)
    before = {name: value.clone() for name, value in narrow.state_dict().items()}
    with pytest.raises(WeightsError, match="width 1"):
        load_resnet50(narrow, resnet50)
    with pytest.raises(WeightsError, match="expected a ResNet-50"):
        load_resnet50(narrow, {"features.0.weight": torch.zeros(1)})
    (tmp_path / "a.pth").write_bytes(b"no")
    with pytest.raises(WeightsError, match="damaged"):
        load_resnet50(narrow, tmp_path / "a.pth")
    with pytest.raises(TypeError, match="CIResNet"):
        load_resnet50(BACKBONES["alexnet"](), resnet50)
    assert all(torch.equal(value, before[name]) for name, value in narrow.state_dict().items())
