import copy

import pytest
import torch
from torch import nn

from siamtrack.models.files import write_graph
from siamtrack.training.speed import onnx_session, quicken_depthwise


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 5, padding=2, groups=8), nn.Conv2d(8, 4, 1)
    )


def test_depthwise_convolutions_stay_in_float32_under_autocast():
    plain, kept = network(), network()
    quicken_depthwise(kept)
    images, seen = torch.rand(2, 3, 16, 16), []
    for module in kept:
        module.register_forward_hook(lambda *given: seen.append(given[2].dtype))
    with torch.autocast("cpu", torch.bfloat16):
        kept(images)
    assert seen == [torch.bfloat16, torch.float32, torch.bfloat16]
    # outside autocast nothing changes, and neither do the names of the weights
    assert torch.equal(plain(images), kept(images))
    assert list(plain.state_dict()) == list(kept.state_dict())


def test_gradients_reach_the_layers_before():
    kept = network()
    quicken_depthwise(kept)
    with torch.autocast("cpu", torch.bfloat16):
        loss = kept(torch.rand(2, 3, 16, 16)).float().square().mean()
    loss.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in kept.parameters())


@pytest.mark.parametrize("outputs", [4, 8])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", [(2, 4, 9, 9), (1, 4, 3, 7), (2, 4, 2, 2), (3, 4, 5, 3)])
def test_gradients_of_wide_depthwise_kernels_are_those_of_torch(shape, bias, outputs):
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(4, outputs, 5, padding=2, groups=4, bias=bias))
    quick = copy.deepcopy(plain)
    quicken_depthwise(quick)
    images = torch.rand(shape).contiguous(memory_format=torch.channels_last).requires_grad_()
    weights = torch.rand(shape[0], outputs, *shape[2:])
    found = []
    for model in (plain, quick):
        answer = model(images)
        learned = [images, *model.parameters()]
        found.append([answer, *torch.autograd.grad((answer * weights).sum(), learned)])
    for ours, truth in zip(*found, strict=True):
        torch.testing.assert_close(ours, truth, rtol=1e-4, atol=1e-4)


def test_a_frozen_wide_kernel_gets_no_gradient_and_exports(tmp_path):
    quick = nn.Sequential(nn.Conv2d(4, 4, 5, padding=2, groups=4))
    quicken_depthwise(quick)
    pictures = (torch.rand(1, 4, 9, 9),)
    write_graph(quick, pictures, tmp_path / "g.onnx", inputs=["images"], outputs=["features"])
    (found,) = onnx_session(str(tmp_path / "g.onnx"), 1).run(None, {"images": pictures[0].numpy()})
    torch.testing.assert_close(torch.from_numpy(found), quick(*pictures), rtol=1e-4, atol=1e-5)
    quick.requires_grad_(False)
    images = torch.rand(1, 4, 9, 9, requires_grad=True)
    quick(images).sum().backward()
    assert images.grad.abs().sum() > 0
    assert quick[0].weight.grad is None
