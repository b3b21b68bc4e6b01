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
    mean, spread = expectation(logits)
    assert torch.allclose(mean[0], torch.tensor([11.5, 0.5, 47.5, 25.5]) / BINS)
    assert torch.allclose(spread[0], torch.tensor([0, 0, 0, 5.0]) / BINS, atol=1e-4)


def test_what_is_remembered_decides(network):
    patch = patches(1)
    with torch.no_grad():
        one, other = (network.remember(patch, SIZE[k : k + 1]) for k in range(2))
        sides, spread = network(patch, SIZE[:1], one)
        assert not torch.equal(sides, network(patch, SIZE[:1], other)[0])
    assert sides.shape == spread.shape == (1, 4)
    assert ((sides > 0) & (sides < 1)).all()
    assert (spread > 0).all()


def test_the_graph_answers_as_the_network(network, tmp_path):
    patch = patches(3)
    with torch.no_grad():
        memory = network.remember(patches(3), SIZE)
        wanted = [each.numpy() for each in network(patch, SIZE, memory)]
    names = ("patch", "size", "memory", "sides", "spread")
    free = {name: {0: "batch"} for name in names}
    file = tmp_path / "refine.onnx"
    example = (patch[:1], SIZE[:1], memory[:1])
    write_graph(network, example, file, inputs=names[:3], outputs=names[3:], free=free)
    feed = {"patch": patch.numpy(), "size": SIZE.numpy(), "memory": memory.numpy()}
    found = open_graph(file.read_bytes(), "refine", 1).run(feed)
    assert np.allclose(found["sides"], wanted[0], atol=1e-4)
    assert np.allclose(found["spread"], wanted[1], atol=1e-4)
