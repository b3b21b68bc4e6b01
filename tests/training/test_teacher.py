import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from siamtrack.core.images import IMAGENET_MEAN, IMAGENET_STD
from siamtrack.data.manifest import Pool, read_manifest
from siamtrack.data.pairs import PairSampler
from siamtrack.errors import WeightsError
from siamtrack.models.files import write_graph
from siamtrack.training import train
from siamtrack.training.teacher import Teacher
from tests.training.manifest import write_manifest
from tests.training.test_loop import SMALL, state


@pytest.fixture(scope="module")
def teacher_file(tmp_path_factory):
    """A network of stride 16 with an input declared as one picture of 64 pixels."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 6, 16, 16), nn.ReLU(), nn.Conv2d(6, 5, 1))
    path = tmp_path_factory.mktemp("teacher") / "teacher.onnx"
    write_graph(network, (torch.zeros(1, 3, 64, 64),), path, inputs=["image"], outputs=["features"])
    return path


def test_loss_is_one_minus_the_mean_cosine(teacher_file):
    teacher = Teacher(teacher_file, channels=7, threads=1)
    images = torch.rand(3, 3, 97, 97, generator=torch.Generator().manual_seed(1)) * 255
    features = torch.randn(3, 7, 7, 7, generator=torch.Generator().manual_seed(2))
    found = teacher(features, images).item()
    mean, std = np.float32(IMAGENET_MEAN), np.float32(IMAGENET_STD)
    plain = (images.numpy()[..., :96, :96].transpose(0, 2, 3, 1) - mean) / std
    session = onnxruntime.InferenceSession(str(teacher_file))
    truth = [
        session.run(None, {"image": plain[i : i + 1, :64, :64].transpose(0, 3, 1, 2)})[0][0]
        for i in range(3)
    ]
    ours = teacher.project(features).detach().numpy()
    cosine = []
    for b in range(3):
        for y in range(4):
            for x in range(4):
                p, q = ours[b, :, y, x], truth[b][:, y, x]
                cosine.append(p @ q / np.linalg.norm(p) / np.linalg.norm(q))
    # the declared 64 pixels give 4 x 4 of the 6 x 6 cells: compare those
    part = teacher(features[..., :4, :4], images[..., :65, :65]).item()
    assert part == pytest.approx(1 - np.mean(cosine), abs=1e-4)
    assert 0 <= found <= 2


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_run_learns_the_teachers_features_and_resumes(teacher_file, tmp_path, precision):
    from dataclasses import replace

    pool = Pool(read_manifest(write_manifest(tmp_path / "data")))
    config = replace(SMALL, teacher=str(teacher_file), steps=20, rate=1e-2, precision=precision)
    path = train(config, PairSampler(pool, config.pairs), tmp_path / "run")
    assert set(state(path)["teacher"]) == {"mean", "std", "project.weight", "project.bias"}
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert '"taught"' in lines[-1]
    again = replace(config, initial=str(path), steps=2)
    train(again, PairSampler(pool, again.pairs), tmp_path / "second")


def test_no_teacher(tmp_path):
    (tmp_path / "no.onnx").write_bytes(b"no network")
    with pytest.raises(WeightsError, match="is no teacher"):
        Teacher(tmp_path / "no.onnx", channels=4)
    with pytest.raises(WeightsError, match="is no teacher"):
        Teacher(tmp_path / "missing.onnx", channels=4)
