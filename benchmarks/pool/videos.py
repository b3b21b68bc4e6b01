"""Readers of annotated video: the same object in many frames."""

from __future__ import annotations

import io
import re
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

import av
import cv2
import numpy as np
from clones import Clone, MissingError, Pixels
from cutting import Box, Picture, Thing, evenly, from_corners
from stills import PARTS, original, stem

DAVIS_VAL = (
    *("blackswan", "bmx-trees", "breakdance", "camel", "car-roundabout", "car-shadow", "cows"),
    *("dance-twirl", "dog", "drift-chicane", "drift-straight", "goat", "horsejump-high"),
    *("kite-surf", "libby", "motocross-jump", "paragliding-launch", "parkour", "scooter-black"),
    "soapbox",
)


def mask_box(mask: Pixels, threshold: int = 127) -> Box | None:
    """Return the extent of what is bright in a mask; None if nothing is."""
    gray = mask if mask.ndim == 2 else mask[..., :3].max(axis=2)
    left, top, width, height = cv2.boundingRect((gray > threshold).astype(np.uint8))
    return (float(left), float(top), float(width), float(height)) if width else None


def davis(clone: Clone) -> Iterator[Picture]:
    """Yield every frame of the 30 training sequences of DAVIS 2016."""
    listed = clone.text("DAVIS/ImageSets/480p/train.txt")
    for path in clone.under("DAVIS/Annotations/480p", ".png"):
        sequence, frame = path.split("/")[-2], stem(path)
        if f"/{sequence}/" not in listed or sequence in DAVIS_VAL:
            continue
        mask = clone.image(path, cv2.IMREAD_UNCHANGED)
        box = None if mask is None else mask_box(mask)
        picture = clone.encoded(f"DAVIS/JPEGImages/480p/{sequence}/{frame}.jpg")
        if box is not None and picture is not None:
            yield Picture(f"{sequence}/{frame}", picture, [Thing(box, sequence, int(frame))])


def fod(clone: Clone, most: int = 60) -> Iterator[Picture]:
    """Yield FOD-A: files are numbered in the order of the clips, but clips have no names.

    A clip ends where the picture changes far more than around that place, and a track also where
    its box jumps; there are at most so many frames of a track.
    """
    starts = fod_starts(clone)
    tracks: list[list[tuple[int, Box, str]]] = []
    live: dict[tuple[str, str], list[tuple[int, Box, str]]] = {}
    for path in clone.under("Annotations", ".xml"):
        notes = clone.read(path)
        number = int(stem(path))
        if number in starts:
            live.clear()
        for node in () if notes is None else ET.fromstring(notes).iter("object"):
            sides = ("xmin", "ymin", "xmax", "ymax")
            box = from_corners(*(float(node.findtext(f"bndbox/{side}", "nan")) for side in sides))
            values = {n.findtext("name"): n.findtext("value", "") for n in node.iter("attribute")}
            key = (node.findtext("name", ""), values.get("track_id", ""))
            track = live.get(key)
            if track is None or number - track[-1][0] > 3 or jumped(track[-1][1], box):
                track = live[key] = []
                tracks.append(track)
            track.append((number, box, key[0]))
    frames: dict[int, list[Thing]] = defaultdict(list)
    for index, track in enumerate(tracks):
        for number, box, label in evenly(track, most):
            frames[number].append(Thing(box, f"{index:04d}", number, label.lower()))
    for number, things in sorted(frames.items()):
        picture = clone.encoded(f"JPEGImages/{number:06d}.jpg")
        if picture is not None:
            yield Picture(f"{number // 1000:02d}/{number:06d}", picture, things)


def fod_starts(clone: Clone, least: float = 8.0, factor: float = 3.0, around: int = 5) -> set[int]:
    """Return the numbers of the pictures that differ from the one before by so many gray levels,
    and by so many times what is usual around them.
    """
    paths = clone.under("JPEGImages", ".jpg")
    change, before = np.zeros(len(paths)), None
    for index, path in enumerate(paths):
        small = clone.image(path, cv2.IMREAD_REDUCED_GRAYSCALE_8)
        if small is not None and before is not None and small.shape == before.shape:
            change[index] = cv2.absdiff(small, before).mean()
        before = small
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(change, around), 2 * around + 1)
    cuts = (change > least) & (change > factor * np.median(windows, axis=1))
    return {int(stem(paths[index])) for index in np.flatnonzero(cuts)}


