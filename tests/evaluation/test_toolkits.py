"""Other toolkits, each in an environment of its own, against ours. Slow: they are installed.

The data are synthetic; `benchmarks/vot_agreement.py` and `benchmarks/got10k_agreement.py` do the
same with real ones.
"""

import json
import subprocess
import sys
import venv
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.helpers import clip

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def environment(folder: Path, *packages: str) -> Path:
    """Make an environment with packages, or skip where they cannot be installed."""
    venv.create(folder, with_pip=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *packages]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"{packages[0]} cannot be installed here: {done.stderr[-300:]}")
    return folder


def script(name: str, *arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, str(BENCHMARKS / name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def vot_toolkit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vot") / "env"
    return environment(folder, "vot-toolkit==0.9.0", "attributee==0.1.9")


@pytest.mark.slow
def test_vot_toolkit_reads_our_masks_and_rotated_boxes(vot_toolkit):
    done = script("vot_agreement.py", "--toolkit", vot_toolkit, "--masks")
    print(done.stdout, done.stderr)
    assert done.returncode == 0
    assert done.stdout.count("same") == 24


@pytest.mark.slow
def test_vot_toolkit_runs_our_tracker_and_agrees(vot_toolkit, tmp_path):
    frames, boxes = clip(90, speed=1.5)
    folder = tmp_path / "square"
    (folder / "color").mkdir(parents=True)
    for number, frame in enumerate(frames, start=1):
        cv2.imwrite(str(folder / "color" / f"{number:08d}.jpg"), frame[..., ::-1])
    lean = np.array([4, 0, 40, 4, 36, 40, 0, 36])
    polygons = np.tile(boxes[:, :2], 4) + lean
    np.savetxt(folder / "groundtruth.txt", polygons, "%.3f", delimiter=",")
    done = script("vot_agreement.py", "--toolkit", vot_toolkit, "--sequence", folder)
    print(done.stdout, done.stderr)
    assert done.returncode == 0
    assert done.stdout.count("same") == 13


@pytest.mark.slow
def test_got10k_toolkit_still_gives_the_figures_of_the_fixture(tmp_path):
    home = environment(tmp_path / "env", "got10k", "six")
    fresh = tmp_path / "figures.json"
    done = script("got10k_agreement.py", "--python", home / "bin" / "python", "--fixture", fresh)
    assert done.returncode == 0, done.stderr
    kept = Path(__file__).parent / "got10k_figures.json"
    assert json.loads(fresh.read_text()) == json.loads(kept.read_text())
