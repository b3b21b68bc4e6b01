"""The backend over HTTP, as Label Studio asks it, and its answers by Label Studio's own package."""

import base64
import json
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from siamtrack.core.boxes import iou
from siamtrack.errors import VideoError
from siamtrack.interop.label_studio import Limits, read_layout
from siamtrack.interop.label_studio_server import Backend, BackendServer, Media, RefusedError
from siamtrack.packages.card import load_model
from tests.helpers import clip, texture, write_video

CONFIG = """
<View>
  <Labels name="labels" toName="video"><Label value="Car"/><Label value="Bird"/></Labels>
  <Video name="video" value="$clip" frameRate="25"/>
  <VideoRectangle name="box" toName="video"/>
</View>"""
FRAMES = 20


@pytest.fixture(scope="module")
def model():
    return load_model("lite", threads=1)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    pictures, boxes = clip(FRAMES)
    write_video(folder / "walk.mp4", pictures)
    (folder.parent / "secret.mp4").write_bytes(b"secret")
    return folder, boxes, pictures.shape[1:3]


@pytest.fixture
def served(model, place):
    with serving(Backend(model, Media(files=place[0]))) as ask:
        yield ask


class serving:  # noqa: N801
    """Run a backend, and return a function that asks it."""

    def __init__(self, backend, **options):
        self.server = BackendServer(backend, port=0, **options)

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return partial(ask, self.server.address)

    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()
        self.server.backend.media.close()


def ask(address, path, body=None, **headers):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} | headers
    try:
        with urllib.request.urlopen(
            urllib.request.Request(address + path, data, headers), timeout=60
        ) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def key(frame, box, size, **more):
    height, width = size
    x, y, w, h = (100 * box / np.array([width, height, width, height])).tolist()
    place = {"x": x, "y": y, "width": w, "height": h}
    return {
        "frame": frame,
        "time": (frame - 1) / 25,
        "enabled": True,
        "rotation": 0,
        **place,
        **more,
    }


def region(*keys, name="r1", frames=FRAMES, rate=25):
    value = {"framesCount": frames, "duration": frames / rate, "sequence": list(keys)}
    return {
        "id": name,
        "type": "videorectangle",
        "from_name": "box",
        "to_name": "video",
        "value": value | {"labels": ["Car"]},
    }


def request(*regions, clip="/data/local-files/?d=walk.mp4"):
    return {
        "tasks": [{"id": 5, "data": {"clip": clip}}],
        "label_config": CONFIG,
        "project": "1.1700000000",
        "params": {"login": None, "password": None, "context": {"result": list(regions)}},
    }


def boxes_of(found, size):
    height, width = size
    scale = np.array([width, height, width, height]) / 100
    return {
        each["frame"]: np.array([each[n] for n in ("x", "y", "width", "height")]) * scale
        for each in found["value"]["sequence"]
    }


def test_it_is_up_and_takes_a_project_on(served):
    assert served("/health")[1]["status"] == "UP"
    assert served("/")[1]["status"] == "UP"
    setup = {"project": "1.1700000000", "schema": CONFIG, "hostname": "x", "access_token": "y"}
    status, answer = served("/setup", setup)
    assert status == 200
    assert answer["model_version"]
    assert served("/versions", {"project": 1})[1] == {"versions": [answer["model_version"]]}
    assert served("/webhook", {"action": "ANNOTATION_CREATED"})[0] == 201
    assert served("/nowhere")[0] == 404


def test_rectangles_are_followed_to_the_end_of_the_video(served, place):
    _, boxes, size = place
    second = region(key(4, boxes[3], size), name="r2")
    status, answer = served("/predict", request(region(key(1, boxes[0], size)), second))
    assert status == 200
    (result,) = answer["results"]
    assert 0.5 < result["score"] <= 1
    assert [each["id"] for each in result["result"]] == ["r1", "r2"]
    for found, start in zip(result["result"], (1, 4), strict=True):
        assert found["value"]["labels"] == ["Car"]
        assert [each["frame"] for each in found["value"]["sequence"]] == [*range(start, FRAMES + 1)]
        for frame, box in boxes_of(found, size).items():
            assert iou(box, boxes[frame - 1]) > 0.6


