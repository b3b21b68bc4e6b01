"""How quick the studio is: opening and seeking an hour of 1080p, and a frame's round trip at 720p.

    python benchmarks/studio.py --folder /tmp/studio --out benchmarks/studio.json

The hour is ten seconds of real coding (one key frame in ten seconds, the worst that encoders do by
default) whose packets are repeated. A page is played by a thread that listens to the news of a job
and fetches, as the page does, the newest frame as JPEG. All runs are on the same machine and one
after another, turn about, since other programs may run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from websockets.sync.client import connect

import siamtrack

GOP = 250
HOUR = 90_000
BOX = [300.0, 200.0, 120.0, 120.0]


def texture(height: int, width: int, grain: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 255, (height // grain + 1, width // grain + 1, 3)).astype(np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def write(path: Path, width: int, height: int, seconds: int) -> None:
    """Write a clip in which a square moves over a background that moves too."""
    wide, square = texture(height, width + 2 * GOP, 24, 1), texture(120, 120, 12, 2)
    with av.open(str(path) + ".part", "w", format="mp4") as container:
        options = {"preset": "veryfast", "g": str(GOP), "keyint_min": str(GOP), "sc_threshold": "0"}
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        packets = []
        for index in range(GOP):
            picture = wide[:, 2 * index : 2 * index + width].copy()
            left, top = int(BOX[0] + index), int(BOX[1] + index // 4)
            picture[top : top + 120, left : left + 120] = square
            packets += stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24"))
        packets += stream.encode()
        step = max(1, round(1 / 25 / stream.time_base)) if stream.time_base else 1
        times = [(packet.pts, packet.dts) for packet in packets]
        step = packets[1].dts - packets[0].dts
        for turn in range(seconds // 10):
            for packet, (pts, dts) in zip(packets, times, strict=True):
                again = av.Packet(bytes(packet))
                again.stream, again.time_base = stream, packet.time_base
                again.pts, again.dts = pts + turn * GOP * step, dts + turn * GOP * step
                again.is_keyframe = packet.is_keyframe
                container.mux(again)
    Path(str(path) + ".part").rename(path)


TOKEN = "a-token-of-the-benchmark"
BEARER = {"authorization": f"Bearer {TOKEN}"}


class Studio:
    """A server of its own on one clip."""

    def __init__(self, clip: Path, folder: Path, port: int) -> None:
        self.base = f"http://127.0.0.1:{port}"
        self.socket = f"ws://127.0.0.1:{port}"
        command = [sys.executable, "-c", "from siamtrack.cli import main; main()", "studio"]
        command += [str(clip), "--no-browser", "--port", str(port), "--projects", str(folder)]
        known = {**os.environ, "SIAMTRACK_STUDIO_TOKEN": TOKEN}
        self.process = subprocess.Popen([*command, "--threads", "1"], env=known)
        for _ in range(300):
            try:
                self.get("/api/studio")
                return
            except OSError:
                time.sleep(0.1)

    def cpu(self) -> float:
        """Seconds of processor time that the server has used (Linux)."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def get(self, path: str) -> bytes:
        request = urllib.request.Request(self.base + path, headers=BEARER)
        with urllib.request.urlopen(request, timeout=300) as answer:
            return bytes(answer.read())

    def post(self, path: str, value: dict[str, Any]) -> dict[str, Any]:
        headers = {"content-type": "application/json", **BEARER}
        request = urllib.request.Request(self.base + path, json.dumps(value).encode(), headers)
        with urllib.request.urlopen(request, timeout=300) as answer:
            found: dict[str, Any] = json.loads(answer.read())
            return found

    def open(self) -> str:
        (clip,) = json.loads(self.get("/api/studio"))["clips"]
        return f"/api/projects/{self.post('/api/open', {'clip': clip['id']})['project']}"


def summary(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "median": round(statistics.median(ordered), 4),
        "p95": round(ordered[int(0.95 * (len(ordered) - 1))], 4),
        "max": round(ordered[-1], 4),
        "n": len(ordered),
    }


