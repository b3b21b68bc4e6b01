"""The network that measures boxes anew: what is remembered, where sides are, and its graphs."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from siamtrack.models.files import write_graph  # noqa: E402
from siamtrack.models.refine import BINS, SIDE, RefineNetwork, expectation  # noqa: E402
from siamtrack.runtimes.onnx import open_graph  # noqa: E402

SIZE = torch.tensor([[0.6, 0.6], [0.3, 0.8], [0.9, 0.1]])


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return RefineNetwork().eval()


def patches(count):
    return torch.randint(0, 255, (count, SIDE, SIDE, 3), dtype=torch.uint8)


def test_cells_of_the_reference_know_where_in_the_box_they_lie(network):
    with torch.no_grad():
        memory = network.remember(patches(3), SIZE)
    assert memory.shape == (3, 144 + 36, 35)
    assert torch.allclose(memory[..., :32].norm(dim=2), torch.ones(3, 180), atol=1e-4)
    inside, x, y = memory[0, :144, 32:].unflatten(0, (12, 12)).unbind(2)
    assert inside[6, 6] == 1
    assert inside[0, 0] == -1
    # The box is 0.6 of the patch: cells 1.2 of 12 from the middle lie a sixth of it away
    assert torch.allclose(x[0], (torch.arange(12) + 0.5 - 6) / 12 / 0.6)
    assert torch.allclose(x.T, y)


def test_sides_are_expected_places():
    logits = torch.full((1, 4, BINS), -50.0)
    logits[0, 0, 11] = logits[0, 1, 0] = logits[0, 2, 47] = 0.0
    logits[0, 3, [20, 30]] = 0.0
    mean = expectation(logits)
    assert torch.allclose(mean[0], torch.tensor([11.5, 0.5, 47.5, 25.5]) / BINS)


def test_what_is_remembered_decides(network):
    patch = patches(1)
    with torch.no_grad():
        one, other = (network.remember(patch, SIZE[k : k + 1]) for k in range(2))
        sides = network(patch, SIZE[:1], one)
        assert not torch.equal(sides, network(patch, SIZE[:1], other))
    assert sides.shape == (1, 4)
    assert ((sides > 0) & (sides < 1)).all()


def test_a_frame_that_is_remembered_twice_says_the_same(network):
    with torch.no_grad():
        memory = network.remember(patches(2), SIZE[:2])
        patch = patches(2)
        once, twice = (network(patch, SIZE[:2], m) for m in (memory, torch.cat([memory] * 2, 1)))
        # Another frame has a say
        other = torch.cat([memory, network.remember(patches(2), SIZE[1:])], 1)
        mixed = network(patch, SIZE[:2], other)
    assert torch.allclose(once, twice, atol=1e-5)
    assert not torch.allclose(once, mixed, atol=1e-5)


def test_the_graph_answers_as_the_network(network, tmp_path):
    patch = patches(3)
    with torch.no_grad():
        memory = network.remember(patches(3), SIZE)
        wanted = network(patch, SIZE, memory).numpy()
    names = ("patch", "size", "memory", "sides")
    free = {name: {0: "batch"} for name in names}
    free["memory"][1] = "cells"
    file = tmp_path / "refine.onnx"
    example = (patch[:1], SIZE[:1], memory[:1])
    write_graph(network, example, file, inputs=names[:3], outputs=names[3:], free=free)
    graph = open_graph(file.read_bytes(), "refine", 1)
    for frames in (1, 3):  # however many are remembered
        told = np.tile(memory.numpy(), (1, frames, 1))
        found = graph.run({"patch": patch.numpy(), "size": SIZE.numpy(), "memory": told})
        assert np.allclose(found["sides"], wanted, atol=1e-4)
