from dataclasses import replace

import numpy as np
import pytest
import torch

import siamtrack
from siamtrack.core.settings import SIAMFC as SIAMFC_SETTINGS
from siamtrack.core.settings import SIAMRPN as SIAMRPN_SETTINGS
from siamtrack.core.settings import OnlineSettings
from siamtrack.data.manifest import Pool, read_manifest
from siamtrack.data.pairs import PairSampler
from siamtrack.errors import WeightsError
from siamtrack.models.backbones.alexnet import AlexNet
from siamtrack.models.heads.siamfc import SiamFCHead
from siamtrack.models.network import BoxTrackerConfig, Network
from siamtrack.packages.card import load_model
from siamtrack.tracking.tracker import SiamTracker
from siamtrack.training import train
from siamtrack.training.checkpoint import export, read_checkpoint
from siamtrack.training.monitor import live_model
from tests.helpers import clip
from tests.training.manifest import write_manifest
from tests.training.test_loop import SIAMFC, SMALL


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
            torch.from_numpy(search).permute(0, 3, 1, 2).float(),
            torch.from_numpy(size),
        )
    np.testing.assert_allclose(found.score, logits[:, 0].sigmoid().numpy(), atol=1e-4)
    np.testing.assert_allclose(found.distances, distances.numpy(), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(found.presence, presence[:, 0].numpy(), atol=1e-3)
    assert found.features.shape == (count, 16, *found.score.shape[1:])


def test_exported_model_tracks(checkpoint, tmp_path):
    card = export(checkpoint, tmp_path / "mine", summary="A test.")
    assert card.name == "mine"
    assert card.license == ""  # whose weights they are has to say
    tracker = siamtrack.load(tmp_path / "mine", threads=1)
    pictures, boxes = clip(3)
    tracker.init(pictures[0], boxes[0])
    assert np.isfinite(tracker.update(pictures[1]).box).all()


@pytest.fixture(scope="module")
def siamfc(tmp_path_factory):
    """Checkpoint of a tiny SiamFC."""
    folder = tmp_path_factory.mktemp("siamfc")
    pool = Pool(read_manifest(write_manifest(folder / "data")))
    return train(SIAMFC, PairSampler(pool, SIAMFC.pairs), folder / "run")


@pytest.mark.parametrize("count", [1, 3])
def test_response_graphs_give_what_torch_gives(siamfc, tmp_path, count):
    card = export(siamfc, tmp_path / "model")
    assert (card.kind, card.template, card.search, card.stride) == ("response", 127, 191, 8)
    assert card.tracker.penalty == 0.9745
    model, _ = read_checkpoint(siamfc)
    runtime = load_model(tmp_path / "model", threads=1).runtime
    rng = np.random.default_rng(0)
    template = rng.integers(0, 255, (count, 127, 127, 3), dtype=np.uint8)
    search = rng.integers(0, 255, (count, 191, 191, 3), dtype=np.uint8)
    found = runtime.respond(runtime.embed(template, np.zeros((count, 2), np.float32)), search)
    with torch.no_grad():
        truth = model(
            torch.from_numpy(template).permute(0, 3, 1, 2).float(),
            torch.from_numpy(search).permute(0, 3, 1, 2).float(),
        )
    np.testing.assert_allclose(found.score, truth[:, 0].numpy(), atol=1e-4)
    assert found.distances is None
    assert found.presence is None
    assert found.features.shape[:2] == (count, model.backbone.channels)


def test_network_in_training_tracks_as_its_export(siamfc, checkpoint, tmp_path):
    for number, path in enumerate((siamfc, checkpoint)):
        export(path, tmp_path / str(number))
        live = SiamTracker(live_model(read_checkpoint(path)[0]))
        exported = siamtrack.load(tmp_path / str(number), threads=1)
        pictures, boxes = clip(4)
        live.init(pictures[0], boxes[0])
        exported.init(pictures[0], boxes[0])
        for picture in pictures[1:]:
            one, other = live.update(picture), exported.update(picture)
            np.testing.assert_allclose(one.box, other.box, atol=1e-2)
            assert one.score == pytest.approx(other.score, abs=1e-3)


@pytest.fixture(scope="module")
def siamrpn(tmp_path_factory):
    """Checkpoint of a tiny SiamRPN+."""
    folder = tmp_path_factory.mktemp("siamrpn")
    pool = Pool(read_manifest(write_manifest(folder / "data")))
    sides = {"template": SIAMFC.model.template, "search": SIAMFC.model.search}
    model = BoxTrackerConfig(
        backbone="ciresnet22", width=0.125, head="siamrpn_dw", head_width=8, **sides
    )
    run = replace(SIAMFC, model=model, loss="logistic")
    return train(run, PairSampler(pool, run.pairs), folder / "run")


@pytest.mark.parametrize("kind", ["siamfc", "siamrpn"])
def test_heads_without_a_classifier_learn_online(request, kind, tmp_path):
    """The classifier's scores move the box, whatever range the scores of the head have."""
    before = {"siamfc": SIAMFC_SETTINGS, "siamrpn": SIAMRPN_SETTINGS}[kind]
    online = replace(before, online=OnlineSettings(weight=0.9, learn_from=0.0))
    pictures, boxes = clip(4)
    found = []
    for number, tracker in enumerate((before, online)):
        export(request.getfixturevalue(kind), tmp_path / str(number), tracker=tracker)
        one = siamtrack.load(tmp_path / str(number), threads=1)
        one.init(pictures[0], boxes[0])
        found.append(np.array([one.update(picture).box for picture in pictures[1:]]))
    assert np.isfinite(found[1]).all()
    assert np.abs(found[1] - found[0]).max() > 0.01


def test_siamfc_of_another_project_is_exported(tmp_path):
    torch.manual_seed(0)
    original = Network(AlexNet(width=0.25), SiamFCHead(scale=1e-3)).eval()
    weights = {k: v for k, v in original.state_dict().items() if k.startswith("backbone")}
    torch.save(weights, tmp_path / "other.pth")
    card = export(tmp_path / "other.pth", tmp_path / "model")
    assert (card.kind, card.template, card.search) == ("response", 127, 255)
    assert card.license == "that of its project"
    runtime = load_model(tmp_path / "model", threads=1).runtime
    rng = np.random.default_rng(0)
    template = rng.integers(0, 255, (1, 127, 127, 3), dtype=np.uint8)
    search = rng.integers(0, 255, (1, 255, 255, 3), dtype=np.uint8)
    found = runtime.respond(runtime.embed(template, np.zeros((1, 2), np.float32)), search).score
    with torch.no_grad():
        truth = original(
            torch.from_numpy(template).permute(0, 3, 1, 2).float(),
            torch.from_numpy(search).permute(0, 3, 1, 2).float(),
        )[:, 0].numpy()
    np.testing.assert_allclose(found, truth, atol=1e-3 * np.abs(truth).max())


def test_a_model_is_not_overwritten(checkpoint, tmp_path):
    export(checkpoint, tmp_path / "mine")
    with pytest.raises(FileExistsError, match="holds a model"):
        export(checkpoint, tmp_path / "mine")
    assert export(checkpoint, tmp_path / "mine", license="MIT", overwrite=True).license == "MIT"


def test_file_that_is_no_checkpoint(tmp_path):
    (tmp_path / "a.pt").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="is no checkpoint of siamtrack"):
        export(tmp_path / "a.pt", tmp_path / "mine")
    torch.save({"step": 1}, tmp_path / "b.pt")
    with pytest.raises(WeightsError, match="is no checkpoint"):
        export(tmp_path / "b.pt", tmp_path / "mine")
    assert not (tmp_path / "mine").exists()
