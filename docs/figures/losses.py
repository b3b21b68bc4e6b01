"""Draw what the losses cost.

python docs/figures/losses.py
"""

from __future__ import annotations

import numpy as np
import torch
from common import panels, save

from siamtrack.losses import LOSSES


def main() -> None:
    figure = panels(3, size=(2.6, 2.2))
    one, two, three = figure.axes

    distances = torch.linspace(0, 1.6, 161)
    loss = LOSSES["contrastive"](margin=1.0)
    for label, name in ((0, "same object"), (1, "another object")):
        costs = [float(loss(d[None], torch.tensor([label]))) for d in distances]
        one.plot(distances, costs, label=name)
    one.set(xlabel="distance D", ylabel="cost")
    one.set_title("contrastive, margin 1", fontsize=9)

    # an anchor in the origin, a positive at distance p, a negative at distance 1 on the other side
    loss = LOSSES["triplet"](margin=0.2, mining="all")
    found = []
    for positive in distances:
        points = torch.tensor([[0.0], [float(positive)], [-1.0]])
        found.append(float(loss(points, torch.tensor([0, 0, 1]))))
    two.plot(distances, found, color="tab:green")
    two.axvline(0.8, color="gray", linewidth=0.8, linestyle=":")
    two.set(xlabel="D(anchor, positive), D(anchor, negative) = 1")
    two.set_title("triplet, margin 0.2", fontsize=9)

    responses = torch.linspace(-4, 4, 161)
    loss = LOSSES["logistic"]()
    for label, name in ((1, "target cell"), (0, "background cell")):
        costs = [
            2 * float(loss(r.reshape(1, 1, 1, 1), torch.full((1, 1, 1, 1), label)))
            for r in responses
        ]
        three.plot(responses, costs, label=name)
    three.set(xlabel="response v", xticks=np.arange(-4, 5, 2))
    three.set_title("logistic", fontsize=9)
    for axes in (one, three):
        axes.legend(fontsize=7)
    save(figure, "losses")


if __name__ == "__main__":
    main()
