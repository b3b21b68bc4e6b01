"""Draw a rectangle and a mask as CVAT gets them back.

python docs/figures/cvat.py
"""

from __future__ import annotations

import numpy as np
from common import frames, save
from cvat_sdk.auto_annotation import TrackableShape
from cvat_sdk.masks import decode_mask, encode_mask
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from siamtrack.cli.demo import END, START, TARGETS
from siamtrack.interop.cvat import create

SHOWN = (0, 4, 45)


def main() -> None:
    """A rectangle on the sign, a mask on the cyclist."""
    clip = list(frames(START, END).values())
    height, width = clip[0].shape[:2]
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


if __name__ == "__main__":
    main()
