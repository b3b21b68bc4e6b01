"""Follow one object through a video and print where it is.

python examples/track_video.py video.mp4 60 70 40 40
"""

import sys

import siamtrack


def main(path: str, *box: str) -> None:
    tracker = siamtrack.load()
    for frame, track in siamtrack.track(path, box=[float(v) for v in box], tracker=tracker):
        left, top, width, height = track.box
        print(f"{frame.index}: {left:.1f} {top:.1f} {width:.1f} {height:.1f} {track.state.value}")


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) > 5 else sys.exit(__doc__)
