"""Blur a face, a number plate or anything else through a clip.

python examples/blur_target.py video.mp4 blurred.mp4 262 2 62 84 [first frame] [frame to stop at]
"""

import sys
from dataclasses import replace

import cv2
import numpy as np

import siamtrack
from siamtrack.sinks import open_sink

MARGIN = 0.15
"""Share of the box that is blurred around it: better too much than a chin left out."""


def blurred(image: np.ndarray, box: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    grown = box + np.array([-MARGIN, -MARGIN, 2 * MARGIN, 2 * MARGIN]) * np.tile(box[2:], 2)
    corners = np.array([*grown[:2], *grown[:2] + grown[2:]])
    left, top, right, bottom = np.clip(np.rint(corners), 0, [width, height] * 2).astype(int)
    result = image.copy()
    if right > left and bottom > top:
        part = result[top:bottom, left:right]
        small = cv2.resize(part, (6, 6), interpolation=cv2.INTER_AREA)  # cannot be undone
        part[:] = cv2.resize(small, part.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return result


def main(source: str, out: str, *numbers: str) -> None:
    box, span = [float(value) for value in numbers[:4]], [int(value) for value in numbers[4:]]
    start, end = (span + [0, None][len(span) :])[:2]
    unsure = []
    with open_sink(out, overwrite=True) as sink:
        for frame, track in siamtrack.track(source, box=box, start=start, end=end):
            picture = blurred(frame.image, track.box)
            sink.write(replace(frame, image=picture), [])
            if track.state is not siamtrack.TrackState.TRACKED:
                unsure.append(frame.index)
    print(f"wrote {out}; look at these frames yourself: {unsure or 'none'}")


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) > 6 else sys.exit(__doc__)
