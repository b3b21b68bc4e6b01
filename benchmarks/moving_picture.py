"""Make the moving picture of the README from the demo's clip.

python benchmarks/moving_picture.py docs/demo.webp
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2

import siamtrack
from siamtrack.cli.demo import END, START, TARGETS, demo_clip
from siamtrack.sinks.draw import draw_tracks
from siamtrack.tracking.follow import follow


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="lite")
    parser.add_argument("--width", type=int, default=480)
    parser.add_argument("--every", type=int, default=2, help="take every so manieth frame")
    parser.add_argument("--quality", type=int, default=60)
    arguments = parser.parse_args()
    tracker = siamtrack.load(arguments.model, threads=2)
    pictures = []
    for frame, tracks in follow(demo_clip(), {START: TARGETS}, tracker, start=START, end=END):
        if (frame.index - START) % arguments.every == 0:
            picture = draw_tracks(frame.image, tracks)
            height = round(picture.shape[0] * arguments.width / picture.shape[1])
            small = cv2.resize(picture, (arguments.width, height), interpolation=cv2.INTER_AREA)
            pictures.append(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
    animation = cv2.Animation()
    animation.frames = pictures
    animation.durations = [40 * arguments.every] * len(pictures)
    settings = [cv2.IMWRITE_WEBP_QUALITY, arguments.quality]
    if not cv2.imwriteanimation(str(arguments.out), animation, settings):
        raise SystemExit(f"{arguments.out} cannot be written")
    print(f"{arguments.out}: {len(pictures)} pictures, {arguments.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
