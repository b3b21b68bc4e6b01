"""Absurd numbers in every numeric option of the command, and in every request to the studio."""

import contextlib
import dataclasses
import io
import json
import socket
import typing
from dataclasses import replace
from urllib.parse import quote

import cv2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.websockets import WebSocketDisconnect

from siamtrack.cli import main
from siamtrack.cli.batch import Batch
from siamtrack.cli.bench import Bench
from siamtrack.cli.data import Check, Pack, Prepare
from siamtrack.cli.evaluate import Eval
from siamtrack.cli.export import Export
from siamtrack.cli.models import Inspect
from siamtrack.cli.studio import Studio
from siamtrack.cli.track import Track
from siamtrack.cli.train import FineTune, Train
from siamtrack.cli.tune import Tune
from siamtrack.core.config import to_dict
from siamtrack.data.prepare import CropConfig
from tests.fuzz.harness import case, fuzz, slow_fuzz
from tests.fuzz.test_numbers import NUMBER
from tests.helpers import clip, write_video
from tests.networks import write_checkpoint
from tests.studio.conftest import SOCKETS
from tests.studio.conftest import client as client
from tests.studio.conftest import models as models
from tests.studio.conftest import movie as movie
from tests.studio.conftest import project as project
from tests.studio.conftest import serve as serve
from tests.training.manifest import write_manifest
from tests.training.test_resume import TINY

pytestmark = pytest.mark.needs("torch", "starlette", "optuna", "webdataset", "hypothesis")

TRACK = "track in.mp4 --box 60 70 40 40 --out out.csv --out out.xml --overwrite --quiet --end 3"
EVAL = "eval folder:sequences --tracker lite --threads 1"
BENCH = "bench in.mp4 --box 60 70 40 40 --tracker lite --threads 1 --rounds 1 --frames 2 --quiet"
TUNE = (
    "tune lite folder:sequences --out tuned --trials 1 --starts 1 --frames 3 --held-out b --quiet"
)
TRAIN = "train --data data --config config.json --steps 1 --out run --resume --quiet"
INSPECT = "inspect alexnet --width 0.05 --repeats 0 --template 87 --search 127"
FINE = "fine-tune run.pt --data data --out fine --steps 1 --quiet"
COMMANDS = {
    Track: (
        TRACK,
        [
            "box",
            "detection_score",
            "detection_every",
            "keyframes",
            "start",
            "end",
            "stride",
            "threads",
            "smooth",
        ],
    ),
    Batch: ("batch videos --out results --overwrite", ["workers", "threads", "retries"]),
    Eval: (EVAL, ["clips", "workers", "threads"]),
    Bench: (BENCH, ["box", "threads", "rounds", "frames", "targets"]),
    Tune: (
        TUNE,
        ["starts", "frames", "trials", "seed", "worker", "cache_gib", "places", "sizes", "threads"],
    ),
    Train: (
        TRAIN,
        ["steps", "validate_every", "validate_sequences", "validate_frames", "pictures"],
    ),
    FineTune: (FINE, ["steps", "held_out"]),
    Inspect: (INSPECT, ["width", "template", "search", "repeats", "threads"]),
    Export: ("export box.pt exported --overwrite", ["batch"]),
    Studio: ("studio in.mp4 --no-browser --projects projects", ["port", "max_upload", "threads"]),
    Check: ("data check data", ["names"]),
    Prepare: ("data prepare --data data --out crops --workers 1", ["every", "workers"]),
    CropConfig: (
        "data prepare --data data --out crops --workers 1",
        ["crop.side", "crop.multiple", "crop.context", "crop.area", "crop.quality"],
    ),
    Pack: ("data pack --data data --out shards --overwrite", ["megabytes"]),
}
LONG = {
    "rounds",
    "frames",
    "targets",
    "trials",
    "starts",
    "steps",
    "workers",
    "repeats",
    "template",
    "search",
    "width",
    "batch",
    "threads",
    "port",
    "max_upload",
    "retries",
    "sizes",
    "places",
    "worker",
    "validate_frames",
    "validate_sequences",
}
"""Options with which an order for days of work, or for a server, is a good one."""


