import json

import pytest

from siamtrack.cli import main
from siamtrack.data.manifest import read_manifest
from tests.data.annotations.own_trees import mot
from tests.data.annotations.trees import FRAMES, got10k


def run(*arguments):
    """Run the command and return its exit code."""
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code


def test_check(tmp_path, capsys):
    source = got10k(tmp_path)
    assert run("data", "check", source) == 0
    assert "videos" in capsys.readouterr().out
    next(tmp_path.rglob("00000003.jpg")).unlink()
    assert run("data", "check", source, "--json") == 0
    assert json.loads(capsys.readouterr().out)["problems"]["missing"]["count"] == 1
    assert run("data", "check", source, "--strict") == 2
    assert "1 missing" in capsys.readouterr().err


def test_check_of_a_wrong_layout(tmp_path, capsys):
    assert run("data", "check", f"lasot:{tmp_path}") == 2
    assert "CLASS/CLASS-NUMBER/groundtruth.txt" in capsys.readouterr().err
    assert run("data", "check", f"lasto:{tmp_path}") == 2
    assert "did you mean 'lasot'" in capsys.readouterr().err


def test_import(tmp_path, capsys):
    source = mot(tmp_path / "own").partition(":")[2]
    assert run("data", "import", "mot", source, tmp_path / "out") == 0
    assert f"{FRAMES} boxes, 1 tracks" in capsys.readouterr().out
    assert len(read_manifest(tmp_path / "out")) == FRAMES
    assert run("data", "import", "mot", source, tmp_path / "out") == 2
    assert "exists" in capsys.readouterr().err
    assert run("data", "import", "mot", source, tmp_path / "out", "--overwrite", "--json") == 0
    assert json.loads(capsys.readouterr().out)["boxes"] == FRAMES


@pytest.mark.needs("webdataset")
def test_prepare_and_pack(tmp_path, capsys):
    source = got10k(tmp_path / "data")
    prepare = ["data", "prepare", "--data", source, "--out", tmp_path / "crops"]
    assert run(*prepare, "--crop.side", 128, "--every", 2) == 0
    assert f"{FRAMES} crops, {FRAMES} of them new" in capsys.readouterr().out
    next((tmp_path / "data").rglob("00000001.jpg")).unlink()
    assert run(*prepare, "--crop.side", 128, "--every", 2, "--json") == 0
    assert json.loads(capsys.readouterr().out)["new"] == 0
    assert run(*prepare) == 2
    assert "other settings" in capsys.readouterr().err
    shards = tmp_path / "shards"
    assert run("data", "pack", "--data", tmp_path / "crops", "--out", shards) == 0
    assert f"wrote 1 shards to {shards}: {FRAMES} images" in capsys.readouterr().out
    assert run("data", "check", f"shards:{shards}", "--decode", "--strict") == 0
    pack = ["data", "pack", "--data", tmp_path / "crops", "--out", shards, "--json"]
    assert run(*pack, "--overwrite") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["boxes"] == FRAMES
    assert run(*pack) == 2
