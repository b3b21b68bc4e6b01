import pytest
import torch
from torch import nn
from torch.nn import functional as F

from siamtrack.models.analysis import ROUNDING, shift_error
from siamtrack.models.backbones import BACKBONES
from siamtrack.models.units import CIRUnit

from .exporting import export, run

torch.set_num_threads(1)

SHAPES = {  # channels, template cells, search cells, thousands of parameters at width 1
    "alexnet": (256, 6, 22, 2336),
    "alexnet_rpn": (256, 6, 22, 3750),
    "ciresnet16": (512, 9, 25, 885),
    "ciresnet19": (512, 7, 23, 1165),
    "ciresnet22": (512, 5, 21, 1445),
    "ciresnet22w": (512, 5, 21, 2458),
    "ciresnet43": (256, 2, 34, 1000),
    "ciresnext22": (512, 5, 21, 1417),
    "ciresincep22": (640, 5, 21, 1695),
    "cirmobile": (80, 4, 20, 171),
    "mobile": (112, 9, 17, 701),
    "mobilenetv2": (448, 15, 31, 1813),
}
# largest change of a feature by a shift of the image, as a share of the largest activation, with
# the weights of this test: what their zero padding costs the two that have it
SHIFT_ERRORS = {"mobile": 0.55, "mobilenetv2": 0.25}


def sides(name):
    return (129, 257) if name == "mobile" else (127, 255)


@pytest.fixture(params=sorted(BACKBONES))
def slim(request):
    torch.manual_seed(0)
    return request.param, BACKBONES[request.param](width=0.25).eval()


def test_every_backbone_has_a_row():
    assert set(SHAPES) == set(BACKBONES)


@torch.no_grad()
def test_stride_channels_and_sizes_are_as_declared(slim):
    name, backbone = slim
    template, search = (backbone(torch.randn(1, 3, side, side)) for side in sides(name))
    assert template.shape[1] == search.shape[1] == backbone.channels
    assert template.shape[2:] == (SHAPES[name][1],) * 2
    assert search.shape[2:] == (SHAPES[name][2],) * 2
    assert (search.shape[-1] - template.shape[-1]) * backbone.stride == 128
    assert (search.shape[-1] - template.shape[-1] + 1) % 2 == 1


def test_a_shift_of_one_stride_shifts_the_feature_by_one_cell(slim):
    name, backbone = slim
    error = shift_error(backbone, sides(name)[1], backbone.stride)
    if backbone.padding_free:
        assert error < ROUNDING  # 0.0 on most processors, but not on all
    else:
        assert error == pytest.approx(SHIFT_ERRORS[name], abs=0.02)
        assert error > 1000 * ROUNDING


def test_a_processor_that_rounds_by_place_is_not_taken_for_padding(slim):
    """Every convolution is off by a unit in the last place, at each cell in another way."""
    name, backbone = slim
    generator = torch.Generator().manual_seed(1)

    def off(module, inputs, output):
        return output * (1 + 2.0**-22 * (torch.rand(output.shape, generator=generator) - 0.5))

    for layer in backbone.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(off)
    error = shift_error(backbone, sides(name)[1], backbone.stride)
    if backbone.padding_free:
        assert 0 < error < ROUNDING
    else:
        assert error > 1000 * ROUNDING


@torch.no_grad()
def test_exported_it_gives_the_same(slim):
    name, backbone = slim
    data = export(backbone, (torch.randn(1, 3, sides(name)[0], sides(name)[0]),))
    images = torch.randn(2, 3, sides(name)[0], sides(name)[0])
    expected = backbone(images)
    (result,) = run(data, [images])
    assert (result - expected).abs().max() < 1e-4 * expected.abs().max()


def test_gradients_reach_the_first_layer(slim):
    name, backbone = slim
    backbone.train()(torch.randn(2, 3, sides(name)[0], sides(name)[0])).square().sum().backward()
    first = next(backbone.stages()[0].parameters()).grad
    assert torch.isfinite(first).all()
    assert first.abs().max() > 0


def test_stages_hold_every_parameter_once(slim):
    _, backbone = slim
    inside = [id(p) for stage in backbone.stages() for p in stage.parameters()]
    assert inside == [id(p) for p in backbone.parameters()]


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_full_width(name):
    backbone = BACKBONES[name]()
    channels, _, _, parameters = SHAPES[name]
    assert backbone.channels == channels
    assert round(sum(p.numel() for p in backbone.parameters()) / 1000) == parameters


@pytest.mark.parametrize("name", sorted(BACKBONES))
@pytest.mark.parametrize("width", [0, -1.0])
def test_bad_widths(name, width):
    with pytest.raises(ValueError, match="width must be above 0"):
        BACKBONES[name](width=width)


@torch.no_grad()
def test_the_smallest_image_gives_one_cell_and_less_is_refused(slim):
    _, backbone = slim
    if not backbone.padding_free:
        pytest.skip("takes any size")
    side = backbone.smallest
    assert backbone(torch.randn(1, 3, side, side)).shape[2:] == (1, 1)
    with pytest.raises(ValueError, match=f"at least {side} pixels"):
        backbone(torch.randn(1, 3, side - 1, side))


@pytest.mark.parametrize("inputs", [8, 16])  # with and without a convolution on the shortcut
@torch.no_grad()
def test_a_unit_is_the_padded_bottleneck_cropped(inputs):
    torch.manual_seed(0)
    unit = CIRUnit(inputs, 4).double().eval()
    scramble_norms(unit)
    x = torch.randn(2, inputs, 9, 9, dtype=torch.float64)
    y = F.relu(unit.bn1(unit.conv1(x)))
    y = F.relu(unit.bn2(F.conv2d(y, unit.conv2.weight, padding=1)))
    padded = F.relu(unit.bn3(unit.conv3(y)) + unit.downsample(x))
    torch.testing.assert_close(unit(x), padded[..., 1:-1, 1:-1])


@torch.no_grad()
def test_the_stem_is_the_padded_convolution_cropped_by_two():
    torch.manual_seed(0)
    stem = BACKBONES["ciresnet22"](width=0.125).double().eval().stem
    scramble_norms(stem)
    images = torch.randn(1, 3, 31, 31, dtype=torch.float64)
    padded = stem.bn1(F.conv2d(images, stem.conv1.weight, stride=2, padding=3))
    expected = stem.maxpool(F.relu(padded[..., 2:-2, 2:-2]))
    torch.testing.assert_close(stem(images), expected)


def scramble_norms(network):
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_()
            layer.bias.normal_()
