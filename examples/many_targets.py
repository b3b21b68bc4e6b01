"""Follow several objects at once, add one later, correct one by a detector, drop one.

python examples/many_targets.py video.mp4

The boxes below are made up: put those of your clip, which `siamtrack track video.mp4 --ruler
first.png` helps to find.
"""

import sys

import siamtrack


def main(path: str) -> None:
    tracker = siamtrack.load()
    with siamtrack.open_video(path) as video:
        for frame in video:
            if frame.index == 0:
                tracker.add(frame.image, (60, 70, 40, 40))
                tracker.add(frame.image, (20, 20, 30, 30))
                continue
            # a detector's box, when there is one, tells where to look for target 0
            priors = {0: (65, 72, 40, 40)} if frame.index == 3 else {}
            tracks = tracker.update_all(frame.image, priors)
            if frame.index == 4:
                tracks.append(tracker.add(frame.image, (150, 90, 60, 30)))
            if frame.index == 6:
                tracker.remove(1)
            print(frame.index, [(t.id, t.state.value, t.box.round().tolist()) for t in tracks])


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) > 1 else sys.exit(__doc__)
