"""Seconds a frame of the back ends for annotation tools, on the clip of `siamtrack demo`.

    python benchmarks/annotation.py [--frames 60] [--shapes 1 8]

`function`: CVAT's tracking function, called as its agent calls it. `agent`: the whole way through
cvat-cli, HTTP, PNG frames of a server that answers at once (`tests.interop.cvat_server`), and back.
`label-studio`: a request to the backend, with the decoding of the video. The processor's time of
this process is printed beside the time that passed: other work changes it little.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.helpers import write_video
from tests.interop.cvat_server import TOKEN, CvatServer
from tests.interop.test_label_studio import key, region, request

from siamtrack.cli.demo import END, START, TARGETS, demo_clip
from siamtrack.cli.serve import Cvat
from siamtrack.interop.cvat import create
from siamtrack.interop.label_studio_server import Backend, BackendServer, Media
from siamtrack.packages.card import load_model
from siamtrack.video import open_video


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--shapes", type=int, nargs="+", default=[1, 8])
    options = parser.parse_args()
    end = min(START + options.frames, END)
    with open_video(demo_clip(), start=START, end=end) as video:
        frames = np.stack([frame.image for frame in video])
    box = np.array(TARGETS[0], float)
    print(f"{len(frames)} frames of {frames.shape[2]}x{frames.shape[1]}")
    for shapes in options.shapes:
        rows = {
            "function": function(frames, box, shapes),
            "agent": agent(frames, box, shapes),
            "label-studio": label_studio(frames, box, shapes),
        }
        for name, (seconds, busy) in rows.items():
            own = "" if busy is None else f", {1000 * busy:6.1f} ms of the processor"
            print(f"{name:13} {shapes} shape(s): {1000 * seconds:7.1f} ms a frame{own}")


Times = tuple[float, float | None]


def function(frames: np.ndarray, box: np.ndarray, shapes: int) -> Times:
    from cvat_sdk.auto_annotation import TrackableShape
    from PIL import Image

    made = create()
    points = [*box[:2], *(box[:2] + box[2:])]
    image = made.preprocess_image(None, Image.fromarray(frames[0]))
    drawn = [TrackableShape(type="rectangle", points=points)] * shapes
    states = [made.init_tracking_state(None, image, shape) for shape in drawn]
    times, busy = [], time.process_time()
    for frame in frames[1:]:
        begun = time.perf_counter()
        image = made.preprocess_image(None, Image.fromarray(frame))
        for state in states:
            made.track(None, image, state)
        times.append(time.perf_counter() - begun)
    return float(np.median(times)), (time.process_time() - busy) / len(times)


def agent(frames: np.ndarray, box: np.ndarray, shapes: int) -> Times:
    """The time between two answers."""
    points = [*box[:2].tolist(), *(box[:2] + box[2:]).tolist()]
    drawn = [{"type": "rectangle", "points": points}] * shapes
    times: list[float] = []

    def asked(frame: int) -> Callable[[list], dict]:
        def parameters(results: list) -> dict:
            times.append(time.perf_counter())
            if not frame:
                return {"type": "init_tracking", "task": 1, "frame": 0, "shapes": drawn}
            return {"type": "track", "task": 1, "frame": frame, "states": results[0]["states"]}

        return parameters

    os.environ["CVAT_ACCESS_TOKEN"] = TOKEN
    with CvatServer(frames, map(asked, range(len(frames)))) as server:
        Cvat(server=server.address, create="measured", burst=True).run()
        assert not server.failures, server.failures
    return float(np.median(np.diff(times[1:]))), None


def label_studio(frames: np.ndarray, box: np.ndarray, shapes: int) -> Times:
    size, total = frames.shape[1:3], len(frames)
    with tempfile.TemporaryDirectory() as folder:
        write_video(Path(folder) / "walk.mp4", frames)
        backend = Backend(load_model(), Media(files=Path(folder)))
        server = BackendServer(backend, port=0)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        drawn = [region(key(1, box, size), name=str(n), frames=total) for n in range(shapes)]
        body = json.dumps(request(*drawn)).encode()
        headers = {"Content-Type": "application/json"}
        begun, busy = time.perf_counter(), time.process_time()
        asked = urllib.request.Request(f"{server.address}/predict", body, headers)
        with urllib.request.urlopen(asked) as answer:
            found = json.load(answer)
        seconds, busy = time.perf_counter() - begun, time.process_time() - busy
        server.shutdown()
        server.server_close()
    assert len(found["results"][0]["result"]) == shapes
    return seconds / total, busy / total


if __name__ == "__main__":
    main()
