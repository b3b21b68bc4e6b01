"""Turn a camera so that the target stays in the middle: its velocity, and a dead zone.

The motor keeps up with the velocity of the target, learned from the error that is left over, and
takes a share of the error away; in the dead zone it is noise of the box. The camera is a window
that moves over a wide clip.

python examples/pan_tilt.py video.mp4 230 90 80 90 [first frame] [frame to stop at]
"""

import sys

import numpy as np

import siamtrack
from siamtrack.core.boxes import centers

GAIN, LEARN, DEAD = 0.4, 0.15, 0.02  # shares of the error; and of the picture: the dead zone
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
    box = np.array(numbers[:4], float)
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
            error = centers(track.box) - camera.size / 2
            ask = error - np.clip(error, -DEAD * camera.size, DEAD * camera.size)
            there = track.state is not siamtrack.TrackState.LOST  # else stand still: do not guess
            velocity = there * np.clip(velocity + LEARN * ask, -FASTEST, FASTEST)
            camera.turn(velocity + there * GAIN * ask, frame.image)
            said = "pan {:+.0f} tilt {:+.0f} px, {:+.0f} {:+.0f} px a frame, {}"
            print(f"{frame.index}:", said.format(*error, *velocity, track.state.value))


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) > 5 else sys.exit(__doc__)
