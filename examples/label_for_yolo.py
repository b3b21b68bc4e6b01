"""Draw one box, get a labeled data set: pictures and labels as YOLO trainers read them.

python examples/label_for_yolo.py video.mp4 dataset cyclist 398 52 118 218 [first] [stop] [stride]
"""

import sys
import tempfile
import zipfile
from pathlib import Path

import cv2

import siamtrack
from siamtrack.sinks import open_sink


def main(source: str, out: str, label: str, *numbers: str) -> None:
    box, span = [float(value) for value in numbers[:4]], [int(value) for value in numbers[4:]]
    start, end, stride = span + [0, None, 1][len(span) :]
    folder, kept, skipped = Path(out), 0, []
    if folder.exists():
        sys.exit(f"{folder} exists: give another folder, so that two data sets do not mix")
    (folder / "images" / "train").mkdir(parents=True)
    with tempfile.TemporaryDirectory() as temporary:
        labels = Path(temporary) / "labels.zip"
        with open_sink(labels, format="yolo") as sink:
            sink.labels[0] = label
            for frame, track in siamtrack.track(source, box=box, start=start, end=end):
                # a frame in which nobody knows where the target is would teach a wrong thing
                if track.state is not siamtrack.TrackState.TRACKED:
                    skipped.append(frame.index)
                elif (frame.index - start) % stride == 0:
                    name = folder / "images" / "train" / f"frame_{frame.index:06d}.jpg"
                    cv2.imwrite(str(name), frame.image[..., ::-1])
                    sink.write(frame, [track])
                    kept += 1
        with zipfile.ZipFile(labels) as file:
            file.extractall(folder)
    print(f"{kept} pictures in {folder}; {len(skipped)} frames were not sure: {skipped}")


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) > 7 else sys.exit(__doc__)
