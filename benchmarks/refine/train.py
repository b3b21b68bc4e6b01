"""Train the network that measures boxes anew; see README.md beside this file.

python benchmarks/refine/train.py --boxes data/pool.jsonl --masks data/masks/train.jsonl \
    --start benchmarks/masks/checkpoint.pt --out runs/refine
"""

from __future__ import annotations

import argparse
import json
import math
import queue
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, log_softmax, smooth_l1_loss

sys.path.insert(0, str(Path(__file__).parents[1] / "masks"))

from steps import Learner, mask_loss

from siamtrack.core.boxes import iou
from siamtrack.core.masks import read_segmentation
from siamtrack.data.cache import read_image
from siamtrack.data.manifest import Entry, read_manifest
from siamtrack.models.refine import BINS, RefineNetwork, expectation
from siamtrack.tracking.crops import cut, mean_color
from siamtrack.tracking.outline import outline_window

FACTORS = {
    "davis2016": 8.0,
    "segtrack": 4.0,
    "w_tracking": 2.0,
    "fod_a": 1.0,
    "jhmdb": 1.2,
    "panda_70m": 3.0,
    "drone_vs_bird": 2.0,
    "football_tracks": 0.5,
    "mot17_boxmot": 1.5,
    "voc_smsjb": 0.7,
    "football": 0.4,
    "caltech101": 0.5,
    "garbage": 0.4,
    "ecobin_waste": 0.4,
    "freiburg_groceries": 0.3,
    "playing_cards": 0.3,
    "imagenet_sample": 0.4,
    "fencing": 0.5,
    "gtea_gaze_plus": 0.5,
    "toys": 0.5,
    "salient_boundary": 0.5,
    "vggsound": 2.0,
    "koala_36m": 2.0,
    "ask_anything": 2.0,
    "schoolgirls": 1.0,
}
"""How often a source is drawn, times the square root of its size."""
VIDEO = 0.65
"""Share of pairs from two frames of a track."""
OTHERS = 0.18
"""Share of searches in which the box holds something else."""
FLOW = (21, 21)
"""Window of the optical flow that carries parts from frame to frame, in pixels."""