def seeking(folder: Path, port: int) -> dict[str, Any]:
    clip = folder / "hour.mp4"
    if not clip.exists():
        write(clip, 1920, 1080, 3600)
    studio = Studio(clip, folder / "projects-hour", port)
    try:
        clock = time.perf_counter()
        project = studio.open()
        facts = json.loads(studio.get(project))
        studio.get(project + "/frames/0?w=1280")
        opened = time.perf_counter() - clock
        assert facts["exact"]
        assert facts["total"] == HOUR
        rng = np.random.default_rng(0)
        seeks, costs = [], []
        for index in rng.integers(0, HOUR, 45).tolist():
            clock, cpu = time.perf_counter(), studio.cpu()
            studio.get(f"{project}/frames/{index}?w=1280")
            seeks.append(time.perf_counter() - clock)
            costs.append(studio.cpu() - cpu)
        return {
            "megabytes": round(clip.stat().st_size / 1e6),
            "opened": round(opened, 3),
            "seek": summary(seeks[5:]),
            "seek, processor": summary(costs[5:]),
        }
    finally:
        studio.process.terminate()
        studio.process.wait()


def bare(clip: Path, frames: int) -> tuple[float, float]:
    """Frames per second of decoding and tracking alone, and processor seconds per frame."""
    tracker = siamtrack.load(threads=1, redetect=True)
    seen = 0
    clock, cpu = time.perf_counter(), time.process_time()
    for frame, _ in siamtrack.track(clip, BOX, tracker=tracker, end=frames + 1):
        if frame.index == 0:
            clock, cpu = time.perf_counter(), time.process_time()
        seen += 1
    cost = (time.process_time() - cpu) / (seen - 1)
    return (seen - 1) / (time.perf_counter() - clock), cost


def watched(studio: Studio, project: str, frames: int, watch: bool) -> tuple[float, float, float]:
    """Frames and processor seconds per frame of a job, and pictures per second that the page got.

    They count from the first rows that the page hears to the last, as `bare` counts from the first
    frame: neither the start of the target nor the opening of the file is in them.
    """
    newest: list[int] = []
    done = threading.Event()
    shown = 0

    def page() -> None:
        nonlocal shown
        last = -1
        while not done.is_set():
            if newest and newest[-1] != last:
                last = newest[-1]
                studio.get(f"{project}/frames/{last}?w=1280")
                shown += 1
            else:
                time.sleep(0.002)

    made = studio.post(project + "/edits", {"do": "draw", "frame": 0, "box": BOX})["result"]
    with connect(studio.socket + project + "/live", origin=studio.base) as news:
        if watch:
            threading.Thread(target=page).start()
        order = {"do": "start", "frame": 0, "count": frames, "targets": [made]}
        studio.post(project + "/job", order)
        first = None
        while True:
            message = json.loads(news.recv(timeout=300))
            if message["type"] == "rows":
                newest.append(message["rows"][0][1][-1][0])
                last = (time.perf_counter(), newest[-1], studio.cpu())
                first = first or last
            elif message["type"] == "job" and message["state"] == "idle" and first:
                break
    done.set()
    seconds, count = last[0] - first[0], last[1] - first[1]
    return count / seconds, (last[2] - first[2]) / count, shown / seconds


def round_trip(folder: Path, port: int, frames: int, turns: int) -> dict[str, Any]:
    clip = folder / "720p.mp4"
    if not clip.exists():
        write(clip, 1280, 720, 60)
    studio = Studio(clip, folder / "projects-720p", port)
    names = [
        "bare",
        "job",
        "watched",
        "share",
        "bare, processor",
        "job, processor",
        "watched, processor",
        "job share, processor",
    ]
    found: dict[str, list[float]] = {name: [] for name in names}
    pictures = []
    try:
        project = studio.open()
        watched(studio, project, 10, True)  # warm
        for _ in range(turns):
            speed, cost = bare(clip, frames)
            found["bare"].append(speed)
            found["bare, processor"].append(cost)
            speed, cost, _ = watched(studio, project, frames, False)
            found["job"].append(speed)
            found["job, processor"].append(cost)
            found["job share, processor"].append(found["bare, processor"][-1] / cost)
            speed, cost, shown = watched(studio, project, frames, True)
            found["watched"].append(speed)
            found["watched, processor"].append(cost)
            found["share"].append(speed / found["bare"][-1])
            pictures.append(shown)
    finally:
        studio.process.terminate()
        studio.process.wait()
    result: dict[str, Any] = {name: summary(values) for name, values in found.items()}
    result["pictures_per_second"] = summary(pictures)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--port", type=int, default=8931)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    result = {
        "commit": commit,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load": [round(value, 1) for value in os.getloadavg()],
        "unit": "seconds; bare, job, watched: frames per second; processor: seconds of one core",
        "one hour, 1080p": seeking(arguments.folder, arguments.port),
        "round trip, 720p": round_trip(
            arguments.folder, arguments.port + 1, arguments.frames, arguments.turns
        ),
    }
    text = json.dumps(result, indent=2)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