def test_key_frames_of_people_stay_and_those_between_are_tracked(served, place):
    _, boxes, size = place
    drawn = [key(1, boxes[0], size), key(9, boxes[8], size)]
    _, answer = served("/predict", request(region(*drawn)))
    (found,) = answer["results"][0]["result"]
    sequence = found["value"]["sequence"]
    assert sequence[0] == drawn[0]
    assert sequence[8] == drawn[1]
    assert len(sequence) == FRAMES
    # asked again with all of them: nothing is left to do, and nothing changes
    _, again = served("/predict", request(found))
    assert again["results"][0]["result"][0]["value"]["sequence"] == sequence


def test_a_rectangle_ends_where_a_person_ends_it(served, place):
    _, boxes, size = place
    drawn = [key(1, boxes[0], size), key(6, boxes[5], size, enabled=False)]
    _, answer = served("/predict", request(region(*drawn)))
    (found,) = answer["results"][0]["result"]
    assert [each["frame"] for each in found["value"]["sequence"]] == [1, 2, 3, 4, 5, 6]


def test_a_lost_target_ends_and_comes_back(model, tmp_path):
    pictures, boxes = clip(24)
    grey = texture(1, *pictures.shape[1:3], grain=40) // 3 + 60
    pictures[10:16] = grey
    write_video(tmp_path / "gone.mp4", pictures)
    size = pictures.shape[1:3]
    with serving(Backend(model, Media(files=tmp_path))) as asked:
        drawn = region(key(1, boxes[0], size), frames=24)
        _, answer = asked("/predict", request(drawn, clip="/data/local-files/?d=gone.mp4"))
    sequence = answer["results"][0]["result"][0]["value"]["sequence"]
    ends = [each["frame"] for each in sequence if not each["enabled"]]
    assert ends
    assert 10 <= ends[0] <= 13  # the last frame in which it was seen
    after = [each["frame"] for each in sequence if each["frame"] > ends[0]]
    assert not set(after) & set(range(ends[0] + 1, 16))


def test_another_frame_rate_than_that_of_the_file(served, place):
    """Label Studio counts by `frameRate`, or its default: half of the file's rate here."""
    _, boxes, size = place
    drawn = region(key(1, boxes[0], size), frames=FRAMES // 2, rate=12.5)
    _, answer = served("/predict", request(drawn))
    (found,) = answer["results"][0]["result"]
    places = boxes_of(found, size)
    assert 9 <= len(places) <= 11
    for frame, box in places.items():
        assert iou(box, boxes[min(round((frame - 1) * 2), FRAMES - 1)]) > 0.5


def test_limits_of_frames_and_of_time(model, place):
    folder, boxes, size = place
    for limits, most in ((Limits(frames=3), 4), (Limits(seconds=0), 1)):
        with serving(Backend(model, Media(files=folder), limits)) as asked:
            status, answer = asked("/predict", request(region(key(1, boxes[0], size))))
        assert status == 200
        assert len(answer["results"][0]["result"][0]["value"]["sequence"]) == most


def test_tasks_without_rectangles_get_an_empty_prediction_each(served):
    body = request() | {"tasks": [{"id": n, "data": {"clip": "x"}} for n in range(3)]}
    status, answer = served("/predict", body)
    assert status == 200
    assert [each["result"] for each in answer["results"]] == [[], [], []]


def test_without_an_interaction_the_newest_annotation_is_followed(served, place):
    _, boxes, size = place
    old = {"updated_at": "2026-01-01", "result": [region(key(1, boxes[0], size), name="old")]}
    new = {"updated_at": "2026-02-01", "result": [region(key(1, boxes[0], size), name="new")]}
    body = request()
    body["tasks"][0]["annotations"] = [new, old]
    _, answer = served("/predict", body)
    assert answer["results"][0]["result"][0]["id"] == "new"


def test_a_turned_rectangle_starts_as_the_upright_box_around_it(served, place):
    _, boxes, size = place
    x, y, w, h = boxes[0]
    turned = key(1, np.array([x + w, y, h, w]), size, rotation=90)  # turns about its left top
    _, answer = served("/predict", request(region(turned)))
    places = boxes_of(answer["results"][0]["result"][0], size)
    assert iou(places[2], boxes[1]) > 0.6


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"label_config": "<View"}, "no XML"),
        ({"label_config": "<View/>"}, "VideoRectangle"),
        ({"tasks": "all"}, "list of tasks"),
        ({"tasks": [{"data": {"clip": None}}]}, "address of a video"),
        ({"tasks": [{"data": {"clip": "/data/local-files/?d=no.mp4"}}]}, "is not in the folder"),
        ({"params": {"context": {"result": "x"}}}, "list of regions"),
    ],
)
def test_bad_requests_are_answered_in_a_sentence(served, place, change, said):
    _, boxes, size = place
    status, answer = served("/predict", request(region(key(1, boxes[0], size))) | change)
    assert status == 400
    assert said in answer["error"]