class Samples:
    """Draws references and searches: sample k is the same in every run."""

    def __init__(self, boxes: list[Entry], masks: list[Entry], seed: int) -> None:
        self.seed, self.masks = seed, masks
        tracks: dict[str, list[Entry]] = defaultdict(list)
        for entry in boxes:
            tracks[entry.track].append(entry)
        moving: dict[str, list[list[Entry]]] = defaultdict(list)
        still: dict[str, list[list[Entry]]] = defaultdict(list)
        for members in tracks.values():
            members.sort(key=lambda entry: entry.frame)
            (moving if len(members) > 1 else still)[members[0].source].append(members)
        self.moving, self.still = self._weighed(moving), self._weighed(still)
        stills: dict[str, list[Entry]] = defaultdict(list)
        for entry in masks:
            stills[entry.track].append(entry)
        self.tracks = {**stills, **tracks}
        self.kinds: dict[str, list[Entry]] = defaultdict(list)
        self.scenes: dict[str, list[Entry]] = defaultdict(list)
        for entry in boxes:
            self.kinds[entry.source].append(entry)
            self.scenes[entry.image].append(entry)
        self.outlined = [sorted(each, key=lambda entry: entry.frame) for each in stills.values()]

    def _weighed(
        self, groups: dict[str, list[list[Entry]]]
    ) -> tuple[list[list[list[Entry]]], np.ndarray]:
        names = sorted(groups)
        counts = np.array([sum(map(len, groups[name])) for name in names], float)
        share = np.sqrt(counts) * np.array([FACTORS.get(name, 1.0) for name in names])
        return [groups[name] for name in names], share / share.sum()

    def pair(self, rng: np.random.Generator) -> tuple[Entry, Entry, bool]:
        """Return reference and search, and whether they are from one moment."""
        if rng.random() < 0.3:
            members = self.outlined[rng.integers(len(self.outlined))]
            if len(members) == 1 and rng.random() < 0.3:  # clips have few tracks
                several = [each for each in self.outlined if len(each) > 1]
                members = several[rng.integers(len(several))]
        else:
            groups, share = self.moving if rng.random() < VIDEO else self.still
            group = groups[rng.choice(len(groups), p=share)]
            sizes = np.array([math.sqrt(len(members)) for members in group])
            members = group[rng.choice(len(group), p=sizes / sizes.sum())]
        first = int(rng.integers(len(members)))
        if len(members) == 1 or rng.random() < 0.05:
            return members[first], members[first], True
        # Partners up to 200 frames away, near ones more often; of two the one of other shape
        gap = math.exp(rng.uniform(0, math.log(200)))
        near = [k for k, entry in enumerate(members)
                if k != first and abs(entry.frame - members[first].frame) <= gap]  # fmt: skip
        if not near:
            near = [max(first - 1, 0) if first else 1]
        drawn = [near[rng.integers(len(near))] for _ in range(2)]
        shape = [abs(_change(members[first], members[k])) for k in drawn]
        other = drawn[int(np.argmax(shape))] if rng.random() < 0.6 else drawn[0]
        return members[first], members[other], False

    def sample(self, number: int) -> tuple[np.ndarray, ...]:
        rng = np.random.default_rng((self.seed, number))
        first, other, same = self.pair(rng)
        # A part or a surrounding of the object, as people draw them, here and a little later
        part = rng.random() < (0.5 if same else 0.4)
        later = self.near(first, 12, rng) if part and not same else None
        if later is not None:
            other = later
        beside = None
        if not (same or part):
            beside = self.near(other, 40, rng, besides=first, share=0.9)
        reference, search = read_image(first.image), read_image(other.image)
        before, truth = np.array(first.box, float), np.array(other.box, float)
        mask = None
        if other.mask is not None:
            mask = read_segmentation(other.mask, *search.shape[:2]).full()
        if part and (same or later is not None):
            drawn = part_of(before, rng)
            moved = drawn if same else carried(reference, search, drawn)
            if moved is not None:
                before, truth, mask = drawn, moved, None
        if same:
            search, truth, mask = warped(search, truth, mask, rng)
        patch, size, _ = seen(reference, sharp(before, rng))
        # A recent frame, with a box as good as the network finds it, is remembered too
        recent, extent = patch, size
        if beside is not None:
            place = loose(np.array(beside.box), rng)
            recent, extent, _ = seen(read_image(beside.image), place)
        elif same and rng.random() < 0.5:
            view, place, _ = warped(reference, before, None, rng)
            recent, extent, _ = seen(view, loose(place, rng))
        # At times the box holds something else: it is to be told from the target
        wrong = self.stranger(other, search, truth, rng) if rng.random() < OTHERS else None
        if wrong is not None:
            search, truth, mask = read_image(wrong[0].image), wrong[1], None
        searched, given, target, outline, known = searched_in(search, truth, mask, rng)
        if rng.random() < 0.5:
            patch, recent, searched = (each[:, ::-1] for each in (patch, recent, searched))
            outline = outline[:, ::-1]
            target = np.array([1 - target[2], target[1], 1 - target[0], target[3]])
        if rng.random() < 0.1:
            patch, recent, searched = (
                each.mean(2, keepdims=True).repeat(3, 2) for each in (patch, recent, searched)
            )
        return (
            np.stack([recolored(patch, rng, 0.5), recolored(recent, rng, 0.5)]),
            np.stack([size, extent]),
            recolored(searched, rng, 1.0),
            given,
            target.astype(np.float32),
            np.ascontiguousarray(outline),
            np.float32(known),
            np.float32(wrong is None),
        )

    def stranger(
        self, entry: Entry, frame: np.ndarray, truth: np.ndarray, rng: np.random.Generator
    ) -> tuple[Entry, np.ndarray] | None:
        """Draw a box that does not hold the target: beside it, or of another object."""
        kind = rng.random()
        strangers = [e for e in self.scenes.get(entry.image, []) if e.track != entry.track]
        if strangers and kind < 0.5:
            stranger = strangers[rng.integers(len(strangers))]
            box = np.array(stranger.box, float)
            return (stranger, box) if iou(box, truth) < 0.1 else None
        members = self.kinds.get(entry.source)
        if members and kind < 0.7:
            stranger = members[rng.integers(len(members))]
            if stranger.track != entry.track:
                return stranger, np.array(stranger.box, float)
        angle, far = rng.uniform(0, 2 * math.pi), rng.uniform(0.9, 2.5)
        step = far * truth[2:] * np.array([math.cos(angle), math.sin(angle)])
        box = np.concatenate([truth[:2] + step, truth[2:]])
        x, y = box[:2] + box[2:] / 2
        seen = 0 <= x < frame.shape[1] and 0 <= y < frame.shape[0]
        return (entry, box) if seen and iou(box, truth) < 0.1 else None

    def near(
        self,
        entry: Entry,
        frames: int,
        rng: np.random.Generator,
        besides: Entry | None = None,
        share: float = 1.0,
    ) -> Entry | None:
        """Draw another entry of the track, at most so many frames away; None if there is none.

        Also None in all but a share of the cases.
        """
        near = [
            e
            for e in self.tracks[entry.track]
            if e is not besides and 0 < abs(e.frame - entry.frame) <= frames
        ]
        if not near or (share < 1 and rng.random() >= share):
            return None
        return near[rng.integers(len(near))]

    def batch(self, step: int, count: int) -> list[Tensor]:
        rows = [self.sample(step * count + k) for k in range(count)]
        return [torch.from_numpy(np.stack(part)) for part in zip(*rows, strict=True)]