def numbers(hint):
    return hint in (int, float) or any(map(numbers, typing.get_args(hint)))


@pytest.mark.parametrize("kind", COMMANDS)
def test_every_number_is_among_them(kind):
    hints = typing.get_type_hints(kind)
    names = [f.name for f in dataclasses.fields(kind) if numbers(hints[f.name])]
    assert names == [name.removeprefix("crop.") for name in COMMANDS[kind][1]]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with whatever the commands read."""
    place = tmp_path_factory.mktemp("surfaces")
    pictures, boxes = clip(4)
    write_video(place / "in.mp4", pictures)
    (place / "videos").mkdir()
    write_video(place / "videos" / "a.mp4", pictures)
    (place / "videos" / "a.txt").write_text("60 70 40 40\n")
    for name in "ab":
        folder = place / "sequences" / name
        folder.mkdir(parents=True)
        for number, picture in enumerate(pictures):
            cv2.imwrite(str(folder / f"{number:04d}.png"), picture)
        rows = "\n".join(",".join(map(str, row)) for row in boxes)
        (folder / "groundtruth.txt").write_text(rows)
    write_manifest(place / "data", 20)
    write_checkpoint(place / "box.pt", "box")
    write_checkpoint(place / "run.pt", "siamfc")
    (place / "config.json").write_text(json.dumps(to_dict(replace(TINY, steps=1))))
    return place


TYPED = st.sampled_from(
    [
        "nan",
        "inf",
        "-inf",
        "-1",
        "0",
        "1e400",
        "-1e400",
        "9" * 400,
        "9" * 5000,
        "-" + "9" * 400,
        str(2**31),
        str(2**63),
        str(2**64),
        "1e-320",
        "1e300",
        "0x10",
        "1_0",
        "",
        "٣",
        "1,5",
        "None",
        "true",
        "--",
        "1 2",
    ]
)
BEYOND = st.sampled_from(
    [
        "nan",
        "inf",
        "-inf",
        "-1",
        "1e400",
        "9" * 400,
        "9" * 5000,
        "1e300",
        str(-(2**63)),
        str(2**64),
        "-" + "9" * 30,
        "9" * 30,
        "x",
        "",
        "1e-320",
    ]
)


@pytest.fixture(scope="module")
def taken():
    """A port that something else listens at: a studio whose numbers are good ends there."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("kind", COMMANDS)
def test_options_of_the_command(place, taken, monkeypatch, kind):
    monkeypatch.chdir(place)
    command, options = COMMANDS[kind]

    @slow_fuzz
    @given(data=st.data(), option=st.sampled_from(options))
    def run(data, option):
        number = BEYOND if option in LONG else TYPED | st.integers(-3, 70).map(str)
        words = [data.draw(number) for _ in range(4 if option == "box" else 1)]
        if kind is Studio and option != "port":
            words += ["--port", str(taken)]
        said = io.StringIO()
        with case("option of the command", ValueError):
            with (
                contextlib.redirect_stderr(said),
                contextlib.redirect_stdout(io.StringIO()),
                pytest.raises(SystemExit) as stop,
            ):
                main([*command.split(), "--" + option.replace("_", "-"), *words])
            if stop.value.code:
                assert stop.value.code == 2, said.getvalue()
                raise ValueError(said.getvalue())

    run()


