"""Take the pictures of the studio: docs/studio.png, and those with -dark, -phone and -home.

    NODE_PATH=.../node_modules python docs/figures/studio.py

Needs Chromium, node and playwright-core, as tests/studio/test_journey.py does.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from tests.studio.process import end, page_of, start  # noqa: E402


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = start(folder, port)
    known = {"CHROMIUM": shutil.which("chromium") or "", **os.environ}
    try:
        script = [shutil.which("node") or "node", str(HERE / "studio.mjs"), page_of(port)]
        subprocess.run([*script, str(HERE.parent)], check=True, env=known)
    finally:
        end(folder)
        server.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
