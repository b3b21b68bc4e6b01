"""Label clips that have no boxes with a tracker, forwards and backwards; see README.md.

python benchmarks/pool/pseudo.py --clones DIR --teacher lightfc:FOLDER --out data/pool
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from build import summary
from clones import Clone, MissingError, Pixels
from cutting import Box, Picture, Thing, clipped, cut, some
from stills import stem
from videos import iou, jumped

from siamtrack.core.tracks import Tracker
from siamtrack.data.manifest import Entry, write_manifest
from siamtrack.evaluation import open_tracker

# "name owner/repository commit" and what the paths of its clips match
CLIPS: tuple[tuple[str, str], ...] = (
    ("panda_70m snap-research/Panda-70M 9afd40bc95", r"docs/assets/samples/.*\.mp4"),
    (
        "koala_36m KwaiVGI/Koala-36M 49b9478531",
        r"training_suitability_assessment/sample/video/.*\.mp4|videos/[^/]*\.mp4\.mp4",
    ),
    # Left out: a film of which OTB has a scene
    (
        "jhmdb rvk7895/EleAtt-RNN-for-Action-Classification 89a020ac24",
        r"JHMDB_video/ReCompress_Videos/(?!.*Matrix).*\.avi",
    ),
    ("vript mutonix/Vript 3dd89c7f9b", r"vriptor/.*\.mp4"),
    ("vggsound v-iashin/SpecVQGAN 33c601d6db", r"data/(vggsound|vas)/.*\.mp4"),
    ("vggsound_landscapes yzxing87/Seeing-and-Hearing 75cdbbc2e1", r"v2a/demo/source/.*\.mp4"),
    ("video_llama DAMO-NLP-SG/Video-LLaMA 64888c0a77", r"examples/.*\.mp4"),
    ("video_llava PKU-YuanGroup/Video-LLaVA 984e65bf8e", r"videollava/serve/examples/.*\.mp4"),
    (
        "ask_anything OpenGVLab/Ask-Anything 4dd8210b03",
        r"example/hitting_baseball\.mp4|video_chat/example/.*\.mp4"
        r"|video_chat_with_ChatGPT/images/(making_cake|playing_guitar)\.mp4",
    ),
    ("intel_samples intel-iot-devkit/sample-videos 5797889082", r".*\.(mp4|mkv)"),
    # Left out: bear and the paraglider, of DAVIS
    (
        "co_tracker facebookresearch/co-tracker 82e02e8029",
        r"gradio_demo/videos/(apple|backpack|cat|pillow|teddy)\.mp4",
    ),
    # Left out: black-swan, cow-walking and others that are, or may be, of DAVIS `val`
    (
        "vid2vid_zero baaivision/vid2vid-zero a3e41c0f15",
        r"data/(child-riding|lion-roaring|man-surfing|rabbit-watermelon)\.mp4",
    ),
)


@dataclass(frozen=True)
class Rules:
    """What is tried, and what is kept.

    Attributes:
        frames: Frames of a shot that are looked at.
        pace: Frames a second that are looked at, about.
        shots: Shots of a clip.
        boxes: Proposed boxes in a shot.
        side: Length to which the longer side of a frame is reduced.
        same: Overlap with which the way back has to end where it began, and with which both ways
            have to agree in every frame that is kept.
        shortest: Frames of a track.
        largest: Share of the frame that a box covers at most.
        sure: Score of the tracker, on average of a way.
    """

    frames: int = 24
    pace: float = 8.0
    shots: int = 2
    boxes: int = 2
    side: int = 960
    same: float = 0.7
    shortest: int = 8
    largest: float = 0.5
    sure: float = 0.55


def shots(video: bytes, rules: Rules) -> Iterator[list[tuple[int, Pixels]]]:
    """Yield number and pixels, blue first, of the frames of each shot, thinned out."""
    shot: list[tuple[int, Pixels]] = []
    before: Pixels | None = None
    found = 0
    with av.open(io.BytesIO(video)) as container:
        stream = container.streams.video[0]
        step = max(1, round(float(stream.average_rate or 25) / rules.pace))
        for number, frame in enumerate(container.decode(stream)):
            if number % step:
                continue
            scale = min(1.0, rules.side / max(frame.width, frame.height))
            size = {"width": int(frame.width * scale), "height": int(frame.height * scale)}
            pixels = frame.reformat(format="bgr24", **size).to_ndarray()
            small = cv2.resize(pixels, (64, 36), interpolation=cv2.INTER_AREA)
            # A cut changes the picture as a whole; a full shot ends as well
            cuts = before is not None and cv2.absdiff(small, before).mean() > 30
            before = small
            if cuts or len(shot) == rules.frames:
                if len(shot) >= rules.shortest:
                    yield shot
                    found += 1
                shot = []
                if found == rules.shots:
                    return
            shot.append((number, pixels))
    if len(shot) >= rules.shortest:
        yield shot


def moving(first: Pixels, second: Pixels, width: int = 320) -> tuple[Pixels, float]:
    """Return where the picture moves otherwise than as a whole, and the scale of that mask.

    The camera's motion is the similarity that fits the optical flow of most of the picture.

    Returns:
        Mask (H, W) of zeros and ones, so many pixels wide, and its size over that of the picture.
    """
    scale = width / first.shape[1]
    size = (width, max(32, round(first.shape[0] * scale)))
    a, b = (
        cv2.cvtColor(cv2.resize(each, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
        for each in (first, second)
    )
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(a, b, None)
    y, x = np.mgrid[: size[1], : size[0]].astype(np.float32)
    places = np.stack([x, y], axis=2)
    grid, went = (each[8:-8:8, 8:-8:8].reshape(-1, 2) for each in (places, places + flow))
    camera, _ = cv2.estimateAffinePartial2D(grid, went, ransacReprojThreshold=1.0)
    if camera is None:
        return np.zeros_like(a), scale
    rest = np.linalg.norm(places + flow - cv2.transform(places, camera), axis=2)
    mask = (rest > max(1.0, 0.4 * float(np.percentile(rest, 98)))).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8)), scale


def proposals(mask: Pixels, scale: float, most: int) -> list[Box]:
    """Return the boxes of the parts of a mask, largest first, unless two borders cut them off."""
    rows, columns = mask.shape
    _, _, parts, _ = cv2.connectedComponentsWithStats(mask)
    found: list[tuple[int, Box]] = []
    for left, top, width, height, area in parts[1:].tolist():
        cut_off = (left <= 1) + (top <= 1) + (left + width >= columns - 1)
        cut_off += top + height >= rows - 1
        if min(width, height) >= 8 and cut_off < 2 and area > 0.3 * width * height:
            found.append((area, (left / scale, top / scale, width / scale, height / scale)))
    return [box for _, box in sorted(found, reverse=True)[:most]]


def stands_out(mask: Pixels, scale: float, box: Box, filled: float = 0.35) -> bool:
    """Whether a box is full of what moves, and a ring about it far less: an object, not a part."""
    left, top, right, bottom = (
        round(value * scale) for value in (box[0], box[1], box[0] + box[2], box[1] + box[3])
    )
    x, y = max(2, (right - left) // 4), max(2, (bottom - top) // 4)
    near = mask[max(0, top - y) : bottom + y, max(0, left - x) : right + x]
    inside = mask[max(0, top) : bottom, max(0, left) : right]
    if not inside.size or near.size == inside.size:
        return False
    ring = (float(near.sum()) - float(inside.sum())) / (near.size - inside.size)
    return float(inside.mean()) > filled and ring < 0.4 * float(inside.mean())


def shows(pixels: Pixels, boxes: Mapping[int, Box], least: float = 12.0) -> bool:
    """Whether a box is no flat area, where optical flow is noise, and does not stay where it is."""
    start = boxes[0]
    left, top, right, bottom = (
        max(0, round(value))
        for value in (start[0], start[1], start[0] + start[2], start[1] + start[3])
    )
    gray = cv2.cvtColor(pixels[top:bottom, left:right], cv2.COLOR_BGR2GRAY)
    way = np.ptp(np.array(list(boxes.values())), axis=0).max() / np.sqrt(start[2] * start[3])
    return float(gray.std()) > least and float(way) > 0.1


def followed(tracker: Tracker, frames: Sequence[Pixels], box: Box, sure: float) -> list[Box] | None:
    """Return the box in each RGB frame, the first included; None if the tracker loses itself."""
    tracker.init(frames[0], box)
    boxes, scores = [box], []
    for frame in frames[1:]:
        seen = tracker.update(frame)
        left, top, width, height = (float(value) for value in seen.box)
        now = (left, top, width, height)
        if min(width, height) < 4 or jumped(boxes[-1], now, 1.0):
            return None
        boxes.append(now)
        scores.append(float(seen.score))
    return boxes if np.mean(scores) > sure else None


def round_trip(
    tracker: Tracker, frames: Sequence[Pixels], box: Box, rules: Rules
) -> dict[int, Box]:
    """Return the boxes on which the ways forwards and backwards agree; none if they do not meet.

    A proposal is seldom a whole object, and a tracker tends to widen or narrow it to one: where the
    way back ends near the proposal, but not on it, that box is tried once more.
    """
    for _ in range(2):
        there = followed(tracker, frames, box, rules.sure)
        back = there and followed(tracker, frames[::-1], there[-1], rules.sure)
        if not there or not back:
            return {}
        back = back[::-1]
        met = iou(there[0], back[0])
        if met > rules.same:
            height, width = frames[0].shape[:2]
            kept = {
                index: middle(a, b)
                for index, (a, b) in enumerate(zip(there, back, strict=True))
                if iou(a, b) > rules.same and a[2] * a[3] < rules.largest * width * height
            }
            return kept if len(kept) >= rules.shortest else {}
        if met < 0.3 or clipped(back[0], frames[0].shape[1], frames[0].shape[0]) is None:
            return {}
        box = back[0]
    return {}


def middle(a: Box, b: Box) -> Box:
    left, top, width, height = ((p + q) / 2 for p, q in zip(a, b, strict=True))
    return (left, top, width, height)


def labelled(video: bytes, name: str, tracker: Tracker, rules: Rules) -> Iterator[Picture]:
    """Yield the frames of a clip in which something was followed there and back."""
    for part, shot in enumerate(shots(video, rules)):
        seen = [cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB) for _, pixels in shot]
        things: dict[int, list[Thing]] = defaultdict(list)
        starts: list[Box] = []
        mask, scale = moving(shot[0][1], shot[1][1])
        for index, box in enumerate(proposals(mask, scale, rules.boxes)):
            found = round_trip(tracker, seen, box, rules)
            # Two proposals may end on one object
            start = found.get(0)
            if start is None or any(iou(start, each) > 0.5 for each in starts):
                continue
            if not stands_out(mask, scale, start) or not shows(shot[0][1], found):
                continue
            starts.append(start)
            for place, each in found.items():
                things[place].append(Thing(each, f"{name}/{part}_{index}", shot[place][0]))
        for place, held in sorted(things.items()):
            yield Picture(f"{name}/{shot[place][0]:05d}", shot[place][1], held)


def label(
    source: str, pattern: str, clones: Path, out: Path, tracker: Tracker, most: int
) -> list[Entry]:
    """Write crops and manifest of a source, and return its entries."""
    name, repository, commit = source.split()
    shutil.rmtree(out / name, ignore_errors=True)
    entries: list[Entry] = []
    with Clone(clones, repository, commit) as clone:
        paths = [path for path in clone.paths if re.fullmatch(pattern, path)]
        for path in some(paths, most):
            video = clone.read(path)
            if video is None:
                continue
            # Clips of two folders may have one name
            clip = "/".join([*path.split("/")[-2:-1], stem(path)])
            try:
                for picture in labelled(video, clip, tracker, Rules()):
                    entries += cut(picture, out, name)
            except av.error.FFmpegError as reason:
                print(f"warning: {path} left out: {reason}", flush=True)
    if entries:
        write_manifest(entries, out / f"{name}.jsonl")
    print(f"{summary(name, entries)} of {len(paths)} clips", flush=True)
    return entries


def main() -> None:
    names = [source.split()[0] for source, _ in CLIPS]
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clones", type=Path, required=True, help="folder of the clones")
    parser.add_argument("--out", type=Path, default=Path("data/pool"), help="folder of the pool")
    parser.add_argument("--teacher", required=True, help="a tracker, as in `siamtrack eval`")
    parser.add_argument("--most", type=int, default=10**6, help="clips of each source")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    options = parser.parse_args()
    out = options.out.resolve()
    cv2.setNumThreads(1)
    _, make = open_tracker(options.teacher, threads=1)
    tracker = make()
    for source, pattern in CLIPS:
        name = source.split()[0]
        if name not in options.only or (out / f"{name}.jsonl").is_file():
            continue
        try:
            label(source, pattern, options.clones, out, tracker, options.most)
        except MissingError as reason:
            print(f"warning: {name} left out: {reason}", flush=True)


if __name__ == "__main__":
    main()
