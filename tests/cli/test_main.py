"""What all verbs share: help, version, files of one's own."""

import json
import os
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest

from siamtrack import __version__
from siamtrack.cli import main
from siamtrack.cli.main import VERBS, parse
from siamtrack.data.annotations import TRAINING
from tests.cli.test_other_verbs import run
from tests.helpers import clip, write_video

OWN = """
from siamtrack.data.manifest import Entry
from siamtrack.data.annotations import TRAINING

@TRAINING.register("own-rows")
def read(path, found):
    for image in sorted(path.glob("*.png")):
        yield Entry(str(image), (1.0, 2.0, 8.0, 6.0), "a", 0, "", "own")
"""


@pytest.fixture
def registry(monkeypatch):
    monkeypatch.setattr(TRAINING, "_items", dict(TRAINING._items))


def test_version(capsys):
    assert run("--version") == 0
    assert capsys.readouterr().out == f"siamtrack {__version__}\n"


def test_a_file_of_ones_own(registry, tmp_path, capsys):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((20, 30, 3), np.uint8))
    (tmp_path / "own.py").write_text(OWN)
    words = ["data", "check", f"own-rows:{tmp_path}", "--json"]
    assert run(*words) == 2
    assert "own-rows" in capsys.readouterr().err
    assert run("--import", tmp_path / "own.py", *words) == 0
    assert json.loads(capsys.readouterr().out)["boxes"] == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "FileNotFoundError"), ("import nothing_of_that_name", "nothing_of_that_name")],
)
def test_a_file_that_cannot_be_imported(text, words, tmp_path, capsys):
    file = tmp_path / "own.py"
    if text is not None:
        file.write_text(text)
    assert run("--import", file, "models") == 2
    assert words in capsys.readouterr().err
    assert run("--import") == 2
    assert "siamtrack --import FILE.py VERB" in capsys.readouterr().err


def test_a_box_as_tables_have_it():
    command = parse(["track", "a.mp4", "--box", "60,70,40.5,40", "--box", "1", "2", "3", "4"])
    assert command.box == ((60, 70, 40.5, 40), (1, 2, 3, 4))


@pytest.mark.parametrize(
    "words",
    [
        ["data", "check", "mine:."],
        ["track", "video.mp4", "--box", "60", "70", "40", "40", "--runtime", "mine"],
        ["batch", ".", "--out", "tracks", "--format", "mine"],
    ],
    ids=lambda words: words[0],
)
def test_an_unknown_name_says_how_ones_own_is_known(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "video.mp4", clip(3)[0])
    assert run(*words) == 2
    assert "--import FILE.py" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="pipes")
def test_a_reader_that_has_seen_enough_is_no_error(tmp_path):
    video = write_video(tmp_path / "video.mp4", clip(12)[0])
    words = [sys.executable, "-m", "siamtrack", "track", video, "--box", "60", "70", "40", "40"]
    pipe = subprocess.PIPE
    with subprocess.Popen([*words, "--quiet"], stdout=pipe, stderr=pipe, text=True) as child:
        assert child.stdout.readline().startswith("frame,")
        child.stdout.close()
        assert child.stderr.read() == ""
    assert child.returncode == 141


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_help_names_what_is_given_first(verb, capsys):
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    first = capsys.readouterr().out.splitlines()[0]
    assert "STR" not in re.sub(r"\[.*?\]", "", first)  # in brackets: options
