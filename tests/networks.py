"""Small models of every kind with random weights, as checkpoints and as exported folders."""

import json

import numpy as np
import pytest
import torch

from siamtrack.core.config import to_dict
from siamtrack.data.pairs import PairConfig
from siamtrack.models.backbones.alexnet import AlexNet
from siamtrack.models.heads.siamfc import SiamFCHead
from siamtrack.models.network import BoxTrackerConfig, Network, SiamFCConfig
from siamtrack.training import TrainConfig

pytestmark = pytest.mark.needs("torch")

STRUCTURES = {
    "box": BoxTrackerConfig(template=65, search=129, head_width=16, head_depth=1),
    "siamfc": SiamFCConfig(width=0.125, search=191),
}
KINDS = ("box", "foreign", "siamfc")
OUTPUTS = ("score", "distances", "presence", "features")


def write_checkpoint(path, kind, seed=0):
    """Write a checkpoint whose network has random weights and statistics; `foreign` is SiamFC as
    siamfc-pytorch saves it."""
    torch.manual_seed(seed)
    if kind == "foreign":
        network = Network(AlexNet(width=0.25), SiamFCHead(scale=1e-3))
        content = {k: v for k, v in network.state_dict().items() if k.startswith("backbone")}
    else:
        model = STRUCTURES[kind]
        config = TrainConfig(model=model, pairs=PairConfig(model.template, model.search))
        network = config.network()
        content = {"step": 0, "config": json.dumps(to_dict(config))}
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 1.5)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    if kind != "foreign":
        content |= {"model": network.state_dict(), "average": network.state_dict()}
    torch.save(content, path)
    return path


def inputs(card, count, seed=0):
    """Template patches, sizes and search patches for a model."""
    rng = np.random.default_rng(seed)
    template, search = (
        rng.integers(0, 255, (count, side, side, 3), dtype=np.uint8)
        for side in (card.template, card.search)
    )
    return template, rng.uniform(0.3, 0.7, (count, 2)).astype(np.float32), search


def answers(model, count, kernel=None):
    """All that a model says about `count` patches, by name."""
    template, size, search = inputs(model.card, count)
    own = model.runtime.embed(template, size)
    response = model.runtime.respond(own if kernel is None else kernel, search)
    found = {name: getattr(response, name) for name in OUTPUTS}
    return {"kernel": own} | {name: value for name, value in found.items() if value is not None}


def assert_alike(found, truth, tolerance):
    """Largest difference of each output, as a share of its largest value."""
    assert found.keys() == truth.keys()
    for name, value in truth.items():
        assert found[name].dtype == np.float32
        assert found[name].shape == value.shape
        assert value.std() > 0 or value.size == 1
        away = np.abs(found[name] - value).max() / np.abs(value).max()
        assert away <= tolerance, f"{name} is away by {away:.2g} of its largest value"
