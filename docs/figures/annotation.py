"""Draw what annotation tools get back: shapes of CVAT, key frames of Label Studio.

python docs/figures/annotation.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from common import frames, save
from cvat_sdk.auto_annotation import TrackableShape
from cvat_sdk.masks import decode_mask, encode_mask
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from siamtrack.cli.demo import END, START, TARGETS
from siamtrack.interop.cvat import create
from siamtrack.interop.label_studio import Limits, follow_regions, read_layout, regions_of
from siamtrack.sinks import open_sink
from siamtrack.tracking.tracker import SiamTracker
from siamtrack.video import Frame

SHOWN = (0, 4, 45)
CONFIG = '<View><Video name="v" value="$v"/><VideoRectangle name="b" toName="v"/></View>'


def main() -> None:
    clip = list(frames(START, END).values())
    height, width = clip[0].shape[:2]
    shapes(clip, height, width)
    keys(clip, height, width)


def shapes(clip: list, height: int, width: int) -> None:
    """A rectangle on the sign, a mask on the cyclist."""
    function = create(threads=1, precision="float32")
    left, top, wide, high = TARGETS[1]
    sign = TrackableShape(type="rectangle", points=[left, top, left + wide, top + high])
    left, top, wide, high = TARGETS[0]
    y, x = np.mgrid[:height, :width]
    inside = ((x - left) / wide * 2 - 1) ** 2 + ((y - top) / high * 2 - 1) ** 2 < 1
    drawn = [sign, TrackableShape(type="mask", points=encode_mask(inside))]
    image = function.preprocess_image(None, Image.fromarray(clip[0]))
    states = [function.init_tracking_state(None, image, shape) for shape in drawn]
    found = [drawn]
    for picture in clip[1 : SHOWN[-1] + 1]:
        image = function.preprocess_image(None, Image.fromarray(picture))
        found.append([function.track(None, image, state) for state in states])
    figure = Figure(figsize=(9, 2.4), layout="constrained")
    for axes, index in zip(figure.subplots(1, len(SHOWN)), SHOWN, strict=True):
        box, mask = found[index]
        picture = clip[index].copy()
        if mask is not None:
            pixels = decode_mask(mask.points, image_width=width, image_height=height)
            picture[pixels] = picture[pixels] // 2 + np.array([0, 110, 60], np.uint8)
        axes.imshow(picture)
        if box is not None:
            x1, y1, x2, y2 = box.points
            axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, color="yellow"))
        axes.set_title("drawn" if index == 0 else f"after {index} frames", fontsize=9)
        axes.set_axis_off()
    save(figure, "cvat", quality=60)


def keys(clip: list, height: int, width: int) -> None:
    """Two key frames are drawn, and passing traffic hides the cyclist between."""
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
        tracker = SiamTracker(create(threads=1, precision="float32").model)
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
