"""Examples and notebooks do what they say, on a real clip.

What is asserted of tracks is what any tracker fit for use gives here.
"""

import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest

import siamtrack
from siamtrack.cli.demo import TARGETS, demo_clip
from siamtrack.data.annotations import read_training
from tests.helpers import clip, write_video

ROOT = Path(__file__).parent.parent
MAN = ("230", "90", "80", "90")
FACE = ("262", "2", "62", "84")
CYCLIST = [str(int(value)) for value in TARGETS[0]]


@pytest.fixture(scope="module")
def frames():
    """The clip, decoded once."""
    with siamtrack.open_video(demo_clip()) as video:
        return [frame.image for frame in video]


def run(name, *words, folder="examples"):
    return runpy.run_path(str(ROOT / folder / f"{name}.py"))["main"](*map(str, words))


@pytest.mark.parametrize("name", ["track_video", "many_targets", "opencv_loop"])
def test_example_runs(name, tmp_path, capsys):
    video = write_video(tmp_path / "video.mp4", clip(12)[0])
    run(name, video, *([] if name == "many_targets" else ["60", "70", "40", "40"]))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= 11
    assert "lost" not in lines[0]


@pytest.mark.parametrize("words", [[], ["video.mp4"], ["video.mp4", "out", "12", "13"]])
@pytest.mark.parametrize("file", sorted((ROOT / "examples").glob("*.py")), ids=lambda f: f.stem)
def test_without_its_arguments_an_example_says_how(file, words, monkeypatch):
    if file.stem in ("count_moving", "many_targets", "verify_pictures"):
        words = []  # these need no box
    monkeypatch.setattr("sys.argv", [str(file), *words])
    with pytest.raises(SystemExit, match=f"python examples/{file.name} "):
        runpy.run_path(str(file), run_name="__main__")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("opencv_loop", ["absent.mp4", 1, 2, 8, 6]),
        ("verify_pictures", ["absent.jpg", "b.jpg"]),
    ],
)
def test_a_missing_file_is_named(name, words):
    with pytest.raises(SystemExit, match="absent"):
        run(name, *words)


def test_a_face_is_blurred_and_the_rest_is_not(tmp_path, frames, capsys):
    out = tmp_path / "blurred.mp4"
    run("blur_target", demo_clip(), out, *FACE, 30, 40)
    assert "look at these frames yourself" in capsys.readouterr().out
    with siamtrack.open_video(out) as video:
        blurred = [frame.image for frame in video]
    assert len(blurred) == 10

    def sharpness(picture, box):
        left, top, width, height = box
        part = cv2.cvtColor(picture[top : top + height, left : left + width], cv2.COLOR_RGB2GRAY)
        return cv2.Laplacian(part, cv2.CV_64F).var()

    moved = (355, 5, 70, 75)  # where the face is in frame 36, seen by eye
    assert sharpness(blurred[0], (262, 2, 62, 84)) < 0.2 * sharpness(frames[30], (262, 2, 62, 84))
    assert sharpness(blurred[6], moved) < 0.3 * sharpness(frames[36], moved)
    elsewhere = (0, 100, 200, 150)
    assert sharpness(blurred[6], elsewhere) > 0.6 * sharpness(frames[36], elsewhere)


def test_who_walks_past_is_counted_once(capsys):
    run("count_moving", demo_clip(), "0.5", 187, 208)
    last = capsys.readouterr().out.splitlines()[-1]
    assert "crossings 1 to the right, 0 to the left" in last


def test_the_camera_follows(capsys):
    run("pan_tilt", demo_clip(), *MAN, 30, 42)
    lines = capsys.readouterr().out.splitlines()
    pans = [float(line.split()[2]) for line in lines]
    assert pans[0] > 30
    assert np.abs(pans[5:]).max() < 20  # he walks 15 pixels in each frame
    assert not any("lost" in line for line in lines)


def test_labels_for_yolo_are_read_back(tmp_path, capsys):
    out = tmp_path / "set"
    run("label_for_yolo", demo_clip(), out, "cyclist", *CYCLIST, 76, 120, 4)
    said = capsys.readouterr().out
    entries = read_training(f"yolo:{out}")
    assert said.startswith(f"{len(entries)} pictures in ")
    assert 3 <= len(entries) < 11  # traffic hides him for some frames, which are left out
    assert {entry.label for entry in entries} == {"cyclist"}
    first = min(entries, key=lambda entry: entry.image)
    np.testing.assert_allclose(first.box, TARGETS[0], atol=0.01)


def test_two_pictures_of_one_object_are_told_from_two_objects(tmp_path, frames, capsys):
    cuts = {
        "early": (76, 398, 52, 118, 218),
        "late": (132, 375, 0, 120, 270),
        "sign": (76, 265, 90, 58, 48),
    }
    for name, (index, left, top, width, height) in cuts.items():
        part = frames[index][top : top + height, left : left + width]
        cv2.imwrite(str(tmp_path / f"{name}.png"), part[..., ::-1])
    run("verify_pictures", tmp_path / "early.png", tmp_path / "late.png")
    run("verify_pictures", tmp_path / "early.png", tmp_path / "sign.png")
    same, other = (float(line.split(":")[0]) for line in capsys.readouterr().out.splitlines())
    assert same > other + 0.3


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["contrastive", "triplet"])
def test_objects_are_verified(loss, tmp_path, capsys):
    picture = tmp_path / "distances.png"
    run("verify_objects", "--loss", loss, "--steps", 60, "--out", picture, folder="benchmarks")
    areas = dict(line.split(": ROC AUC ") for line in capsys.readouterr().out.splitlines())
    assert list(areas) == ["raw pixels", "untrained", loss]
    assert float(areas[loss]) > float(areas["untrained"]) + 0.05
    assert picture.stat().st_size > 10_000


def test_every_example_is_tested_and_short():
    files = list((ROOT / "examples").glob("*.py"))
    text = Path(__file__).read_text()
    assert all(f'"{file.stem}"' in text for file in files)
    assert len(files) <= 8
    assert max(len(file.read_text().splitlines()) for file in files) <= 60


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.ipynb")), ids=lambda p: p.stem)
def test_notebook_runs(path, tmp_path):
    import nbformat
    from nbclient import NotebookClient

    book = nbformat.read(path, as_version=4)
    kernel = {"kernel_name": "python3", "resources": {"metadata": {"path": str(tmp_path)}}}
    NotebookClient(book, timeout=300, **kernel).execute()
    outputs = [out for cell in book.cells for out in cell.get("outputs", [])]
    assert any("image/png" in out.get("data", {}) for out in outputs)
    assert path.stat().st_size < 200_000
