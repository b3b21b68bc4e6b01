import json
from dataclasses import replace

import pytest

from siamtrack.cli import main
from siamtrack.core.config import to_dict
from tests.helpers import clip, write_video
from tests.training.manifest import write_manifest
from tests.training.test_loop import SMALL
from tests.training.test_resume import TINY

pytestmark = pytest.mark.needs("torch")


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


def test_siamfc_from_a_preset_to_a_model_that_tracks(tmp_path, capsys):
    data = write_manifest(tmp_path / "data", frames=20)
    config = tmp_path / "config.json"
    changes = to_dict(TINY)
    config.write_text(json.dumps({key: changes[key] for key in ("model", "pairs", "batch")}))
    common = ["--data", data, "--preset", "cpu", "--config", config]
    out = tmp_path / "run"
    assert run("train", *common, "--out", out, "--steps", 2, "--pictures", 2, "--quiet") == 0
    assert (out / "pictures" / "step_000002.png").exists()
    assert json.loads((out / "config.json").read_text())["norms"] == "train"
    assert run("export", out / "checkpoint.pt", tmp_path / "mine") == 0
    video = write_video(tmp_path / "a.mp4", clip(3)[0])
    capsys.readouterr()
    model = ["--model", tmp_path / "mine", "--quiet"]
    assert run("track", video, "--box", 60, 70, 40, 40, *model) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4
    own = ["--data", data, "--out", tmp_path / "own", "--steps", 1, "--quiet"]
    assert run("fine-tune", "lite", *own) == 2
    assert "expected checkpoint.pt of a run" in capsys.readouterr().err
    assert run("export", tmp_path / "absent.pt", tmp_path / "mine") == 2
    assert "absent.pt does not exist" in capsys.readouterr().err
    assert run("fine-tune", out / "checkpoint.pt", *own, "--json") == 0
    assert json.loads(capsys.readouterr().out)["names"] == ["a"]


def test_sheet_instead_of_a_run(tmp_path, capsys):
    data = write_manifest(tmp_path / "data")
    assert run("train", "--data", data, "--preset", "cpu", "--sheet", tmp_path / "s.png") == 0
    assert (tmp_path / "s.png").stat().st_size > 10_000
    assert run("train", "--data", data) == 2
    assert "give --out FOLDER, or --sheet FILE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"), [("{", "is no JSON"), ("[1]", "expected a JSON object")]
)
def test_config_that_is_none(text, message, tmp_path, capsys):
    (tmp_path / "c.json").write_text(text)
    arguments = ["--data", tmp_path, "--out", tmp_path / "run", "--config", tmp_path / "c.json"]
    assert run("train", *arguments) == 2
    assert message in capsys.readouterr().err


def test_unknown_preset(tmp_path, capsys):
    assert run("train", "--data", tmp_path, "--out", tmp_path / "run", "--preset", "cpuu") == 2
    assert "did you mean 'cpu'" in capsys.readouterr().err