DRAWN = {"do": "draw", "frame": 0, "box": [9, 9, 30, 30]}
EDITS = [
    DRAWN,
    {"do": "key", "target": 0, "frame": 0, "box": [9, 9, 30, 30]},
    {"do": "absent", "target": 0, "frame": 3},
    {"do": "unkey", "target": 0, "frame": 3},
    {"do": "rename", "target": 0, "name": "a"},
    {"do": "undo", "follow": {"frame": 0, "count": 2, "targets": [0], "direction": "forward"}},
]
JOB = {"do": "start", "frame": 0, "count": 2, "targets": [0], "redetect": True}
VALUE = (
    NUMBER
    | st.lists(NUMBER, max_size=5)
    | st.dictionaries(
        st.sampled_from(["frame", "count", "targets", "direction", "model"]), NUMBER, max_size=3
    )
)
PART = (
    st.text('0123456789-+.einfa ,[]{}:x"٣', max_size=30)
    | TYPED
    | st.sampled_from(["9" * 4301, "%00", "..%2f", "0" * 16])
)
QUERIES = [("w", "frames/0"), ("target", "look/0"), ("model", "tracks"), ("frame", "look/0")]


def refused_or_answered(answer):
    """No status of a defect, and a sentence with every refusal."""
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        sentence = answer.json()["error"] if "json" in answer.headers["content-type"] else ""
        raise ValueError(sentence or f"status {answer.status_code} of the router")


@fuzz
@given(data=st.data())
def ask(client, project, data):
    """Send one request with absurd numbers in any of its parts."""
    kind = data.draw(st.sampled_from(["edit", "job", "query", "path", "header", "open"]))
    with case("request to the studio", ValueError):
        if kind in ("edit", "job"):
            body = dict(data.draw(st.sampled_from(EDITS)) if kind == "edit" else JOB)
            name = data.draw(st.sampled_from(sorted(body)))
            if name == "box" and data.draw(st.booleans()):
                body["box"] = [*body["box"]]
                body["box"][data.draw(st.integers(0, 3))] = data.draw(NUMBER)
            else:
                body[name] = data.draw(VALUE)
            text, place = json.dumps(body), "edits" if kind == "edit" else "job"
            head = {"content-type": "application/json"}
            refused_or_answered(client.post(f"{project}/{place}", content=text, headers=head))
        elif kind == "open":
            refused_or_answered(client.post("/api/open", json={"clip": str(data.draw(PART))}))
        elif kind == "query":
            name, place = data.draw(st.sampled_from(QUERIES))
            refused_or_answered(client.get(f"{project}/{place}", params={name: data.draw(PART)}))
        elif kind == "path":
            place = data.draw(st.sampled_from(["frames/", "look/", "exports/"]))
            refused_or_answered(client.get(f"{project}/{place}{quote(data.draw(PART))}"))
        else:
            name = data.draw(st.sampled_from(["origin", "host", "content-length", "range"]))
            part = data.draw(PART).encode("ascii", "ignore").decode()
            prefix = data.draw(st.sampled_from(["", "http://", "http://127.0.0.1:", "[", "bytes="]))
            refused_or_answered(client.get(f"{project}/frames/0", headers={name: prefix + part}))


def test_requests(client, project):
    client.post(f"{project}/edits", json=DRAWN)
    ask(client, project)
    assert client.get(project).status_code == 200, "it serves as before"


@pytest.mark.parametrize("path", ["{project}/exports", "/api/camera"])
def test_messages_to_sockets(client, project, path):
    client.post(f"{project}/edits", json=DRAWN)
    order = {"format": "csv", "model": "lite"} if "exports" in path else {"model": "lite"}

    @slow_fuzz
    @given(name=st.sampled_from([*order, "source", "box", "clear"]), value=VALUE)
    def run(name, value):
        with (
            case("message to the studio", WebSocketDisconnect),
            client.websocket_connect(SOCKETS + path.format(project=project)) as socket,
        ):
            socket.send_text(json.dumps({**order, name: value}))
            socket.send_text(json.dumps({"box": [value] * 4}))
            socket.send_bytes(b"no picture")
            answer = socket.receive_json()
            assert answer.keys() & {"error", "state", "tracks", "id"}, answer

    run()
    assert client.get(project).status_code == 200, "it serves as before"
