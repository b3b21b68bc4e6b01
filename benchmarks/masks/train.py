"""Train the network of the masks; see README.md beside this file.

python benchmarks/masks/train.py --data data/masks --out runs/masks
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import torch
from steps import Learner, mask_loss
from torch import Tensor, nn

from siamtrack.core.masks import read_segmentation
from siamtrack.data.cache import read_image
from siamtrack.data.manifest import Entry, read_manifest
from siamtrack.models.backbones.mobile import load_imagenet
from siamtrack.models.masks import MaskNetwork
from siamtrack.tracking.crops import cut, mean_color
from siamtrack.tracking.outline import outline_window

WEIGHTS = {"davis2016": 0.22, "segtrack": 0.04, "salient_boundary": 0.01, "schoolgirls": 0.02}
"""Share of the samples from video; the rest is stills, each as often as any other."""


class Samples:
    """Draws samples from a manifest with masks: sample k is the same in every run."""

    def __init__(self, entries: list[Entry], seed: int) -> None:
        self.seed = seed
        groups: dict[str, list[Entry]] = defaultdict(list)
        for entry in entries:
            groups[entry.source if entry.source in WEIGHTS else "stills"].append(entry)
        self.groups = [groups[name] for name in sorted(groups)]
        shares = np.array([WEIGHTS.get(name, 0.0) for name in sorted(groups)])
        shares[sorted(groups).index("stills")] = 1 - shares.sum()
        self.shares = shares

    def batch(self, step: int, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return patches (B, 96, 96, 3), sizes (B, 2) and masks (B, 96, 96) in [0, 1]."""
        rows = [self.sample(step * count + k) for k in range(count)]
        patches, sizes, masks = (np.stack(part) for part in zip(*rows, strict=True))
        return torch.from_numpy(patches), torch.from_numpy(sizes), torch.from_numpy(masks)

    def sample(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rng = np.random.default_rng((self.seed, number))
        group = self.groups[rng.choice(len(self.groups), p=self.shares)]
        entry = group[rng.integers(len(group))]
        frame, mask = loaded(entry)
        box = jittered(np.array(entry.box), rng)
        patch, size, truth = sample_of(frame, mask, box)
        if rng.random() < 0.5:
            patch, truth = patch[:, ::-1], truth[:, ::-1]
        return np.ascontiguousarray(recolored(patch, rng)), size, np.ascontiguousarray(truth)


def loaded(entry: Entry) -> tuple[np.ndarray, np.ndarray]:
    frame = read_image(entry.image)
    return frame, read_segmentation(entry.mask, *frame.shape[:2]).full()


def sample_of(
    frame: np.ndarray, mask: np.ndarray, box: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the patch of a box, the box's size in it, and the mask there in [0, 1]."""
    window, size = outline_window(box)
    patch = cut(frame, window, mean_color(frame))
    gray = np.repeat(mask[..., None].astype(np.uint8) * 255, 3, axis=2)
    truth = cut(gray, window)[..., 0].astype(np.float32) / 255
    return patch, size, truth


def jittered(box: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Move the sides of a box as a tracker's are off; one in four stays nearly as it is."""
    spread = 0.02 if rng.random() < 0.25 else 0.09
    left, top, width, height = box
    cx = left + width / 2 + spread * width * rng.normal()
    cy = top + height / 2 + spread * height * rng.normal()
    width, height = (box[2:] * np.exp(1.2 * spread * rng.normal(size=2))).tolist()
    return np.array([cx - width / 2, cy - height / 2, width, height])


def recolored(patch: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change brightness, contrast and color; at times make it gray, blurred or noisy."""
    value = patch.astype(np.float32)
    if rng.random() < 0.1:
        value[:] = value.mean(axis=2, keepdims=True)
    gain = np.exp(0.2 * rng.normal()) * np.exp(0.06 * rng.normal(size=3))
    value = (value - value.mean()) * gain + value.mean() + 18 * rng.normal()
    if rng.random() < 0.15:
        value = cv2.GaussianBlur(value, (0, 0), float(rng.uniform(0.5, 1.6)))
    if rng.random() < 0.15:
        value += rng.normal(0, rng.uniform(2, 9), value.shape)
    return np.clip(value, 0, 255).astype(np.uint8)


@torch.no_grad()
def check(model: nn.Module, held: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> float:
    """Return the mean overlap of masks in patches that are held out."""
    model.eval()
    overlaps = []
    for first in range(0, len(held), 32):
        rows = held[first : first + 32]
        patches, sizes, masks = (
            torch.from_numpy(np.stack(part)) for part in zip(*rows, strict=True)
        )
        found, truth = model(patches, sizes) > 0, masks > 0.5
        shared, either = (found & truth).sum((1, 2)), (found | truth).sum((1, 2))
        overlaps += (shared / either.clamp(min=1)).tolist()
    return float(np.mean(overlaps))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("data/masks"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=2400)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--minutes", type=float, default=math.inf, help="end after so long")
    parser.add_argument("--seed", type=int, default=29)
    parser.add_argument("--start", type=Path, help="checkpoint to begin with")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.manual_seed(options.seed)
    options.out.mkdir(parents=True, exist_ok=True)

    # Data: samples to train on, and every patch in four that is held out
    samples = Samples(read_manifest(options.data / "train.jsonl"), options.seed)
    stills = [e for e in read_manifest(options.data / "test.jsonl") if e.source != "segtrack_test"]
    held = [sample_of(*loaded(entry), np.array(entry.box)) for entry in stills[::4]]
    print({len(group) for group in samples.groups}, len(held), flush=True)

    # Network: an encoder from ImageNet whose statistics stay, and a new decoder
    model = MaskNetwork().to(memory_format=torch.channels_last)
    load_imagenet(model.encoder)
    if options.start is not None:
        model.load_state_dict(torch.load(options.start, weights_only=True)["average"])
    learner = Learner(model, options.rate, slower=0.15, memory=0.98)

    began, losses = time.monotonic(), []
    for step in range(options.steps):
        # The rate rises, then falls along a cosine over the steps or the time, whichever is first
        done = max(step / options.steps, (time.monotonic() - began) / 60 / options.minutes)
        if done >= 1:
            break
        share = min(1.0, (step + 1) / 60) * (0.02 + 0.98 * (1 + math.cos(math.pi * done)) / 2)
        learner.ready()
        patches, sizes, truth = samples.batch(step, options.batch)
        loss = mask_loss(model(patches, sizes), truth)
        learner.step(loss, share)
        losses.append(loss.item())
        if (step + 1) % 100 == 0:
            learner.save(options.out)
            line = {
                "step": step + 1,
                "loss": round(float(np.mean(losses[-100:])), 4),
                "minutes": round((time.monotonic() - began) / 60, 2),
            }
            if (step + 1) % 400 == 0:
                shadow = MaskNetwork()
                shadow.load_state_dict(learner.average)
                line["overlap"] = round(check(shadow, held), 4)
            with (options.out / "metrics.jsonl").open("a") as log:
                log.write(json.dumps(line) + "\n")
    learner.save(options.out)
    model.load_state_dict(learner.average)
    print(f"overlap {check(model, held):.4f}, {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