@pytest.mark.parametrize(
    "bad",
    [{"frame": 0}, {"frame": "1"}, {"x": None}, {"width": float("nan")}, {"height": 0}, {"x": 400}],
)
def test_bad_key_frames_are_answered_in_a_sentence(served, place, bad):
    _, boxes, size = place
    status, answer = served("/predict", request(region(key(1, boxes[0], size) | bad)))
    assert status == 400
    assert "box" in answer["error"] or "key frame" in answer["error"]


@pytest.mark.parametrize(
    "clip",
    [
        "/data/local-files/?d=../secret.mp4",
        "/data/local-files/?d=%2e%2e/secret.mp4",
        "/data/local-files/?d=%252e%252e/secret.mp4",
        "/data/local-files/?d=link.mp4",
        "http://elsewhere.example/data/local-files/?d=walk.mp4",
        "http://127.0.0.1:1/video.mp4",
        "file:///etc/passwd",
        "ftp://127.0.0.1/a.mp4",
        "s3://bucket/a.mp4",
        "/etc/passwd",
        "walk.mp4",
        "http://user@127.0.0.1/a.mp4",
    ],
)
def test_videos_outside_what_was_permitted_are_refused(served, place, clip):
    folder, boxes, size = place
    link = folder / "link.mp4"
    if not link.is_symlink():
        link.symlink_to(folder.parent / "secret.mp4")
    status, answer = served("/predict", request(region(key(1, boxes[0], size)), clip=clip))
    assert status == 400
    assert "secret" not in answer["error"] or "lies outside" in answer["error"]


class Files(SimpleHTTPRequestHandler):
    asked: list = []  # noqa: RUF012
    away = ""

    def do_GET(self):
        Files.asked.append((self.path, self.headers.get("Authorization")))
        if self.path.startswith("/away"):
            self.send_response(302)
            self.send_header("Location", Files.away)
            self.end_headers()
            return
        super().do_GET()

    def do_POST(self):
        assert json.loads(self.rfile.read(int(self.headers["Content-Length"])))["refresh"]
        data = b'{"access": "short"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *words):
        pass


@pytest.fixture
def studio(place):
    """A server with the files of a Label Studio."""
    Files.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=str(place[0])))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_uploads_are_downloaded_once_with_the_token(model, place, studio):
    _, boxes, size = place
    with serving(Backend(model, Media(studio=studio, token="abc"))) as asked:
        for clip in ("/walk.mp4", f"{studio}/walk.mp4"):
            status, answer = asked("/predict", request(region(key(18, boxes[17], size)), clip=clip))
            assert status == 200, answer
    assert Files.asked == [("/walk.mp4", "Token abc")]


def test_a_personal_access_token_is_exchanged_first(studio):
    media = Media(studio=studio, token="a.b.c")
    media.find("/walk.mp4")
    media.close()
    assert Files.asked == [("/walk.mp4", "Bearer short")]


