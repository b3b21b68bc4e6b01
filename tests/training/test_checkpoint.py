import errno
import logging
import os
from dataclasses import replace

import pytest
import torch

from siamtrack.data.manifest import Pool, read_manifest
from siamtrack.data.pairs import PairSampler
from siamtrack.errors import WeightsError
from siamtrack.training import checkpoint, train
from tests.training.manifest import write_manifest
from tests.training.test_resume import TINY

CONFIG = replace(TINY, steps=2)


@pytest.fixture
def data(tmp_path):
    return write_manifest(tmp_path / "data")


def sampler(data, config=CONFIG):
    return PairSampler(Pool(read_manifest(data)), config.pairs, config.seed)


def test_a_checkpoint_says_where_it_comes_from(data, tmp_path):
    state = checkpoint.read(train(CONFIG, sampler(data), tmp_path / "run"))
    assert checkpoint.config_of(state) == CONFIG
    assert state["data"] == checkpoint.data_fingerprint(read_manifest(data))
    assert {"siamtrack", "torch", "numpy", "python"} <= set(state["versions"])
    assert (tmp_path / "run" / "config.json").exists()


def test_other_config_and_other_data_are_refused(data, tmp_path):
    train(CONFIG, sampler(data), tmp_path / "run")
    with pytest.raises(ValueError, match=r"another config \(rate 0.001, now 0.5\)"):
        train(replace(CONFIG, rate=0.5), sampler(data), tmp_path / "run", resume=True)
    fewer = PairSampler(Pool(read_manifest(data)[:-1]), CONFIG.pairs)
    with pytest.raises(ValueError, match="trained on other data"):
        train(CONFIG, fewer, tmp_path / "run", resume=True)
    train(replace(CONFIG, loaders=1, save_every=9.0), sampler(data), tmp_path / "run", resume=True)


def test_moved_data_are_the_same_data(data, tmp_path):
    train(CONFIG, sampler(data), tmp_path / "run")
    data.rename(tmp_path / "moved")
    # tracks of stills are named after their lines, so those move along
    before = [replace(entry, track="t") for entry in read_manifest(tmp_path / "moved")]
    (tmp_path / "moved").rename(tmp_path / "again")
    after = [replace(entry, track="t") for entry in read_manifest(tmp_path / "again")]
    assert checkpoint.data_fingerprint(before) == checkpoint.data_fingerprint(after)
    changed = [replace(after[0], box=(0.0, 0.0, 9.0, 9.0)), *after[1:]]
    assert checkpoint.data_fingerprint(changed) != checkpoint.data_fingerprint(after)


def test_checkpoints_from_before_fingerprints_resume(data, tmp_path, caplog):
    path = train(CONFIG, sampler(data), tmp_path / "run")
    state = checkpoint.read(path)
    torch.save({k: v for k, v in state.items() if k not in ("data", "versions")}, path)
    with caplog.at_level(logging.WARNING):
        train(CONFIG, sampler(data), tmp_path / "run", resume=True)
    assert "does not say on which data" in caplog.text


def test_full_disk_leaves_the_last_checkpoint(data, tmp_path, monkeypatch):
    path = train(CONFIG, sampler(data), tmp_path / "run")
    before = path.read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(checkpoint.os, "fsync", full)
    with pytest.raises(OSError, match=r"step 7 cannot be written \(No space left.*the one before"):
        checkpoint.save(path, {"step": 7})
    assert path.read_bytes() == before
    assert not list(path.parent.glob("*.part"))


@pytest.mark.parametrize("content", [b"", b"nothing", b"PK\x03\x04 no zip"])
def test_files_that_are_no_checkpoints(content, tmp_path):
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(WeightsError, match="is no checkpoint of siamtrack"):
        checkpoint.read(tmp_path / "a.pt")


def test_checkpoint_of_another_network_as_initial(data, tmp_path):
    path = train(CONFIG, sampler(data), tmp_path / "run")
    wider = replace(CONFIG, model=replace(CONFIG.model, width=0.3), initial=str(path))
    with pytest.raises(WeightsError, match="holds another network"):
        train(wider, sampler(data), tmp_path / "second")
