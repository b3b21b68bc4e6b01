"""The network of the masks: shapes, what it is told of the box, and its ONNX graph."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from siamtrack.models.files import write_graph  # noqa: E402
from siamtrack.models.masks import SIDE, MaskNetwork, inside  # noqa: E402
from siamtrack.runtimes.onnx import open_graph  # noqa: E402


def test_the_graph_answers_as_the_network(tmp_path):
    torch.manual_seed(0)
    model = MaskNetwork().eval()
    patch = torch.randint(0, 255, (3, SIDE, SIDE, 3), dtype=torch.uint8)
    size = torch.tensor([[0.6, 0.6], [0.3, 0.8], [0.9, 0.1]])
    with torch.no_grad():
        wanted = model(patch, size).numpy()
    assert wanted.shape == (3, SIDE, SIDE)
    names = ("patch", "size", "mask")
    free = {name: {0: "batch"} for name in names}
    file = tmp_path / "mask.onnx"
    write_graph(model, (patch[:1], size[:1]), file, inputs=names[:2], outputs=names[2:], free=free)
    found = open_graph(file.read_bytes(), "mask", 1).run(
        {"patch": patch.numpy(), "size": size.numpy()}
    )
    assert np.allclose(found["mask"], wanted, atol=1e-3)
    # The box matters, in every row by itself
    with torch.no_grad():
        other = model(patch, torch.full((3, 2), 0.6)).numpy()
    assert np.allclose(other[0], wanted[0], atol=1e-4)
    assert not np.allclose(other[1], wanted[1], atol=1e-3)


def test_cells_know_how_far_they_lie_inside():
    cells = inside(torch.tensor([[0.5, 1.0]]), 8)[0, 0]
    assert cells.shape == (8, 8)
    assert (cells[:, 3:5] == 1).all()
    assert (cells[:, [0, 7]] == -1).all()
    assert torch.equal(cells, cells.flip(0))