def drones(clone: Clone, every: int = 8, most: int = 25, least: float = 20.0) -> Iterator[Picture]:
    """Yield the visible videos of the drone set; a track is a stretch of frames with a box."""
    try:
        from mcos_decoder import load_groundtruth
    except ImportError as error:
        raise MissingError("its labels need `pip install mcos-decoder`") from error
    for path in clone.under("Data/Video_V", ".mp4"):
        video, notes = clone.read(path), clone.read(path.replace(".mp4", "_LABELS.mat"))
        if video is None or notes is None:
            continue
        with tempfile.NamedTemporaryFile(suffix=".mat") as file:
            file.write(notes)
            file.flush()
            rows = load_groundtruth(file.name)
        # MATLAB counts pixels from 1
        boxes = {
            frame: (row[0] - 1, row[1] - 1, row[2], row[3])
            for frame, row in enumerate(rows)
            if row is not None and row[2] * row[3] >= least**2
        }
        name, things = stem(path), {}
        for number, stretch in enumerate(stretches(boxes)):
            label = name.split("_")[1].lower()
            for frame in evenly(stretch[::every], most):
                things[frame] = [Thing(boxes[frame], f"{name}/{number}", frame, label)]
        for frame, pixels in frames_of(video, things):
            if snug(pixels, boxes[frame]):
                yield Picture(f"{name}/{frame:04d}", pixels, things[frame])


