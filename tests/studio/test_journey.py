"""The journey of a person in a real browser; see journey.mjs. Needs chromium, node and
playwright-core (`npm i playwright-core` anywhere, with NODE_PATH set to its node_modules).
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from siamtrack.cli.demo import demo_clip

HERE = Path(__file__).parent


def missing():
    """Return what keeps the journey from being made."""
    if not (shutil.which("chromium") or os.environ.get("CHROMIUM")):
        return "no chromium (apt-get install chromium, or set CHROMIUM)"
    if not shutil.which("node"):
        return "no node"
    code = "require.resolve('playwright-core')"
    if subprocess.run(["node", "-e", code], capture_output=True, check=False).returncode:
        return "no playwright-core (npm i playwright-core, and set NODE_PATH to its node_modules)"
    return None


def start(folder, port):
    """Start a studio on the clip and wait until it answers."""
    command = [
        sys.executable, "-c", "from siamtrack.cli import main; main()", "studio", str(demo_clip()),
        "--no-browser", "--port", str(port), "--projects", str(folder / "projects"),
        "--threads", "1",
    ]  # fmt: skip
    log = (folder / "log").open("ab")
    process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    (folder / "pid").write_text(str(process.pid))
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/studio", timeout=5).close()
        except OSError:
            time.sleep(0.2)
        else:
            return process
    raise AssertionError("the studio does not start")


@pytest.mark.slow
@pytest.mark.skipif(missing() is not None, reason=f"the browser journey: {missing()}")
def test_journey(tmp_path):
    port = 8790 + os.getpid() % 100
    process = start(tmp_path, port)
    again = f"kill -9 $(cat '{tmp_path}/pid'); '{sys.executable}' '{__file__}' '{tmp_path}' {port}"
    environment = {
        **os.environ, "RESTART": again, "PATIENCE": "90000",
        "CHROMIUM": os.environ.get("CHROMIUM") or shutil.which("chromium") or "",
    }  # fmt: skip
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    script = [
        "node", str(HERE / "journey.mjs"), f"http://127.0.0.1:{port}/", str(tmp_path),
    ]  # fmt: skip
    try:
        done = subprocess.run(
            script, capture_output=True, text=True, check=False, env=environment, timeout=600
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert json.loads(done.stdout.splitlines()[-1]) == {"ok": True, "targets": 3}
    finally:
        process.wait(10)
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


if __name__ == "__main__":
    start(Path(sys.argv[1]), int(sys.argv[2]))
