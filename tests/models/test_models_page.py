"""The table of backbones in docs/models.md says what the networks are."""

import re
import runpy
from pathlib import Path

import pytest

from siamtrack.models.backbones import BACKBONES

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def rows():
    page = (ROOT / "docs" / "models.md").read_text()
    table = page.split("<!-- backbones: begin -->")[1].split("<!-- backbones: end -->")[0]
    lines = [line for line in table.splitlines() if line.startswith("| `")]
    return {line.split("`")[1] + line.split("|")[1].split("`")[2].strip(): line for line in lines}


def test_every_backbone_is_in_it(rows):
    assert set(rows) == {*BACKBONES, "mobilenetv2at 1.4"}


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_parameters_are_true_and_those_of_the_original(rows, name):
    cells = [cell.strip() for cell in rows[name].split("|")[1:-1]]
    count = sum(p.numel() for p in BACKBONES[name]().parameters())
    assert cells[6] == f"{count / 1e6:.3f} M"
    assert cells[8] in ("-", cells[6])
    ours, theirs = (re.match(r"[\d.]+", cells[i]) for i in (7, 9))
    assert theirs is None or float(ours[0]) <= float(theirs[0])


@pytest.mark.slow
def test_the_whole_row_is_measured_again(rows):
    script = runpy.run_path(str(ROOT / "benchmarks" / "backbones.py"))
    for name in ("ciresnet22", "mobile", "alexnet"):
        assert script["row"](name).strip() == rows[name]
