import torch
from torch import nn

from siamtrack.training.speed import keep_depthwise_in_float32


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 5, padding=2, groups=8), nn.Conv2d(8, 4, 1)
    )


def test_depthwise_convolutions_stay_in_float32_under_autocast():
    plain, kept = network(), network()
    keep_depthwise_in_float32(kept)
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
    keep_depthwise_in_float32(kept)
    with torch.autocast("cpu", torch.bfloat16):
        loss = kept(torch.rand(2, 3, 16, 16)).float().square().mean()
    loss.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in kept.parameters())
