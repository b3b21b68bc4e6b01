"""A network camera that stalls, returns and breaks off when it is told to."""

import http.server
import threading
import time

import cv2


class Stream:
    """A network camera on this machine: JPEGs in turn, as fast as 25 a second.

    Attributes:
        address: Where it is.
        going: Cleared, it sends nothing more, and keeps the connection.
        cut: Set, it ends the connection and takes no other.
    """

    def __init__(self, pictures):
        jpegs = [cv2.imencode(".jpg", picture[..., ::-1])[1].tobytes() for picture in pictures]
        self.going, self.cut = threading.Event(), threading.Event()
        self.going.set()
        self.sent = 0
        stream = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path in ("/stall", "/return"):  # for scripts in other processes
                    stream.going.clear() if self.path == "/stall" else stream.going.set()
                    self.send_response(204)
                    self.end_headers()
                    return
                if stream.cut.is_set():
                    self.send_error(503)
                    return
                self.send_response(200)
                self.send_header("content-type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                try:
                    self.pictures()
                except OSError:
                    return

            def pictures(self):
                while not stream.cut.is_set():
                    stream.going.wait(30)
                    jpeg = jpegs[stream.sent % len(jpegs)]
                    head = f"--frame\r\ncontent-type: image/jpeg\r\ncontent-length: {len(jpeg)}"
                    self.wfile.write(head.encode() + b"\r\n\r\n" + jpeg + b"\r\n")
                    stream.sent += 1
                    time.sleep(0.04)

            def log_message(self, *words):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_port}/yard.mjpg"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.cut.set()
        self.going.set()
        self.server.shutdown()
        self.server.server_close()
