"""A real browser, driven by the scripts beside the tests: chromium, node and playwright-core."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "studio"


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


def script(name, *arguments, **environment):
    """Run a script in the browser and return the last line that it prints."""
    known = {**os.environ, "PATIENCE": "90000", **environment}
    known.setdefault("CHROMIUM", shutil.which("chromium") or "")
    done = subprocess.run(
        ["node", str(HERE / name), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=known,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


in_browser = [
    pytest.mark.slow,
    pytest.mark.skipif(missing() is not None, reason=f"in the browser: {missing()}"),
]
