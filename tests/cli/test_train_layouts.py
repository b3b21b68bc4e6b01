"""One command trains from every public layout and every format of one's own."""

import json
from dataclasses import replace

import pytest

from siamtrack.core.config import to_dict
from siamtrack.data.annotations import pack, read_training
from tests.cli.test_train import run
from tests.data.annotations.own_trees import OWN
from tests.data.annotations.trees import TREES, got10k
from tests.training.test_loop import SMALL

pytestmark = pytest.mark.needs("torch", "webdataset")


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(to_dict(replace(SMALL, steps=1, batch=2))))
    return path


@pytest.mark.parametrize("name", [*TREES, *OWN])
def test_training_starts_from_the_layout(name, tmp_path, config):
    source = (TREES | OWN)[name](tmp_path / "data")
    out = tmp_path / "run"
    assert run("train", "--data", source, "--out", out, "--config", config) == 0
    assert (out / "checkpoint.pt").is_file()


def test_several_sets_at_once(tmp_path, config):
    sources = [TREES[name](tmp_path / name) for name in ("coco", "got10k")]
    pack(read_training(got10k(tmp_path / "more")), tmp_path / "shards")
    data = [
        word for each in [*sources, f"shards:{tmp_path / 'shards'}"] for word in ("--data", each)
    ]
    assert run("train", *data, "--out", tmp_path / "run", "--config", config) == 0


def test_wrong_layout(tmp_path, config, capsys):
    arguments = ["--out", tmp_path / "run", "--config", config]
    assert run("train", "--data", f"got10k:{tmp_path}", *arguments) == 2
    assert "expected the folders GOT-10k_Train_000001" in capsys.readouterr().err
    assert run("train", *arguments) == 2
    assert "no data" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
