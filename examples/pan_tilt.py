"""Turn a camera so that the target stays in the middle: its velocity, and a dead zone.

The motor keeps up with the velocity of the target, learned from the error that is left over, and
takes a share of the error away; in the dead zone it is noise of the box. The camera is a window
that moves over a wide clip, as a pan-tilt head moves a real one.

python examples/pan_tilt.py video.mp4 230 90 80 90 [first frame] [frame to stop at]
"""

import sys

import numpy as np

import siamtrack
from siamtrack.core.boxes import centers

GAIN, LEARN = 0.4, 0.15  # shares of the error that are taken away, and go into the velocity
DEAD = 0.02  # share of the picture in which an error is noise of the box
FASTEST = np.array([40.0, 20.0])  # pixels per frame that pan and tilt can do


class VirtualCamera:
    """Shows a window of (width, height) of a larger picture, with its corner at `place`."""

    def __init__(self, place: np.ndarray, size: tuple[int, int]) -> None:
        self.place, self.size = place.astype(float), np.array(size)

    def look(self, scene: np.ndarray) -> np.ndarray:
        (left, top), (width, height) = np.rint(self.place).astype(int), self.size
        return scene[top : top + height, left : left + width]

    def turn(self, speed: np.ndarray, scene: np.ndarray) -> None:
        limit = np.array(scene.shape[1::-1]) - self.size
        self.place = np.clip(self.place + np.clip(speed, -FASTEST, FASTEST), 0, limit)


def main(source: str, *numbers: str) -> None:
    box = np.array([float(value) for value in numbers[:4]])
    start, end = (int(value) for value in numbers[4:]) if numbers[4:] else (0, None)
    tracker, camera, velocity = siamtrack.load(), None, np.zeros(2)
    with siamtrack.open_video(source, start=start, end=end) as video:
        for frame in video:
            if camera is None:
                size = (frame.image.shape[1] // 3, frame.image.shape[0] * 2 // 3)
                camera = VirtualCamera(centers(box) - np.array(size) / 2 - [40, 0], size)
                camera.turn(np.zeros(2), frame.image)  # inside the picture
                box[:2] -= np.rint(camera.place)
            view = camera.look(frame.image)
            track = tracker.update(view) if tracker.ids else tracker.init(view, box)
            error = centers(track.box) - camera.size / 2  # right and down are positive
            ask = error - np.clip(
                error, -DEAD * camera.size, DEAD * camera.size
            )  # no jump at its edge
            there = track.state is not siamtrack.TrackState.LOST  # else stand still: do not guess
            velocity = there * np.clip(velocity + LEARN * ask, -FASTEST, FASTEST)
            camera.turn(velocity + there * GAIN * ask, frame.image)
            speed = f"{velocity[0]:+.0f} {velocity[1]:+.0f} px a frame, {track.state.value}"
            print(f"{frame.index}: pan {error[0]:+.0f} tilt {error[1]:+.0f} px, {speed}")


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) > 5 else sys.exit(__doc__)
