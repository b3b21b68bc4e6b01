"""README and docs do what they say."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from siamtrack.cli import main
from siamtrack.cli.main import parse
from siamtrack.data import DATASETS
from siamtrack.data.annotations import TRAINING
from siamtrack.losses import LOSSES
from siamtrack.models.backbones import BACKBONES
from siamtrack.models.heads import HEADS, OBJECTIVES
from siamtrack.runtimes import RUNTIMES
from tests.helpers import clip, write_video

pytestmark = pytest.mark.needs("torch")

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
MADE = (DOCS / "_build", DOCS / "cards")
"""Folders that building the site makes."""
PAGES = [ROOT / "README.md", *sorted(p for p in DOCS.rglob("*.md") if p.parents[0] not in MADE)]
REGISTRIES = (BACKBONES, DATASETS, HEADS, LOSSES, OBJECTIVES, RUNTIMES, TRAINING)

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
            words = shlex.split(re.sub(r"\$\w+", "1", line).rstrip("& "), comments=True)
            if words[:1] != ["siamtrack"]:
                continue
            words = words[3:] if words[1] == "--import" else words[1:]
            absent = ("studio", "serve", "--pick", "--show", "rtsp:", "otb", "got10k")
            absent += ("runs/", "data/")
            here = not any(word.startswith(absent) or ":/data/" in word for word in words)
            with pytest.raises(SystemExit) as stop:
                main(words) if here else sys.exit(0 if parse(words) else 1)
            assert stop.value.code == 0, f"{page.name}: {line}: {capsys.readouterr().err}"


@pytest.mark.parametrize("page", sorted((DOCS / "migration").glob("*.md")), ids=lambda p: p.stem)
def test_commands_in_tables_can_be_given(page):
    """What stands for an old program is a command, and not only the name of a verb."""
    for span in re.findall(r"`(siamtrack [^`]+)`", page.read_text()):
        words = shlex.split(span)[1:]
        if len(words) > 2 and "..." not in words:
            parse(words)


def test_every_extra_is_in_the_table_of_the_quick_start():
    """Also those that a release brings new; not what only builds and tests this repository."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    part = project.split("[project.optional-dependencies]")[1].split("\n[")[0]
    extras = set(re.findall(r"^(\w+) = \[", part, re.MULTILINE)) - {"dev", "docs"}
    table = re.findall(r"^\| (`.*?) \|", (DOCS / "quick-start.md").read_text(), re.MULTILINE)
    named = {name for row in table for name in re.findall(r"`(\w+)`", row)}
    assert extras <= named