def _change(a: Entry, b: Entry) -> float:
    return math.log(max(a.box[2], 1) / max(a.box[3], 1)) - math.log(
        max(b.box[2], 1) / max(b.box[3], 1)
    )


def part_of(box: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a part of a box, at least a third of each side, or more than the box."""
    share = rng.uniform(0.35, 1.25, 2)
    place = box[:2] + (box[2:] - box[2:] * share) * rng.uniform(0, 1, 2)
    return np.concatenate([place, box[2:] * share])


def carried(first: np.ndarray, second: np.ndarray, box: np.ndarray) -> np.ndarray | None:
    """Return where a part is in another frame, by the median flow of its points; None if unsure.

    Kalal et al., "Forward-Backward Error", ICPR 2010.
    """
    if first.shape != second.shape:
        return None
    grays = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (first, second)]
    x, y = (np.linspace(0.1, 0.9, 9) * box[2 + axis] + box[axis] for axis in (0, 1))
    points = np.stack(np.meshgrid(x, y), -1).reshape(-1, 1, 2).astype(np.float32)
    there, good, _ = cv2.calcOpticalFlowPyrLK(*grays, points, None, winSize=(15, 15), maxLevel=3)
    back, fine, _ = cv2.calcOpticalFlowPyrLK(
        *grays[::-1], there, None, winSize=(15, 15), maxLevel=3
    )
    off = np.linalg.norm((back - points)[:, 0], axis=1)
    kept = (good[:, 0] > 0) & (fine[:, 0] > 0) & (off < 0.05 * math.sqrt(box[2] * box[3]) + 0.5)
    if kept.sum() < 20:
        return None
    a, b = points[kept, 0], there[kept, 0]
    shift = np.median(b - a, axis=0)
    i, j = np.triu_indices(len(a), 8)
    far = np.abs(a[i] - a[j])
    zoom: list[float] = []
    for axis in (0, 1):
        wide = far[:, axis] > 0.3 * box[2 + axis]
        if wide.sum() < 10:
            return None
        ratio = (b[i, axis] - b[j, axis])[wide] / (a[i, axis] - a[j, axis])[wide]
        zoom.append(float(np.median(ratio)))
    if min(zoom) < 0.6 or max(zoom) > 1.6:
        return None
    middle = np.median(a, axis=0)
    center = middle + shift + (box[:2] + box[2:] / 2 - middle) * zoom
    size = box[2:] * zoom
    return np.concatenate([center - size / 2, size])


def warped(
    frame: np.ndarray, box: np.ndarray, mask: np.ndarray | None, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Stretch and turn a picture a little: the second view of what is seen once only."""
    if rng.random() < 0.3:
        return frame, box, mask
    angle = math.radians(6 * rng.normal())
    stretch = np.exp(0.15 * rng.normal(size=2))
    shear = 0.08 * rng.normal()
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    linear = turn @ np.array([[stretch[0], shear], [0, stretch[1]]])
    center = box[:2] + box[2:] / 2
    matrix = np.concatenate([linear, (center - linear @ center)[:, None]], 1)
    # Sides of an ellipse in the box, which fits objects better than the corners
    size = box[2:] @ np.diag([0.5, 0.5])
    half = np.sqrt(((linear * size) ** 2).sum(1))
    new = np.concatenate([center - half, 2 * half])
    rows, columns = frame.shape[:2]
    color = np.asarray(mean_color(frame), float).tolist()
    frame = cv2.warpAffine(frame, matrix, (columns, rows), borderValue=color)
    if mask is None:
        return frame, new, None
    turned = cv2.warpAffine(mask.astype(np.uint8), matrix, (columns, rows)) > 0
    y, x = np.nonzero(turned)
    if not len(x):
        return frame, new, None
    new = np.array([x.min(), y.min(), x.max() + 1 - x.min(), y.max() + 1 - y.min()], float)
    return frame, new, turned


def sharp(box: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Move the sides of a box as much as two people draw them differently."""
    return shifted(box, 0.015, rng)


def loose(box: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Move the sides of a box as far as those that the network measured are off."""
    return shifted(box, 0.02 if rng.random() < 0.6 else 0.06, rng)


def shifted(box: np.ndarray, much: float, rng: np.random.Generator) -> np.ndarray:
    """Move each side of a box by a normal share of the width or height."""
    sides = np.concatenate([box[:2], box[:2] + box[2:]])
    sides += much * rng.normal(size=4) * np.tile(box[2:], 2)
    return np.concatenate([sides[:2], np.maximum(sides[2:] - sides[:2], 2)])


def jittered(box: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a box as a tracker is off: mostly a little, at times by half its size."""
    kind = rng.random()
    move, grow = (0.02, 0.03) if kind < 0.2 else (0.08, 0.12) if kind < 0.75 else (0.14, 0.3)
    center = box[:2] + box[2:] / 2 + move * box[2:] * rng.normal(size=2)
    size = box[2:] * np.exp(0.7 * grow * rng.normal() + 0.7 * grow * rng.normal(size=2))
    return np.concatenate([center - size / 2, size])


def seen(frame: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray, object]:
    window, size = outline_window(box)
    return cut(frame, window, mean_color(frame)), size, window


def searched_in(
    frame: np.ndarray, truth: np.ndarray, mask: np.ndarray | None, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, bool]:
    """Return patch, size of the box given, sides of the true one, mask there, if it is known."""
    patch, size, window = seen(frame, jittered(truth, rng))
    left, top = window.cx - window.width / 2, window.cy - window.height / 2
    sides = np.concatenate([truth[:2], truth[:2] + truth[2:]])
    target = (sides - np.array([left, top] * 2)) / np.array([window.width, window.height] * 2)
    outline = np.zeros((96, 96), np.float32)
    if mask is not None:
        gray = np.repeat(mask[..., None].astype(np.uint8) * 255, 3, axis=2)
        outline = cut(gray, window)[..., 0].astype(np.float32) / 255
    return patch, size, target, outline, mask is not None


def recolored(patch: np.ndarray, rng: np.random.Generator, much: float) -> np.ndarray:
    """Change brightness, contrast and color; at times blur it or add noise."""
    value = patch.astype(np.float32)
    gain = np.exp(0.2 * much * rng.normal()) * np.exp(0.06 * much * rng.normal(size=3))
    value = (value - value.mean()) * gain + value.mean() + 15 * much * rng.normal()
    if rng.random() < 0.15:
        value = cv2.GaussianBlur(value, (0, 0), float(rng.uniform(0.5, 1.6)))
    if rng.random() < 0.1:
        value += rng.normal(0, rng.uniform(2, 9), value.shape)
    return np.clip(value, 0, 255).astype(np.uint8)


def overlap(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return IoU and generalized IoU (B,) of boxes left, top, right, bottom (B, 4)."""
    area_a = (a[:, 2] - a[:, 0]).clamp(min=0) * (a[:, 3] - a[:, 1]).clamp(min=0)
    area_b = (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])
    inner = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0)
    outer = torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])
    shared, hull = inner.prod(1), outer.clamp(min=1e-6).prod(1)
    either = area_a + area_b - shared
    value = shared / either.clamp(min=1e-9)
    return value, value - (hull - either) / hull