def snug(pixels: Pixels, box: Box, least: float = 0.45) -> bool:
    """Whether what differs from the sky fills a box; most boxes of the drones are far too large."""
    left, top, width, height = (round(value) for value in box)
    x, y = max(0, left - width // 2), max(0, top - height // 2)
    part = cv2.GaussianBlur(pixels[y : top + 3 * height // 2, x : left + 3 * width // 2], (3, 3), 0)
    around = np.ones(part.shape[:2], bool)
    around[max(0, top - y) : top - y + height + 1, max(0, left - x) : left - x + width + 1] = False
    if around.sum() < 20:
        return False
    sky = np.median(part[around], axis=0)
    change = np.abs(part.astype(np.float32) - sky).max(axis=2)
    seen = mask_box(change.astype(np.uint8), int(max(14, 2 * np.percentile(change[around], 90))))
    return seen is not None and iou((seen[0] + x, seen[1] + y, seen[2], seen[3]), box) > least


def stretches(boxes: Mapping[int, Box]) -> list[list[int]]:
    """Return the stretches of neighboring frames in which a box does not jump."""
    parts: list[list[int]] = []
    for frame in sorted(boxes):
        if parts and frame == parts[-1][-1] + 1 and not jumped(boxes[frame - 1], boxes[frame]):
            parts[-1].append(frame)
        else:
            parts.append([frame])
    return parts


def frames_of(video: bytes, wanted: Collection[int] | None = None) -> Iterator[tuple[int, Pixels]]:
    """Yield number and pixels, blue first, of the wanted frames of a video, by default of all."""
    with av.open(io.BytesIO(video)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if wanted is None or number in wanted:
                yield number, frame.to_ndarray(format="bgr24")


OUTLINED = ("BookStand", "MarkCupContour")
"""In the other seven clips the polygon follows the rim of a vessel, not the object."""


def salient(clone: Clone, every: int = 4) -> Iterator[Picture]:
    """Yield every fourth frame of the clips whose polygon outlines the object."""
    for clip in OUTLINED:
        lines = clone.text(f"GroundTruthByPolygons/{clip}_TrackingGroundTruth.txt").splitlines()
        for frame in range(0, len(lines), every):
            points = np.array(lines[frame].split()[1:], float).reshape(-1, 2)
            picture = clone.encoded(f"OriginalVideosAVI/{clip}/{frame + 1:04d}.jpg")
            if len(points) < 3 or picture is None:
                continue
            box = from_corners(*points.min(axis=0).tolist(), *points.max(axis=0).tolist())
            yield Picture(f"{clip}/{frame:04d}", picture, [Thing(box, clip, frame, clip.lower())])


def w_tracking(clone: Clone, every: int = 2) -> Iterator[Picture]:
    """Yield one person in three rooms' cameras; rows of zeros are absence."""
    for camera in (1, 2, 3):
        text = clone.text(f"annotations/Person1/boundingbox/gt_cam{camera}.txt")
        rows = [[float(value) for value in line.split()] for line in text.splitlines()]
        boxes: dict[int, Box] = {
            frame: (row[0], row[1], row[2], row[3])
            for frame, row in enumerate(rows)
            if len(row) == 4 and row[2] > 0
        }
        for number, stretch in enumerate(stretches(boxes)):
            for frame in stretch[::every]:
                picture = clone.encoded(f"ProcessedSeq/video{camera}/{frame + 1:04d}.jpg")
                if picture is not None:
                    thing = Thing(boxes[frame], f"{camera}/{number}", frame, "person")
                    yield Picture(f"{camera}/{frame:04d}", picture, [thing])


SEGTRACK = ("bird_of_paradise", "frog", "hummingbird", "parachute", "worm")
"""Left out: girl, monkey and monkeydog (held out), bmx and soldier (names that VOT has as well)."""
LATE = ("bird_of_paradise", "parachute")
"""Clips whose mask i belongs to frame i + 1."""


def segtrack(clone: Clone) -> Iterator[Picture]:
    """Yield clips of SegTrack v2; a second object has masks of its own."""
    for clip in SEGTRACK:
        things: dict[int, list[Thing]] = defaultdict(list)
        for number in ("", "2"):
            truth = f"Input/SegTrack2/Truth/{clip}{number}.mp4"
            masks = clone.read(truth) if truth in clone else None
            for index, mask in frames_of(masks) if masks is not None else ():
                box, frame = mask_box(mask), index + (clip in LATE)
                if box is not None:
                    things[frame].append(Thing(box, clip + number, frame, clip))
        video = clone.read(f"Input/SegTrack2/Video/{clip}.mp4")
        for frame, pixels in frames_of(video, things) if video is not None else ():
            yield Picture(f"{clip}/{frame:03d}", pixels, things[frame])


def schoolgirls(clone: Clone, least: int = 600, alike: float = 0.7) -> Iterator[Picture]:
    """Yield the parts of one mask for all persons while they stay apart.

    A part is a track as long as it overlaps itself; it ends where persons meet and it grows.
    """
    things: dict[int, list[Thing]] = defaultdict(list)
    live: list[tuple[str, Box]] = []
    for frame, path in enumerate(clone.under("examples/schoolgirls_mask", ".png")):
        mask = clone.image(path, cv2.IMREAD_GRAYSCALE)
        if mask is None:
            continue
        _, _, parts, _ = cv2.connectedComponentsWithStats((mask > 64).astype(np.uint8))
        now: list[tuple[str, Box]] = []
        for number, part in enumerate(parts[1:].tolist()):
            box = (float(part[0]), float(part[1]), float(part[2]), float(part[3]))
            if part[4] < least:
                continue
            same = [
                name
                for name, old in live
                if iou(old, box) > alike and 0.8 < box[2] * box[3] / (old[2] * old[3]) < 1.25
            ]
            name = same[0] if same else f"{frame}_{number}"
            now.append((name, box))
            things[frame].append(Thing(box, name, frame, "person"))
        live = now
    video = clone.read("examples/schoolgirls.mp4")
    for frame, pixels in frames_of(video, things) if video is not None else ():
        yield Picture(f"{frame:03d}", pixels, things[frame])


def iou(a: Box, b: Box) -> float:
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)


def mot17(clone: Clone, seen: float = 0.5) -> Iterator[Picture]:
    """Yield the pedestrians of the short MOT17 sequences that are at least half visible."""
    for path in clone.under("assets/MOT17-mini/train", "/gt/gt.txt"):
        folder, frames = path.removesuffix("/gt/gt.txt"), defaultdict(list)
        sequence = folder.rsplit("/", 1)[1]
        for line in clone.text(path).splitlines():
            row = [float(value) for value in line.split(",")]
            if row[6] == 1 and row[7] == 1 and row[8] >= seen:
                box = (row[2] - 1, row[3] - 1, row[4], row[5])
                track = f"{sequence}/{row[1]:.0f}"
                frames[int(row[0])].append(Thing(box, track, int(row[0]), "person"))
        for frame, things in sorted(frames.items()):
            picture = clone.encoded(f"{folder}/img1/{frame:06d}.jpg")
            if picture is not None:
                yield Picture(f"{sequence}/{frame:06d}", picture, things)


PLAYERS = ("player", "referee")


def football_tracks(clone: Clone, gap: int = 8) -> Iterator[Picture]:
    """Yield players of the plays, linked from frame to frame where there is no doubt.

    Files are named after play and frame. Some copies of a frame are mirrored: the one that is most
    like the chosen copy of the frame before is taken.
    """
    plays: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for part in PARTS:
        for path in clone.under(f"datasets/{part}/images", ".jpg"):
            if match := re.match(r"(Play-\d+[a-z]?)f(\d+)_jpg$", original(path)):
                plays[match[1]][int(match[2])].append(path)
    for play, frames in sorted(plays.items()):
        chosen: list[tuple[int, str, list[Thing]]] = []
        before: Pixels | None = None
        for frame, copies in sorted(frames.items()):
            small = [clone.image(path, cv2.IMREAD_REDUCED_GRAYSCALE_8) for path in copies]
            good = [index for index, each in enumerate(small) if each is not None]
            if not good:
                continue
            best = min(good, key=lambda index: _difference(small[index], before))
            before, path = small[best], copies[best]
            things = _players(clone, path, f"{play}/{frame}", frame)
            if chosen and frame - chosen[-1][0] <= gap:
                things = linked(chosen[-1][2], things)
            chosen.append((frame, path, things))
        counts = Counter(thing.track for _, _, things in chosen for thing in things)
        for frame, path, things in chosen:
            kept = [thing for thing in things if counts[thing.track] > 1]
            picture = clone.encoded(path) if kept else None
            if picture is not None:
                yield Picture(f"{play}/{frame:04d}", picture, kept)


def _difference(image: Pixels | None, before: Pixels | None) -> float:
    return 0.0 if image is None or before is None else float(cv2.absdiff(image, before).mean())


def _players(clone: Clone, path: str, track: str, frame: int, side: int = 640) -> list[Thing]:
    notes = path.replace("/images/", "/labels/").removesuffix(".jpg") + ".txt"
    things = []
    for number, line in enumerate((clone.read(notes) or b"").decode().splitlines()):
        kind, cx, cy, width, height = (float(value) for value in line.split()[:5])
        box = ((cx - width / 2) * side, (cy - height / 2) * side, width * side, height * side)
        things.append(Thing(box, f"{track}/{number}", frame, PLAYERS[int(kind)]))
    return things


def linked(
    before: list[Thing], now: list[Thing], same: float = 0.6, other: float = 0.2
) -> list[Thing]:
    """Return the objects of a frame, with the track of the one that they overlap and no other."""
    if not before or not now:
        return now
    overlaps = np.array([[iou(a.box, b.box) for b in now] for a in before])
    result = []
    for index, thing in enumerate(now):
        column = overlaps[:, index]
        old = int(column.argmax())
        rivals = np.append(np.delete(column, old), np.delete(overlaps[old], index))
        if column[old] >= same and np.max(rivals, initial=0) <= other:
            thing = replace(thing, track=before[old].track)
        result.append(thing)
    return result


def jumped(before: Box, now: Box, most: float = 1.5) -> bool:
    """Whether a box moved by more than so many of its sides, or changed its size twofold."""
    side, new = (float(np.sqrt(box[2] * box[3])) for box in (before, now))
    if not 0.5 < new / side < 2:
        return True
    dx = now[0] + now[2] / 2 - before[0] - before[2] / 2
    dy = now[1] + now[3] / 2 - before[1] - before[3] / 2
    return float(np.hypot(dx, dy)) > most * max(side, new)
