"""What a person does and sees in a real browser: journey, annotate, outlines, camera, reach.

Needs chromium, node and playwright-core (`npm i playwright-core` anywhere, with NODE_PATH set to
its node_modules).
"""

import importlib.util
import json
import os
import queue
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import numpy as np
import pytest

from siamtrack.cli.demo import demo_clip
from siamtrack.data.annotations import import_annotations
from siamtrack.data.manifest import read_manifest
from siamtrack.studio.serve import opened
from siamtrack.video import open_video
from tests.browser import in_browser, script
from tests.helpers import clip
from tests.studio import process
from tests.studio.process import end, page_of, start
from tests.studio.streams import Stream

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


class TestInBrowser:
    pytestmark = in_browser

    def test_journey(self, tmp_path, port):
        server = start(tmp_path, port)
        command = f"'{sys.executable}' '{process.__file__}' '{tmp_path}' {port}"
        again = f"kill -9 $(cat '{tmp_path}/pid'); {command}"
        path = os.pathsep.join(path for path in sys.path if path)
        try:
            told = script(
                "journey.mjs",
                page_of(port),
                tmp_path,
                demo_clip(),
                RESTART=again,
                PYTHONPATH=path,
            )
            assert told == {"ok": True, "targets": 19}
        finally:
            end(tmp_path)
            server.wait(10)
        read_back(tmp_path)

    def test_annotate(self, tmp_path, port):
        server = start(tmp_path, port)
        try:
            assert script("annotate.mjs", page_of(port), tmp_path) == {"ok": True}
        finally:
            end(tmp_path)
            server.wait(10)
        entries = read_key_frames(tmp_path)
        reads_with_datumaro(tmp_path, entries)

    def test_outlines(self, tmp_path, port):
        server = start(tmp_path, port)
        try:
            assert script("outlines.mjs", page_of(port), tmp_path) == {"ok": True}
        finally:
            end(tmp_path)
            server.wait(10)

    def test_the_file_that_is_opened_leads_to_the_page(self, tmp_path, port):
        server, pages = start(tmp_path, port), queue.Queue()
        try:
            with opened(page_of(port), pages.put, delay=0):
                assert script("opened.mjs", pages.get(timeout=20), port) == {"ok": True}
        finally:
            end(tmp_path)
            server.wait(10)

    def test_camera(self, tmp_path, port):
        stream = Stream(clip(1)[0].repeat(2, axis=0))
        server = start(tmp_path, port, "--camera", stream.address)
        try:
            base = stream.address.rsplit("/", 1)[0] + "/"
            assert script("camera.mjs", page_of(port), base) == {"ok": True}
        finally:
            end(tmp_path)
            server.wait(10)
            stream.close()

    def test_everything_can_be_seen_and_reached(self, tmp_path, port):
        server = start(tmp_path, port)
        try:
            shots = os.environ.get("SCREENSHOTS", "")
            told = script("reach.mjs", page_of(port), *filter(None, [shots]))
            assert told == {"ok": True}
        finally:
            end(tmp_path)
            server.wait(10)


def read_key_frames(folder):
    """Read the CVAT file with few key frames with our own reader, and return what it holds."""
    file = ET.parse(folder / "annotations.xml")
    tracks = {each.get("label"): each for each in file.iter("track")}
    assert set(tracks) == {"person", "traffic sign"}
    done = import_annotations("cvat", folder, folder / "frames", demo_clip())
    entries = list(read_manifest(done.manifest))
    thinned = {}
    for label, track in tracks.items():
        frames = [int(box.get("frame")) for box in track.iter("box")]
        assert frames == sorted(set(frames))
        assert frames[0] == 76
        sides = ("xtl", "ytl", "xbr", "ybr")
        there = [box for box in track.iter("box") if box.get("outside") == "0"]
        seen = {int(box.get("frame")): [float(box.get(side)) for side in sides] for box in there}
        keys = [int(box.get("frame")) for box in there if box.get("keyframe") == "1"]
        thinned[label] = len(keys) / len(seen)
        for frame, box in seen.items():
            assert box[0] < box[2]
            assert box[1] < box[3]
            drawn = [np.interp(frame, keys, [seen[key][k] for key in keys]) for k in range(4)]
            assert np.abs(np.subtract(drawn, box)).max() < 2.02
        assert [entry.frame for entry in entries if entry.label == label] == sorted(seen)
    assert max(thinned.values()) < 0.9, "nothing was thinned"
    assert min(thinned.values()) < 0.5
    return entries


def reads_with_datumaro(folder, entries):
    """Compare the frames and boxes that Datumaro reads with those of our own reader."""
    python = ROOT / ".venv-interop" / "bin" / "python"
    if importlib.util.find_spec("datumaro"):
        python = Path(sys.executable)
    elif not python.exists():
        pytest.skip("no .venv-interop with datumaro (make test-interop)")
    code = """if True:
        import json, sys, datumaro
        items = datumaro.Dataset.import_from(sys.argv[1], "cvat")
        names = [each.name for each in items.categories()[datumaro.AnnotationType.label]]
        print(json.dumps([
            [int(item.attributes["frame"]), names[note.label], note.get_bbox()]
            for item in items
            for note in item.annotations
            if not note.attributes["outside"]
        ]))
    """
    done = subprocess.run(
        [python, "-c", code, folder], capture_output=True, text=True, check=True, timeout=120
    )
    found = {(frame, label): box for frame, label, box in json.loads(done.stdout)}
    assert set(found) == {(entry.frame, entry.label) for entry in entries}
    for entry in entries:
        np.testing.assert_allclose(found[entry.frame, entry.label], entry.box, atol=0.02)


def read_back(folder):
    """Look at what the browser saved, with our own readers."""
    with zipfile.ZipFile(folder / "bikes_yolo.zip") as file:
        file.extractall(folder / "yolo")
    done = import_annotations("yolo", folder / "yolo", folder / "yolo.jsonl")
    assert done.found.summary() == ""
    assert {entry.label for entry in read_manifest(done.manifest)} >= {"cyclist"}
    (folder / "cvat").mkdir()
    shutil.copy(folder / "bikes_cvat.xml", folder / "cvat" / "annotations.xml")
    done = import_annotations("cvat", folder / "cvat", folder / "frames", demo_clip())
    assert {entry.label for entry in read_manifest(done.manifest)} >= {"cyclist"}
    with open_video(folder / "bikes_mp4.mp4") as video:
        assert sum(1 for _ in video) == 250
