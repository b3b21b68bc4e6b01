"""The file `own.py` of docs/plug-ins.md: head, objective and loss train, export and track."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest

import siamtrack
from tests.helpers import clip
from tests.plugin_files import ROOT
from tests.training.manifest import write_manifest

PAGE = (ROOT / "docs" / "plug-ins.md").read_text()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    (folder / "own.py").write_text(re.search(r"```python\n# own.py\n(.*?)```", PAGE, re.S)[1])
    config = json.loads(re.search(r"```json\n(.*?)```", PAGE, re.S)[1])
    config["model"] |= {"backbone": "alexnet", "width": 0.05, "template": 87, "search": 127}
    (folder / "own.json").write_text(json.dumps(config | {"batch": 2, "loaders": 0}))
    write_manifest(folder / "data")
    return folder


def siamtrack_with_own(place, *words):
    return subprocess.run(
        [sys.executable, "-m", "siamtrack", "--import", "own.py", *words],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_trains_exports_and_tracks(place):
    words = "train --preset cpu --config own.json --data data --out run --steps 3 --quiet"
    done = siamtrack_with_own(place, *words.split())
    assert done.returncode == 0, done.stderr
    last = json.loads((place / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["calm"] > 0  # the objective ran
    done = siamtrack_with_own(place, *["export", "run/checkpoint.pt", "model"])
    assert done.returncode == 0, done.stderr
    # the model needs nothing of the file
    tracker = siamtrack.load(place / "model", threads=1)
    pictures, boxes = clip(3)
    tracker.init(pictures[0], boxes[0])
    assert np.isfinite(tracker.update(pictures[1]).box).all()


def test_what_does_not_fit_is_said_before_the_first_step(place):
    (place / "bad.json").write_text((place / "own.json").read_text().replace('"margin"', '"marge"'))
    words = "train --preset cpu --config bad.json --data data --out bad --steps 3 --quiet"
    done = siamtrack_with_own(place, *words.split())
    assert done.returncode in (1, 2)
    (line,) = [line for line in done.stderr.splitlines() if "marge" in line]
    assert "argument of the loss 'hinge' 'marge': did you mean 'margin'" in line
    assert "Traceback" not in done.stderr
    assert not (place / "bad" / "checkpoint.pt").exists()
