"""A studio in a process of its own, to be killed and started again."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from siamtrack.cli.demo import demo_clip
from tests.processes import siamtrack

TOKEN = "a-token-of-the-tests"
BEARER = {"authorization": f"Bearer {TOKEN}"}


def page_of(port):
    """Return the address that the studio prints."""
    return f"http://127.0.0.1:{port}/?token={TOKEN}"


def start(folder, port, *options, browser=None):
    """Start a studio on the clip, with `browser` to open it, and wait until it answers."""
    command = [
        *siamtrack("studio", demo_clip()),
        "--port",
        str(port),
        "--projects",
        str(folder / "projects"),
        "--threads",
        "1",
        *options,
    ]
    command += [] if browser else ["--no-browser"]
    known = {**os.environ, "SIAMTRACK_STUDIO_TOKEN": TOKEN, "BROWSER": str(browser or "")}
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, start_new_session=True, env=known
        )
    (folder / "pid").write_text(str(process.pid))
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/studio", timeout=5).close()
        except urllib.error.HTTPError:  # it wants the token
            return process
        except OSError:
            time.sleep(0.2)
        else:
            return process
    process.kill()
    process.wait()
    raise AssertionError("the studio does not start")


def end(folder):
    """Kill the studio that was started last."""
    os.kill(int((folder / "pid").read_text()), signal.SIGKILL)


if __name__ == "__main__":
    start(Path(sys.argv[1]), int(sys.argv[2]))
