import json
from dataclasses import replace

import pytest

from siamtrack.cli import main
from siamtrack.config import to_dict
from tests.helpers import clip, write_video
from tests.training.manifest import write_manifest
from tests.training.test_loop import SMALL


def run(*arguments):
    """Run the command and return its exit code."""
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code


def test_from_boxes_to_a_model_that_tracks(tmp_path, capsys):
    data = write_manifest(tmp_path / "data")
    config = tmp_path / "config.json"
    config.write_text(json.dumps(to_dict(replace(SMALL, steps=9))))
    arguments = ["train", "--data", data, "--out", tmp_path / "run", "--config", config]
    assert run(*arguments, "--steps", 2) == 0
    assert "siamtrack export" in capsys.readouterr().out
    assert run("export", tmp_path / "run" / "checkpoint.pt", tmp_path / "mine") == 0
    video = write_video(tmp_path / "a.mp4", clip(3)[0])
    capsys.readouterr()
    model = ["--model", tmp_path / "mine", "--quiet"]
    assert run("track", video, "--box", 60, 70, 40, 40, *model) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_typo_in_the_config(tmp_path, capsys):
    data = write_manifest(tmp_path / "data")
    config = tmp_path / "config.json"
    config.write_text('{"stepps": 3}')
    assert run("train", "--data", data, "--out", tmp_path / "run", "--config", config) == 2
    assert "did you mean 'steps'" in capsys.readouterr().err
