import json

import pytest

from siamtrack.benchmark.figures import read_report
from siamtrack.cli import main
from siamtrack.runtimes.engines import cores as usable_cores
from tests.benchmark import still
from tests.helpers import clip, write_video

STILL = f"{still.__file__}:Still"


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "video.mp4", clip(8)[0])


def run(*arguments):
    """Run the command and return its exit code."""
    with pytest.raises(SystemExit) as stop:
        main(["bench", *map(str, arguments)])
    return stop.value.code


@pytest.mark.needs("matplotlib")
def test_without_any_file(tmp_path, capsys):
    out, picture = tmp_path / "out" / "speed.json", tmp_path / "speed.svg"
    assert (
        run(
            "--tracker",
            STILL,
            "--frames",
            4,
            "--rounds",
            1,
            "--threads",
            1,
            "--report",
            out,
            "--picture",
            picture,
            "--quiet",
        )
        == 0
    )
    title, head, still, decode, *_ = capsys.readouterr().out.splitlines()
    assert title.startswith("generated clip: 4 frames of 640x480, rounds in turn: 1, threads: 1")
    assert head.split()[:4] == ["p50", "ms", "p95", "ms"]
    assert still.startswith("still ")
    assert decode.startswith("decode ")
    report = read_report(out)
    assert report.settings.trackers == (STILL,)
    assert len(report.trackers[0].fresh) == len(report.trackers[0].rounds) == 1
    assert json.loads(out.read_text())["machine"]["versions"]["siamtrack"]
    assert picture.exists()


def test_models_on_a_video(video, capsys):
    assert (
        run(
            video,
            "--box",
            60,
            70,
            40,
            40,
            "--tracker",
            "lite",
            "--threads",
            1,
            "--rounds",
            1,
            "--frames",
            3,
            "--targets",
            2,
            "--quiet",
        )
        == 0
    )
    text = capsys.readouterr().out
    assert text.startswith("video.mp4: 3 frames of 256x192")
    assert "outside the network" in text
    assert "as many trackers" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--tracker", "litte"], "did you mean 'lite'?"),
        (["absent.mp4", "--box", 1, 1, 5, 5], "absent.mp4 does not exist"),
        (["absent"], "absent does not exist"),
        (["--frames", 0], "frames 0: expected 3 or more"),
        (["--rounds", 0], "rounds 0: expected 1 or more"),
        (["--targets", 4, 0], "targets 0: expected numbers from 1"),
        (["--threads", usable_cores() + 1], f"this process may use {usable_cores()} cores"),
        (["--threads", -1], "threads -1"),
        (["--box", 1, 1, 5, 5], "no video that it belongs to"),
        (["--tracker", STILL, "--targets", 4, "--frames", 3], "none of the trackers is a model"),
        (["--picture", "speed.gif"], "expected an ending of .png, .svg or .pdf"),
        (["--accuracy", "report.json"], "give --picture FILE as well"),
        (["--peers", "absent"], "absent: no such folder"),
    ],
)
def test_bad_input(arguments, words, capsys):
    assert run(*arguments, "--quiet") == 2
    error = capsys.readouterr().err
    assert words in error
    assert len(error.splitlines()) == 1


def test_fewer_frames_than_asked_for(video, capsys):
    assert run(video, "--box", 60, 70, 40, 40, "--frames", 60) == 2
    assert "has 8 frames" in capsys.readouterr().err


def test_files_are_not_replaced_unasked(tmp_path, capsys):
    file = tmp_path / "speed.json"
    file.write_text("mine")
    assert run("--report", file) == 2
    assert "give --overwrite" in capsys.readouterr().err
    assert file.read_text() == "mine"
