import socket
import warnings

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # newer Starlettes prefer another name of httpx
    from starlette.testclient import TestClient

from siamtrack.studio.app import make_app
from siamtrack.studio.library import Library, Models
from siamtrack.studio.request import Settings
from tests.helpers import clip, write_video

BASE = "http://127.0.0.1:8765"
SOCKETS = "ws://127.0.0.1:8765"
FRAMES = 16


def exported(client, project, format, model="lite"):
    """Export as the page does, and return the answer with the file."""
    with client.websocket_connect(SOCKETS + project + "/exports") as socket:
        socket.send_json({"format": format, "model": model})
        while (news := socket.receive_json())["state"] == "working":
            pass
        assert news["state"] == "ready", news
        answer = client.get(f"{project}/exports/{news['id']}")
        assert answer.status_code == 200, answer.text
        while (news := socket.receive_json())["state"] == "working":
            pass
        assert news["state"] == "sent", news
    return answer


def open_project(client):
    """Open the only clip and return the path of its project."""
    (found,) = client.get("/api/studio").json()["clips"]
    answer = client.post("/api/open", json={"clip": found["id"]})
    return f"/api/projects/{answer.json()['project']}"


@pytest.fixture(scope="session")
def models():
    return Models(["lite"], threads=1)


@pytest.fixture(scope="session")
def movie(tmp_path_factory):
    """A folder with one clip, and the boxes of what moves in it."""
    folder = tmp_path_factory.mktemp("movies")
    pictures, boxes = clip(FRAMES)
    write_video(folder / "clip.mp4", pictures)
    return folder, boxes


@pytest.fixture
def serve(tmp_path, models):
    """Return a function that opens folders and gives a client as a browser on the page is one."""
    clients = []

    def start(*roots, home=None, models=models, **settings):
        library = Library(roots, home or tmp_path / "projects")
        app = make_app(library, models, Settings(**{"cameras": (), **settings}))
        client = TestClient(app, BASE, raise_server_exceptions=False, headers={"origin": BASE})
        client.__enter__()
        clients.append(client)
        return client

    yield start
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture
def client(serve, movie):
    return serve(movie[0])


@pytest.fixture
def project(client):
    """The path of an open project of the clip."""
    return open_project(client)


@pytest.fixture
def wait():
    """Wait until nothing is tracked any more and return the last status."""
    import time

    def until_idle(client, project, seconds=300):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            job = client.get(project).json()["job"]
            if job["state"] in ("idle", "failed"):
                return job
            time.sleep(0.05)
        raise AssertionError(f"still {job}")

    return until_idle


@pytest.fixture
def port():
    """A free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
