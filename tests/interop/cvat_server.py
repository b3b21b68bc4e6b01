"""A stand-in for a CVAT server: the part of its REST API that an agent uses, and no more.

    GET  /api/server/about, /api/tasks/1, /api/labels, /api/tasks/1/data/meta
    GET  /api/tasks/1/data?type=frame&number=N        a PNG
    POST /api/functions, GET /api/functions/N
    POST /api/functions/queues/function:N/requests/acquire
    POST /api/functions/queues/function:N/requests/ID/complete, .../fail, .../update

Not there: permissions, the event stream of the queue, chunks, annotations. Every request must carry
the access token.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import cv2

TOKEN = "token-of-a-test"
DAY = "2026-11-01T00:00:00Z"


class CvatServer:
    """Serves one task made of frames (N, H, W, 3), and hands out annotation requests.

    `requests` is a list of functions from the results so far to the parameters of a request; each
    is asked when the one before is done.
    """

    def __init__(self, frames, requests):
        self.frames, self.requests = frames, list(requests)
        self.functions, self.results, self.failures = {}, [], []
        self.refused = 0
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {}))
        self._http.RequestHandlerClass.cvat = self
        self.address = f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error):
        self._http.shutdown()
        self._http.server_close()

    def get(self, path, query):
        height, width = self.frames[0].shape[:2]
        if path == "/api/server/about":
            words = dict.fromkeys(("name", "description", "logo_url", "subtitle"), "stand-in")
            return words | {"version": "2.80.0"}
        if path == "/api/tasks/1":
            return {
                "id": 1,
                "name": "clip",
                "size": len(self.frames),
                "mode": "interpolation",
                "dimension": "2d",
                "data": 1,
                "data_chunk_size": 36,
                "data_original_chunk_type": "imageset",
                "data_compressed_chunk_type": "imageset",
                "updated_date": DAY,
                "created_date": DAY,
                "organization": None,
                "jobs": {"url": self.address, "count": 1, "completed": 0, "validation": 0},
                "labels": {"url": f"{self.address}/api/labels"},
            }
        if path == "/api/labels":
            label = {"id": 1, "name": "thing", "type": "any", "attributes": [], "sublabels": []}
            return {"count": 1, "next": None, "previous": None, "results": [label]}
        if path == "/api/tasks/1/data/meta":
            names = (f"{number:06d}.png" for number in range(len(self.frames)))
            frame = {"width": width, "height": height, "related_files": 0}
            return {
                "frames": [frame | {"name": name} for name in names],
                "deleted_frames": [],
                "size": len(self.frames),
                "start_frame": 0,
                "stop_frame": len(self.frames) - 1,
                "chunks_updated_date": DAY,
            }
        if path == "/api/tasks/1/data" and query.get("type") == ["frame"]:
            picture = self.frames[int(query["number"][0])]
            return cv2.imencode(".png", picture[..., ::-1])[1].tobytes()
        if path.startswith("/api/functions/"):
            return self.functions.get(int(path.rsplit("/", 1)[1]))
        return None

    def post(self, path, body):
        if path == "/api/functions":
            number = 7 + len(self.functions)
            self.functions[number] = body | {"id": number}
            return self.functions[number]
        if path.endswith("/requests/acquire"):
            if not self.requests or body["request_category"] != "interactive":
                return {"ar_assignment": None}
            try:
                parameters = self.requests[0](self.results)
            except (IndexError, KeyError):  # what it builds on has failed
                self.requests.clear()
                return {"ar_assignment": None}
            return {"ar_assignment": {"ar_id": f"r{len(self.requests)}", "ar_params": parameters}}
        if path.endswith("/complete"):
            self.requests.pop(0)
            self.results.append(body)
            return {}
        if path.endswith("/fail"):
            self.requests.pop(0)
            self.failures.append(body["exc_info"])
            return {}
        return {} if path.endswith("/update") else None


class _Handler(BaseHTTPRequestHandler):
    cvat: CvatServer

    def do_GET(self):
        parts = urlsplit(self.path)
        self._answer(lambda: self.cvat.get(parts.path.rstrip("/"), parse_qs(parts.query)))

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)) or b"{}")
        self._answer(lambda: self.cvat.post(urlsplit(self.path).path, body))

    def _answer(self, found):
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self.cvat.refused += 1
            self.send_error(401)
            return
        answer = found()
        if answer is None:
            self.send_error(404)
            return
        picture = isinstance(answer, bytes)
        data = answer if picture else json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "image/png" if picture else "application/vnd.cvat+json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *words):
        pass
