"""The README's first lines on a machine that has Python, a browser and this repository."""

import csv
import os
import shlex
import subprocess
import sys
import time
from itertools import pairwise

import numpy as np

from siamtrack.core.boxes import iou
from siamtrack.video import open_video
from tests.browser import in_browser, script
from tests.cli.test_pick import address_of
from tests.helpers import clip, write_video
from tests.processes import ROOT, started

FRAMES = 40


def first_lines():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = text.split("```sh\n")[1].split("```")[0].splitlines()
    return [shlex.split(line, comments=True) for line in lines]


def test_no_line_writes_what_another_has_written():
    """They are run one after the other, and nothing is overwritten without being asked."""
    outputs = [word for line in first_lines() for flag, word in pairwise(line) if flag == "--out"]
    assert len(outputs) >= 3
    assert len(set(outputs)) == len(outputs)


class TestInBrowser:
    pytestmark = in_browser

    def test_from_the_install_to_an_export_in_five_minutes(self, tmp_path):
        install, pick, _, boxed = first_lines()
        assert install == ["pip", "install", "."]
        path = os.environ["PATH"].split(os.pathsep)
        own = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        own |= {"PATH": os.pathsep.join([str(tmp_path / "new" / "bin"), *path])}
        own |= {"BROWSER": "", "DISPLAY": ""}
        options = {"env": own, "cwd": tmp_path, "text": True}
        subprocess.run([sys.executable, "-m", "venv", tmp_path / "new"], check=True, env=own)
        subprocess.run(install, check=True, env=own, cwd=ROOT, timeout=1200)
        pictures, boxes = clip(FRAMES)
        write_video(tmp_path / "video.mp4", pictures)
        clock = time.monotonic()
        # A box is drawn on the page, Track is pressed, the video is written
        with started(pick, stderr=subprocess.PIPE, stdout=subprocess.PIPE, **options) as process:
            height, width = pictures.shape[1:3]
            told = script("../cli/pick.mjs", address_of(process), width, height, 0, 0)
            assert told["ok"]
            assert process.wait(120) == 0
        with open_video(tmp_path / "tracked.mp4") as video:
            assert sum(1 for _ in video) == FRAMES
        # The same target by numbers, into a table
        done = subprocess.run(boxed, capture_output=True, check=False, timeout=240, **options)
        assert done.returncode == 0, done.stderr
        assert time.monotonic() - clock < 300
        (table,) = tmp_path.glob("*.csv")
        with table.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        found = [[float(row[side]) for side in ("left", "top", "width", "height")] for row in rows]
        assert iou(np.array(found), boxes).mean() > 0.6