def loss_of(model: RefineNetwork, batch: list[Tensor]) -> tuple[Tensor, dict[str, float]]:
    reference, size, searched, given, target, outline, known, same = batch
    # Cells of the first frame and of the recent one, side by side
    memory = model.remember(reference.flatten(0, 1), size.flatten(0, 1))
    y, judged = model.compared(
        searched, given, memory.unflatten(0, reference.shape[:2]).flatten(1, 2)
    )
    logits = model.distributions(y)
    mean = expectation(logits)
    # Distribution: the two places next to the true one share it. What lies outside is not asked.
    place = target.clamp(0.5 / BINS, 1 - 0.5 / BINS) * BINS - 0.5
    low = place.floor().clamp(0, BINS - 2)
    high = place - low
    chance = log_softmax(logits, 2)
    spoken = -(
        (1 - high) * chance.gather(2, low.long()[..., None])[..., 0]
        + high * chance.gather(2, low.long()[..., None] + 1)[..., 0]
    )
    visible = ((target > 0) & (target < 1)).float() * same[:, None]
    focal = (spoken * visible).sum() / visible.sum().clamp(min=1)
    inside = target.clamp(0.5 / BINS, 1 - 0.5 / BINS)
    shared, giou = overlap(mean, inside)
    sides = torch.cat([inside[:, 2:] - inside[:, :2]] * 2, 1).clamp(min=0.05)
    length = smooth_l1_loss(mean / sides, inside / sides, beta=0.05, reduction="none")
    length = (same[:, None] * length).mean()
    total = 0.4 * focal + 2 * (same * (1 - giou)).mean() + length
    total = total + 0.4 * binary_cross_entropy_with_logits(judged, same)
    chosen = known * same > 0
    if chosen.any():
        mask, truth = model.mask(y)[chosen], outline[chosen]
        total = total + chosen.float().mean() * mask_loss(mask, truth)
    before = torch.cat([0.5 - given / 2, 0.5 + given / 2], 1)
    share = same.sum().clamp(min=1)
    return total, {
        "iou": ((same * shared).sum() / share).item(),
        "given": ((same * overlap(before, inside)[0]).sum() / share).item(),
        "right": ((judged > 0) == (same > 0)).float().mean().item(),
    }


