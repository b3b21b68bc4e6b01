"""Draw how well targets are held under generated shakes, without and with the camera's motion.

python benchmarks/shakes.py otb:data/OTB folder:data/wide --shake 0 0.02 0.05 --frames 60 \
    --out docs/figures/shakes.json
python docs/figures/shakes.py
"""

from __future__ import annotations

import json

import numpy as np
from common import HERE, save
from matplotlib.figure import Figure

TITLES = {
    "0": "as filmed",
    "0.02": "shaken by 2 % of the frame",
    "0.05": "shaken by 5 % of the frame",
}


def main() -> None:
    found = json.loads((HERE / "shakes.json").read_text(encoding="utf-8"))
    figure = Figure(figsize=(9, 3.1), layout="constrained")
    for axes, (shake, title) in zip(
        figure.subplots(1, 3, sharey=True), TITLES.items(), strict=True
    ):
        without, given = np.array(list(found[shake].values())).T
        axes.plot([0, 1], [0, 1], color="0.8", lw=1, zorder=0)
        axes.scatter(without, given, s=16, color="#245c4e", alpha=0.8, linewidths=0)
        axes.set_title(f"{title}: {without.mean():.3f} to {given.mean():.3f}", fontsize=8)
        axes.set_xlabel("IoU without", fontsize=8)
        axes.tick_params(labelsize=7)
        axes.set_aspect("equal")
    figure.axes[0].set_ylabel("IoU with --moving-camera", fontsize=8)
    save(figure, "shakes")


if __name__ == "__main__":
    main()
