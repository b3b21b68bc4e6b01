import numpy as np
import pytest
import torch

import siamtrack
from siamtrack.data.manifest import Pool, read_manifest
from siamtrack.data.pairs import PairSampler
from siamtrack.errors import WeightsError
from siamtrack.exporting import export, read_checkpoint
from siamtrack.training import train
from siamtrack.weights import load_model
from tests.helpers import clip
from tests.training.manifest import write_manifest
from tests.training.test_loop import SMALL


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    pool = Pool(read_manifest(write_manifest(folder / "data")))
    return train(SMALL, PairSampler(pool, SMALL.pairs), folder / "run")


@pytest.mark.parametrize("count", [1, 3])
def test_graphs_give_what_torch_gives(checkpoint, tmp_path, count):
    export(checkpoint, tmp_path / "model")
    model, _ = read_checkpoint(checkpoint)
    runtime = load_model(tmp_path / "model", threads=1).runtime
    rng = np.random.default_rng(0)
    template = rng.integers(0, 255, (count, 65, 65, 3), dtype=np.uint8)
    search = rng.integers(0, 255, (count, 129, 129, 3), dtype=np.uint8)
    size = rng.uniform(0.3, 0.7, (count, 2)).astype(np.float32)
    kernel = runtime.embed(template, size)
    found = runtime.respond(kernel, search)
    with torch.no_grad():
        logits, distances, presence = model(
            torch.from_numpy(template).permute(0, 3, 1, 2).float(),
            torch.from_numpy(size),
            torch.from_numpy(search).permute(0, 3, 1, 2).float(),
        )
    np.testing.assert_allclose(found.score, logits[:, 0].sigmoid().numpy(), atol=1e-4)
    np.testing.assert_allclose(found.distances, distances.numpy(), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(found.presence, presence[:, 0].numpy(), atol=1e-3)
    assert found.features.shape == (count, 16, *found.score.shape[1:])


def test_exported_model_tracks(checkpoint, tmp_path):
    card = export(checkpoint, tmp_path / "mine", summary="A test.")
    assert card.name == "mine"
    tracker = siamtrack.load(tmp_path / "mine", threads=1)
    pictures, boxes = clip(3)
    tracker.init(pictures[0], boxes[0])
    assert np.isfinite(tracker.update(pictures[1]).box).all()


def test_a_model_is_not_overwritten(checkpoint, tmp_path):
    export(checkpoint, tmp_path / "mine")
    with pytest.raises(FileExistsError, match="holds a model"):
        export(checkpoint, tmp_path / "mine")
    export(checkpoint, tmp_path / "mine", overwrite=True)


def test_file_that_is_no_checkpoint(tmp_path):
    (tmp_path / "a.pt").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="is no checkpoint of siamtrack"):
        export(tmp_path / "a.pt", tmp_path / "mine")
    torch.save({"step": 1}, tmp_path / "b.pt")
    with pytest.raises(WeightsError, match="is no checkpoint"):
        export(tmp_path / "b.pt", tmp_path / "mine")
    assert not (tmp_path / "mine").exists()
