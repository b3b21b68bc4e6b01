"""Draw the key frames that Label Studio gets while passing traffic hides a cyclist.

python docs/figures/label-studio.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from common import frames, save
from matplotlib.figure import Figure

import siamtrack
from siamtrack.cli.demo import END, START, TARGETS
from siamtrack.interop.label_studio import Limits, follow_regions, read_layout, regions_of
from siamtrack.sinks import open_sink
from siamtrack.video import Frame

CONFIG = '<View><Video name="v" value="$v"/><VideoRectangle name="b" toName="v"/></View>'


def main() -> None:
    """One key frame is drawn in the first frame."""
    clip = list(frames(START, END).values())
    height, width = clip[0].shape[:2]
    left, top, wide, high = TARGETS[0]
    place = {"x": left / width, "width": wide / width, "y": top / height, "height": high / height}
    first = {"frame": 1, "enabled": True} | {name: 100 * part for name, part in place.items()}
    value = {"sequence": [first]}
    task = {"annotations": [{"result": [{"type": "videorectangle", "value": value}]}]}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        with open_sink(path, format="mp4") as sink:
            for index, picture in enumerate(clip):
                sink.write(Frame(index, index / 25, picture), [])
        tracker = siamtrack.load(threads=1, precision="float32")
        layout = read_layout(CONFIG)
        (found,), _ = follow_regions(path, regions_of(task, None), layout, tracker, Limits())
    sequence = found["value"]["sequence"]
    figure = Figure(figsize=(9, 2.0), layout="constrained")
    axes = figure.add_subplot()
    for kind, color, size in (("drawn", "tab:red", 60), ("tracked", "tab:blue", 14)):
        points = [key for key in sequence if (key["frame"] == 1) == (kind == "drawn")]
        xs, ys = [k["frame"] for k in points], [k["x"] + k["width"] / 2 for k in points]
        axes.scatter(xs, ys, s=size, color=color, label=f"{kind} key frame", zorder=3)
    ends = [key for key in sequence if not key["enabled"]]
    axes.scatter(
        [key["frame"] for key in ends],
        [key["x"] + key["width"] / 2 for key in ends],
        s=90,
        facecolors="none",
        edgecolors="black",
        label="enabled: false",
        zorder=4,
    )
    axes.set(xlabel="frame", ylabel="center, % of width", xlim=(0, len(clip) + 1))
    axes.legend(fontsize=8, loc="best")
    save(figure, "label-studio", quality=60)


if __name__ == "__main__":
    main()