def started(model: RefineNetwork, path: Path) -> None:
    """Take the weights of the network of masks, or of a run before."""
    state = torch.load(path, weights_only=True)["average"]
    own = model.state_dict()
    for name, value in state.items():
        if name in own and own[name].shape == value.shape:
            own[name] = value.to(own[name].dtype)
        elif name in own:  # new inputs of the decoder begin at zero
            own[name] = torch.zeros_like(own[name])
            own[name][:, : value.shape[1]] = value
    model.load_state_dict(own)


def loaded(samples: Samples, begin: int, end: int, count: int) -> queue.Queue[list[Tensor]]:
    """Fill a queue of batches from a thread."""
    waiting: queue.Queue[list[Tensor]] = queue.Queue(4)

    def fill() -> None:
        for step in range(begin, end):
            waiting.put(samples.batch(step, count))

    threading.Thread(target=fill, daemon=True).start()
    return waiting


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--boxes", type=Path, required=True)
    parser.add_argument("--masks", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=20000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--minutes", type=float, default=math.inf, help="end after so long")
    parser.add_argument(
        "--cooldown", type=float, default=0.35, help="share in which the rate falls"
    )
    parser.add_argument("--seed", type=int, default=31)
    parser.add_argument("--start", type=Path, required=True, help="checkpoint to begin with")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.manual_seed(options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    boxes = [e for e in read_manifest(options.boxes) if min(e.box[2:]) >= 8]
    samples = Samples(boxes, read_manifest(options.masks), options.seed)
    model = RefineNetwork().to(memory_format=torch.channels_last)
    started(model, options.start)
    learner = Learner(model, options.rate, slower=0.2, memory=0.995)
    waiting = loaded(samples, 0, options.steps, options.batch)
    began, recent = time.monotonic(), defaultdict(list)
    for step in range(options.steps):
        # The rate rises, stays, and falls at last, by steps or by time, whichever ends first
        done = max(step / options.steps, (time.monotonic() - began) / 60 / options.minutes)
        if done >= 1:
            break
        share = min(1.0, (step + 1) / 100) * min(1.0, 0.02 + (1 - done) / options.cooldown)
        learner.ready()
        loss, figures = loss_of(model, waiting.get())
        learner.step(loss, share)
        for name, value in {"loss": loss.item(), **figures}.items():
            recent[name].append(value)
        if (step + 1) % 100 == 0:
            learner.save(options.out)
            line = {"step": step + 1, "minutes": round((time.monotonic() - began) / 60, 2)}
            line |= {name: round(float(np.mean(values)), 4) for name, values in recent.items()}
            recent.clear()
            with (options.out / "metrics.jsonl").open("a") as log:
                log.write(json.dumps(line) + "\n")
    learner.save(options.out)


if __name__ == "__main__":
    main()