def test_redirects_to_other_hosts_are_refused_and_take_no_token(studio, place):
    other = ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=str(place[0])))
    threading.Thread(target=other.serve_forever, daemon=True).start()
    name = f"127.0.0.1:{other.server_address[1]}"
    Files.away = f"http://{name}/walk.mp4"
    try:
        closed = Media(studio=studio, token="abc")
        with pytest.raises(RefusedError, match="allow-host"):
            closed.find("/away.mp4")
        assert [path for path, _ in Files.asked] == ["/away.mp4"]
        permitted = Media(studio=studio, token="abc", hosts=(name,))
        assert permitted.find("/away.mp4").stat().st_size > 1000
        assert Files.asked[-1] == ("/walk.mp4", None)
        closed.close()
        permitted.close()
    finally:
        other.shutdown()
        other.server_close()


def test_a_download_that_is_too_large_or_missing_leaves_nothing(studio, tmp_path):
    media = Media(studio=studio, most=100, folder=tmp_path)
    with pytest.raises(VideoError, match="larger than"):
        media.find("/walk.mp4")
    with pytest.raises(VideoError, match="404"):
        media.find("/no.mp4")
    assert not list(tmp_path.iterdir())
    media.close()


def test_old_downloads_make_room(studio, place):
    for number in range(3):
        (place[0] / f"copy{number}.mp4").write_bytes(bytes(10))
    media = Media(studio=studio, kept=2)
    found = [media.find(f"/copy{number}.mp4") for number in range(3)]
    assert [path.exists() for path in found] == [False, True, True]
    media.close()


def test_a_password_is_asked_for_and_needed_beyond_this_machine(model):
    backend = Backend(model, Media())
    with pytest.raises(ValueError, match="SIAMTRACK_SERVE_PASSWORD"):
        BackendServer(backend, "0.0.0.0", 0)
    with serving(backend, password="word") as asked:
        assert asked("/health")[0] == 401
        for word, status in (("word", 200), ("no", 401), ("ö", 401)):
            given = base64.b64encode(f"siamtrack:{word}".encode()).decode()
            assert asked("/health", Authorization=f"Basic {given}")[0] == status
        assert asked("/health", Authorization="Basic ###")[0] == 401


def test_pages_of_other_sites_cannot_ask(served):
    """A browser sends text and forms anywhere; JSON it asks about first, which is not answered."""
    assert served("/setup", {"schema": CONFIG}, **{"Content-Type": "text/plain"})[0] == 415


def test_a_request_that_is_too_long_is_not_read(served):
    assert served("/setup", {}, **{"Content-Length": str(1 << 40)})[0] == 413


def test_the_command_serves_and_ends(place, start):
    process = start(
        [sys.executable, "-m", "siamtrack", "serve", "label-studio", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    line = process.stdout.readline()
    address = line.split("connect to ")[1].split(";")[0]
    assert ask(address, "/health")[1]["status"] == "UP"
    process.terminate()
    assert process.wait(30) == 130


def test_layouts_that_people_write():
    plain = '<View><Video name="v" value="$url"/><VideoRectangle name="b" toName="v"/></View>'
    assert read_layout(plain).rate is None
    named = plain.replace('value="$url"', 'value="$url" framerate="29.97"')
    assert read_layout(named).rate == 29.97
    asked = plain.replace('value="$url"', 'value="$url" frameRate="$fps"')
    assert read_layout(asked).rate is None


@pytest.mark.needs("label_studio_sdk")
def test_answers_are_valid_for_label_studio_itself(served, place):
    """Its package validates the prediction, and fills in what its key frames mean."""
    from label_studio_sdk._extensions.label_studio_tools.postprocessing.video import (
        extract_key_frames,
    )
    from label_studio_sdk.label_interface import LabelInterface
    from label_studio_sdk.label_interface.objects import PredictionValue

    _, boxes, size = place
    drawn = region(key(1, boxes[0], size), key(9, boxes[8], size, enabled=False))
    _, answer = served("/predict", request(drawn, region(key(2, boxes[1], size), name="r2")))
    (result,) = answer["results"]
    interface = LabelInterface(CONFIG)
    assert interface.validate_prediction(result, return_errors=True) == []
    assert PredictionValue(**result).result
    ended, whole = extract_key_frames(result["result"])
    assert {each["frame"] for each in ended["value"]["sequence"]} == set(range(1, 10))
    assert {each["frame"] for each in whole["value"]["sequence"]} == set(range(2, FRAMES + 1))
