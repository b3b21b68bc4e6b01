"""README, docs and examples do what they say."""

import re
import runpy
import shlex
from pathlib import Path

import pytest

from siamtrack.cli import main
from siamtrack.data import DATASETS
from siamtrack.data.training import TRAINING
from siamtrack.losses import LOSSES
from siamtrack.models.backbones import BACKBONES
from siamtrack.runtimes import RUNTIMES
from tests.helpers import clip, write_video

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
MADE = (DOCS / "_build", DOCS / "cards")
"""Folders that building the site makes."""
PAGES = [ROOT / "README.md", *sorted(p for p in DOCS.rglob("*.md") if p.parents[0] not in MADE)]
REGISTRIES = (BACKBONES, DATASETS, LOSSES, RUNTIMES, TRAINING)

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))


@pytest.fixture
def video(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write_video(tmp_path / "video.mp4", clip(12)[0])


@pytest.fixture
def registries(monkeypatch):
    """What a page registers is gone after it."""
    for registry in REGISTRIES:
        monkeypatch.setattr(registry, "_items", dict(registry._items))


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


@every_page
def test_python_runs(page, video, registries):
    names: dict[str, object] = {"__name__": "page"}
    for number, block in enumerate(blocks(page, "python")):
        exec(compile(block, f"{page.name}, block {number}", "exec"), names)


@every_page
def test_commands_run(page, video, capsys):
    """Lines of `siamtrack` run; those whose data is not here must at least parse."""
    for block in blocks(page, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] != ["siamtrack"]:
                continue
            absent = ("rtsp:", "otb", "got10k", "runs/", "data/")
            here = not any(word.startswith(absent) or ":/data/" in word for word in words)
            with pytest.raises(SystemExit) as stop:
                main(words[1:] if here else [words[1], "--help"])
            assert stop.value.code == 0, f"{page.name}: {line}: {capsys.readouterr().err}"


@pytest.mark.parametrize("name", ["track_video", "many_targets", "opencv_loop"])
def test_example_runs(name, video, capsys):
    program = runpy.run_path(str(ROOT / "examples" / f"{name}.py"))
    box = [] if name == "many_targets" else ["60", "70", "40", "40"]
    program["main"](str(video), *box)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= 11
    assert "lost" not in lines[0]


@pytest.mark.parametrize("loss", ["contrastive", "triplet"])
def test_objects_are_verified(loss, tmp_path, capsys):
    program = runpy.run_path(str(ROOT / "examples" / "verify_objects.py"))
    picture = tmp_path / "distances.png"
    program["main"]("--loss", loss, "--steps", "60", "--out", str(picture))
    areas = dict(line.split(": ROC AUC ") for line in capsys.readouterr().out.splitlines())
    assert list(areas) == ["raw pixels", "untrained", loss]
    assert float(areas[loss]) > float(areas["untrained"]) + 0.05
    assert picture.stat().st_size > 10_000


def test_every_example_is_tested():
    assert {path.stem for path in (ROOT / "examples").glob("*.py")} == {
        "many_targets", "opencv_loop", "track_video", "verify_objects",
    }  # fmt: skip
