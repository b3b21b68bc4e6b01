"""The entry for torch.hub."""

import subprocess
import sys
from pathlib import Path

import pytest

from siamtrack.packages.card import packaged_names

ROOT = Path(__file__).parent.parent


def run(code):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd="/"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_torch_hub_loads_a_tracker_from_the_repository():
    code = f"""
import sys, torch, numpy as np
sys.modules.pop("siamtrack", None)
tracker = torch.hub.load({str(ROOT)!r}, "lite", source="local", trust_repo=True, threads=1)
picture = np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)
tracker.init(picture, (40, 30, 20, 30))
print(tracker.name, tracker.update(picture).box.shape)
print(sys.modules["siamtrack"].__file__)
"""
    first, second = run(code).splitlines()
    assert first == "lite (4,)"
    assert second == str(ROOT / "src" / "siamtrack" / "__init__.py")


def test_every_packaged_model_has_an_entry_that_needs_no_torch():
    code = f"""
import sys
sys.modules["torch"] = None
sys.path.insert(0, {str(ROOT)!r})
before = list(sys.path)
import hubconf
print(sys.path == before, hubconf.ciresnet22_slim(threads=1).name)
print(sorted(n for n in vars(hubconf) if callable(getattr(hubconf, n)) and n != "Path"))
"""
    first, second = run(code).splitlines()
    assert first == "True ciresnet22-slim"
    assert second == str(sorted(name.replace("-", "_") for name in packaged_names()))
