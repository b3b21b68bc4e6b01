"""Do targets keep their identity where they cross and hide behind each other?

    python benchmarks/crossing.py [--clips 4] [--first 0] [--davis data/DAVIS]

Generated clips: textured figures with heads, torsos and legs in colors of their own walk across a
textured ground at walking pace, 25 frames a second. With `--davis`, the folder of DAVIS-2016
(Perazzi et al., CVPR 2016), people are cut out of its clips by their masks, frame by frame; they
step, turn and bend as they do there, in front of one of its scenes, behind a wall of another.

The target passes behind another walker, then stands behind a wall for three seconds while others
come by, and walks on. The detector is an ideal one with noise: it sees every figure of which at
least half is visible, misses one box in twenty, and moves each box by up to 4 % of its size.

For each clip: frames in which the target can be seen and the box is on it (IoU at least 0.4),
frames in which a box that is not reported lost is on another figure, and whether the target is held
in the last second.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

import siamtrack
from siamtrack.core.boxes import iou
from siamtrack.core.tracks import TrackState
from siamtrack.tracking.detections import associate
from siamtrack.tracking.identities import Identities

HEIGHT, WIDTH, FPS, BEHIND = 240, 426, 25, 75
FRAMES = 190
MIDDLE = 213
"""Where the wall stands behind which the target does."""
PEOPLE = ["dance-twirl", "hike", "lucia", "parkour", "rollerblade", "tennis"]
SCENES = ["blackswan", "bus", "camel", "car-roundabout", "car-shadow", "goat", "motorbike", "train"]
"""Clips of DAVIS-2016 with a person, and those whose first pictures are the scenes."""


def texture(rng: np.random.Generator, height: int, width: int, grain: int) -> np.ndarray:
    small = rng.integers(0, 255, (height // grain + 2, width // grain + 2, 3)).astype(np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def figure(rng: np.random.Generator, tall: int) -> tuple[np.ndarray, np.ndarray]:
    """A walker (H, W, 3) and where it is opaque (H, W)."""
    wide = round(0.42 * tall)
    picture, mask = np.zeros((tall, wide, 3), np.uint8), np.zeros((tall, wide), np.uint8)
    for part in range(3):  # head, torso, legs
        shape = np.zeros((tall, wide), np.uint8)
        if part == 0:
            cv2.circle(shape, (wide // 2, tall // 9), tall // 9, 255, -1)
        else:
            top, bottom = ((0.2, 0.58), (0.58, 1.0))[part - 1]
            side = (0.05, 0.2)[part - 1]
            first = round(side * wide), round(top * tall)
            last = round((1 - side) * wide), round(bottom * tall)
            cv2.rectangle(shape, first, last, 255, -1)
        color = rng.integers(30, 225, 3)
        fabric = texture(rng, tall, wide, 7).astype(float) * 0.35 + color * 0.65
        picture[shape > 0] = fabric.clip(0, 255).astype(np.uint8)[shape > 0]
        mask |= shape
    return picture, mask > 0


def people(davis: Path, name: str, tall: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """A person of DAVIS in all frames of a clip, forwards and backwards; `tall` in the median."""
    cut = []
    for place in sorted((davis / "Annotations/480p" / name).glob("*.png")):
        mask = cv2.imread(str(place), cv2.IMREAD_GRAYSCALE) > 127
        picture = cv2.imread(str(davis / "JPEGImages/480p" / name / f"{place.stem}.jpg"))[..., ::-1]
        if mask.sum() > 400:
            x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
            inside = slice(y, y + height), slice(x, x + width)
            cut.append((picture[inside], mask[inside]))
    scale = tall / float(np.median([mask.shape[0] for _, mask in cut]))
    sprites = []
    for picture, mask in cut:
        # one that comes nearer to the camera stays of about one size
        factor = np.clip(scale, 0.8 * tall / mask.shape[0], 1.25 * tall / mask.shape[0])
        size = tuple(max(3, round(factor * side)) for side in mask.shape[::-1])
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        opaque = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5
        sprites.append((small, opaque))
    return sprites + sprites[-2:0:-1]


def half_wall(width: float) -> int:
    """Half the width of a wall that hides a target of at most this width."""
    return round(width / 2) + 3


def scene(davis: Path, name: str, width: int, height: int) -> np.ndarray:
    """The first picture of a clip of DAVIS, cut to a size."""
    path = davis / "JPEGImages/480p" / name / "00000.jpg"
    picture = cv2.imread(str(path))[..., ::-1]
    scale = max(width / picture.shape[1], height / picture.shape[0])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return small[:height, :width].copy()


def clip(
    seed: int, davis: Path | None = None
) -> tuple[list[np.ndarray], np.ndarray, list[np.ndarray]]:
    """Frames, true boxes (figures, frames, 4), detections of each frame. The target is figure 0."""
    rng = np.random.default_rng(seed)
    ground = texture(rng, HEIGHT, WIDTH, 24) // 3 + 70
    board = texture(rng, HEIGHT, 46, 12) // 2 + 40
    talls = [96, 98, 92, 95]
    if davis is None:
        walkers = [[figure(rng, tall)] for tall in talls]
    else:
        names = rng.permutation(PEOPLE)[:4]
        walkers = [people(davis, name, tall) for name, tall in zip(names, talls, strict=True)]
        ground, behind = (scene(davis, n, WIDTH, HEIGHT) for n in rng.permutation(SCENES)[:2])
        board = behind
    half = half_wall(max(mask.shape[1] for _, mask in walkers[0]))
    wall = slice(MIDDLE - half, MIDDLE + half)
    time = np.arange(FRAMES)
    stop = 40 + BEHIND
    paths = [
        np.interp(time, [0, 40, stop, FRAMES], [60, MIDDLE, MIDDLE, MIDDLE + 175]),  # the target
        np.interp(time, [0, FRAMES], [150, -40]),  # meets it before the wall, in front of it
        np.interp(time, [0, 30, FRAMES], [430, 430, 60]),  # passes the wall while it is hidden
        np.interp(time, [0, 60, FRAMES], [440, 440, 230]),
    ]
    order = [0, None, 2, 3, 1]  # the target is behind the wall, others before it
    boxes = np.zeros((4, FRAMES, 4))
    frames, detections = [], []
    for index in range(FRAMES):
        picture, owner = ground.copy(), np.full((HEIGHT, WIDTH), -1)
        for number in order:
            if number is None:
                picture[:, wall] = board[:, : wall.stop - wall.start]
                owner[:, wall] = -1
                continue
            sprite, mask = walkers[number][index % len(walkers[number])]
            tall, wide = mask.shape
            sway = 1.5 * np.sin(index / 4 + number)
            left = round(paths[number][index] - wide / 2)
            top = round(118 + sway + 2 * number) + (talls[number] - tall)  # feet on the ground
            boxes[number, index] = left, top, wide, tall
            x1, x2 = max(left, 0), min(left + wide, WIDTH)
            if x2 <= x1:
                continue
            inside = slice(max(top, 0), min(top + tall, HEIGHT)), slice(x1, x2)
            rows, columns = (inside[0].start - top, inside[0].stop - top), (x1 - left, x2 - left)
            part = mask[rows[0] : rows[1], columns[0] : columns[1]]
            picture[inside][part] = sprite[rows[0] : rows[1], columns[0] : columns[1]][part]
            owner[inside][part] = number
        seen = []
        for number, walker in enumerate(walkers):
            mask = walker[index % len(walker)][1]
            visible = (owner == number).sum() / mask.sum()
            if visible >= 0.5 and rng.random() > 0.05:
                box = boxes[number, index]
                seen.append(box + rng.uniform(-0.04, 0.04, 4) * np.tile(box[2:], 2))
        light = 1 + 0.08 * np.sin(index / 30)
        noise = rng.normal(0, 4, picture.shape)
        frames.append((picture * light + noise).clip(0, 255).astype(np.uint8))
        detections.append(np.array(seen).reshape(-1, 4))
    return frames, boxes, detections


def run(frames: list, boxes: np.ndarray, detections: list, way: str) -> tuple[int, int, bool]:
    tracker = siamtrack.load(threads=1, redetect=way == "redetect")
    keeper = Identities(tracker)
    keeper.add(frames[0], boxes[0, 0])
    right = wrong = held = 0
    half = half_wall(boxes[0, :, 2].max())
    hidden = (np.abs(boxes[0, :, 0] + boxes[0, :, 2] / 2 - MIDDLE)) < half + 7
    track = None
    for index in range(1, len(frames)):
        if way == "identities":
            (track,) = keeper.update(frames[index], detections[index])
        elif way == "associate" and track is not None:
            priors, _ = associate([track], detections[index])
            track = tracker.update_all(frames[index], priors)[0]
        else:
            track = tracker.update(frames[index])
        if track.state is TrackState.LOST:
            continue
        overlaps = iou(track.box, boxes[:, index])
        on_it = overlaps[0] >= 0.4 and overlaps[0] == overlaps.max()
        right += bool(on_it and not hidden[index])
        wrong += bool(overlaps[1:].max() >= 0.4 and not on_it)
        held += bool(on_it and index >= len(frames) - FPS)
    return right, wrong, held >= FPS // 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--first", type=int, default=0, help="seed of the first clip")
    parser.add_argument("--picture", type=Path)
    ways = ["tracker", "redetect", "associate", "identities"]
    parser.add_argument("--ways", nargs="+", default=ways)
    parser.add_argument("--davis", type=Path, help="folder of DAVIS-2016, for its people")
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.clips)
    made = [clip(seed, options.davis) for seed in seeds]
    if options.picture:
        frames = made[0][0]
        row = np.concatenate([frames[i] for i in (0, 26, 80, 185)], axis=1)
        cv2.imwrite(str(options.picture), row[..., ::-1])
    print(f"{'':12} on the target, on another, kept to the end ({options.clips} clips)")
    for way in options.ways:
        found = [run(*each, way) for each in made]
        right, wrong = (sum(each[i] for each in found) for i in (0, 1))
        print(f"{way:12} {right:6} {wrong:6}    {sum(each[2] for each in found)} of {len(found)}")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
