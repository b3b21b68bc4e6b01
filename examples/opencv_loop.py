"""A program written for OpenCV's trackers, with ours put in.

python examples/opencv_loop.py video.mp4 60 70 40 40
"""

import sys

import cv2

import siamtrack


def main(path: str, *box: str) -> None:
    tracker = siamtrack.OpenCVTracker(siamtrack.load())  # was: cv2.TrackerCSRT.create()
    video = cv2.VideoCapture(path)
    more, frame = video.read()
    if not more:
        sys.exit(f"{path} cannot be read")
    tracker.init(frame, tuple(int(v) for v in box))
    while True:
        more, frame = video.read()
        if not more:
            break
        ok, (x, y, w, h) = tracker.update(frame)
        print(f"{x:.0f} {y:.0f} {w:.0f} {h:.0f}" if ok else "lost")


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) > 5 else sys.exit(__doc__)
