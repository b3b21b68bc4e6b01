"""Two runs at once in one folder, killed at random moments; the rerun gives undisturbed bytes.

Of training, "bytes" are those of every tensor in the checkpoint. A study that was interrupted draws
other trials by design (docs/tuning.md): its rerun must end with all of them, a whole result and a
model that loads. SIAMTRACK_KILLS=20 kills each command so often.
"""

import json
import os
import random
import subprocess
import time
from dataclasses import replace

import cv2
import optuna
import pytest
import torch

from siamtrack.core.config import to_dict
from siamtrack.packages.card import load_model
from siamtrack.training import checkpoint
from tests.data.annotations.trees import got10k
from tests.helpers import clip, write_video
from tests.processes import environment, siamtrack, started
from tests.training.manifest import write_manifest
from tests.training.test_resume import TINY

pytestmark = [
    pytest.mark.needs("torch", "optuna"),
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="signals of POSIX"),
]
KILLS = int(os.environ.get("SIAMTRACK_KILLS", "2"))
BOX = ["--box", "60", "70", "40", "40"]


def track(place, out):
    video = place / "in.mp4"
    if not video.exists():
        write_video(video, clip(60)[0])
    out.mkdir(exist_ok=True)
    return ["track", video, *BOX, "--out", out / "a.csv", "--threads", 1, "--quiet", "--overwrite"]


def batch(place, out):
    videos = place / "videos"
    if not videos.exists():
        videos.mkdir()
        for name in "abcd":
            pictures, boxes = clip(20)
            write_video(videos / f"{name}.mp4", pictures)
            (videos / f"{name}.txt").write_text(",".join(map(str, boxes[0])) + "\n")
    return ["batch", videos, "--out", out]


def evaluation(place, out):
    data = place / "sequences"
    for name in "abc":
        folder = data / name
        if not folder.exists():
            folder.mkdir(parents=True)
            pictures, boxes = clip(10)
            for number, picture in enumerate(pictures):
                cv2.imwrite(str(folder / f"{number:04d}.png"), picture)
            rows = "\n".join(",".join(map(str, row)) for row in boxes)
            (folder / "groundtruth.txt").write_text(rows)
    return ["eval", f"folder:{data}", "--tracker", "lite", "--out", out, "--threads", 1]


def preparation(place, out):
    source = place / "got10k"
    if not source.exists():
        place.joinpath("source").write_text(got10k(source))
    return ["data", "prepare", "--data", place.joinpath("source").read_text(), "--out", out]


def training(place, out):
    data = place / "data"
    if not data.exists():
        write_manifest(data)
        place.joinpath("config.json").write_text(json.dumps(to_dict(replace(TINY, steps=40))))
    settings = ["--config", place / "config.json", "--quiet"]
    return ["train", "--data", data, "--out", out, *settings, "--resume"]


def tuning(place, out):
    evaluation(place, out)
    search = ["--trials", 4, "--starts", 1, "--frames", 6, "--held-out", "c", "--quiet"]
    return ["tune", "lite", f"folder:{place / 'sequences'}", "--out", out, *search]


def results(out):
    """Return the bytes of everything that people read; times a run took are none of it."""
    return {
        path.relative_to(out): path.read_bytes().replace(str(out).encode(), b"OUT")
        for path in sorted(out.rglob("*"))
        if path.is_file() and ".made" not in path.parts and not path.name.endswith("_time.txt")
    }


def trained(out):
    """Return the bytes of all that the next step of a run depends on."""
    state = checkpoint.read(out / "checkpoint.pt")
    found = {"step": state["step"]}
    for part in ("model", "average"):
        found |= {f"{part}.{name}": t.numpy().tobytes() for name, t in state[part].items()}
    for number, values in state["optimizer"]["state"].items():
        found |= {
            f"{number}.{name}": torch.as_tensor(v).numpy().tobytes() for name, v in values.items()
        }
    return found


def tuned(out):
    """Return what each study must have, whatever trials it drew."""
    figures = json.loads((out / "tuned.json").read_text())
    load_model(out / "model")
    study = optuna.load_study(study_name="siamtrack", storage=f"sqlite:///{out / 'study.db'}")
    ended = {optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED}
    return {
        "trials": sum(trial.state in ended for trial in study.trials) >= 4,
        "judged": sum(figures["trials"]) >= 4,
        "picture": (out / "study.png").read_bytes()[:8],
        "held out": figures["sequences"]["held_out"],
    }


COMMANDS = {
    track: results,
    batch: results,
    evaluation: results,
    preparation: results,
    training: trained,
    tuning: tuned,
}


@pytest.mark.parametrize("command", COMMANDS)
def test_killed_two_at_a_time(command, tmp_path):
    seed = int(os.environ.get("SIAMTRACK_SEED", "0"))
    rng = random.Random(f"{seed} {command.__name__}")
    quiet = {"env": environment(), "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    whole = tmp_path / "whole"
    clock = time.monotonic()
    subprocess.run(siamtrack(*command(tmp_path, whole)), check=True, **quiet)
    seconds = time.monotonic() - clock
    read = COMMANDS[command]
    wanted = read(whole)
    assert wanted
    for number in range(KILLS):
        out = tmp_path / f"out{number}"
        order = siamtrack(*command(tmp_path, out))
        with started(order, **quiet) as first, started(order, **quiet) as second:
            time.sleep(rng.uniform(0.2, 1.1) * seconds)
            rng.choice([first, second]).kill()
            time.sleep(rng.uniform(0, 0.3) * seconds)
        done = subprocess.run(order, env=environment(), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert read(out) == wanted
