"""Measure what padding does to a response: the same weights with cropped and with padded units.

python docs/figures/padding.py
"""

from __future__ import annotations

import json

import cv2
import numpy as np
import onnx
import torch
from common import HERE, Picture, frames, panels, save, show
from onnx import numpy_helper
from torch import nn

from siamtrack.cli.demo import START
from siamtrack.models.network import Network, SiamFCConfig, build_network
from siamtrack.packages.card import model_folder
from siamtrack.tracking.crops import cut, square_window

TEMPLATE, SEARCH, STRIDE, REACH = 127, 255, 8, 64
SIDE = SEARCH + 2 * REACH
"""A square from which template and shifted search patches are cut, so that pixels stay the same."""
SHIFTS = range(-REACH, REACH + 1, STRIDE)
OBJECTS = 48


def network(padded: bool) -> Network:
    """`ciresnet22-slim` with the weights of its ONNX graph, in which batch norms are folded."""
    made = build_network(SiamFCConfig(width=0.25, padded=padded)).eval()
    graph = onnx.load(str(model_folder("ciresnet22-slim") / "template.onnx")).graph
    values = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    folded = [node for node in graph.node if node.op_type == "Conv"]
    layers = [m for m in made.backbone.modules() if isinstance(m, nn.Conv2d)]
    norms = [m for m in made.backbone.modules() if isinstance(m, nn.BatchNorm2d)]
    with torch.no_grad():
        for layer, norm, node in zip(layers, norms, folded, strict=True):
            layer.weight.copy_(torch.from_numpy(values[node.input[1]].copy()))
            norm.weight.fill_((norm.running_var[0] + norm.eps).sqrt())
            norm.bias.copy_(torch.from_numpy(values[node.input[2]].copy()))
    return made


def squares() -> list[Picture]:
    """Squares (SIDE, SIDE, 3) around places with texture, seeded."""
    rng, found = np.random.default_rng(0), []
    clip = list(frames(START, START + 60, 6).values())
    while len(found) < OBJECTS:
        frame = clip[rng.integers(len(clip))]
        height, width = frame.shape[:2]
        side = rng.uniform(40, 70)  # of the template window
        x, y = rng.uniform(0.3, 0.7) * width, rng.uniform(0.4, 0.6) * height
        square = cut(frame, square_window(x, y, side * SIDE / TEMPLATE, SIDE), (127, 127, 127))
        middle = square[REACH + 64 : -REACH - 64, REACH + 64 : -REACH - 64]
        if cv2.cvtColor(middle, cv2.COLOR_RGB2GRAY).std() > 30:
            found.append(square)
    return found


def tensor(picture: Picture) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].float()


def patch(square: Picture, shift: int) -> Picture:
    """The search patch in which the target is `shift` pixels right of the middle."""
    return square[REACH : REACH + SEARCH, REACH - shift : REACH - shift + SEARCH]


def another_view(square: Picture, rng: np.random.Generator) -> Picture:
    """The same place turned, scaled, lighter or darker, and noisy; its middle stays where it is."""
    turn = cv2.getRotationMatrix2D(
        ((SIDE - 1) / 2, (SIDE - 1) / 2), rng.uniform(-15, 15), rng.uniform(0.85, 1.15)
    )
    turned = cv2.warpAffine(square, turn, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT)
    noisy = turned * rng.uniform(0.7, 1.3) + rng.normal(0, 12, turned.shape)
    return noisy.clip(0, 255).astype(np.uint8)


def kernel(model: Network, square: Picture) -> torch.Tensor:
    first = (SIDE - TEMPLATE) // 2
    return model.embed(tensor(square[first : first + TEMPLATE, first : first + TEMPLATE]))


@torch.no_grad()
def measure(model: Network, given: list[Picture]) -> dict[str, np.ndarray]:
    """Response maps to shifted targets, to shifted other views, and to squares of other places."""
    rng = np.random.default_rng(1)
    same, other, strange = [], [], []
    for number, square in enumerate(given):
        own, view = kernel(model, square), another_view(square, rng)
        for source, maps in ((square, same), (view, other)):
            shifted = torch.cat([tensor(patch(source, shift)) for shift in SHIFTS])
            features = model.features(shifted)
            maps.append(torch.cat([model.head(own, f[None]) for f in features])[:, 0].numpy())
        for step in range(1, 9):
            far = patch(given[(number + 5 * step) % len(given)], 0)
            for flipped in (far, far[:, ::-1], far[::-1], far[::-1, ::-1]):
                strange.append(model.respond(own, tensor(flipped))[0, 0].numpy())
    return {"same": np.stack(same), "other": np.stack(other), "strange": np.stack(strange)}


def outermost(maps: np.ndarray) -> float:
    """Share of the maps (N, H, W) whose highest cell is at the border."""
    side, peaks = maps.shape[-1], maps.reshape(len(maps), -1).argmax(1)
    rows, columns = np.divmod(peaks, side)
    return float((np.isin(rows, (0, side - 1)) | np.isin(columns, (0, side - 1))).mean())


def main() -> None:
    torch.set_num_threads(1)
    shifts, given = np.array(SHIFTS), squares()
    inward = -np.sign(shifts)
    figure = panels(4, size=(2.5, 2.3))
    figures: dict[str, dict[str, list[float]]] = {}
    for number, (name, padded) in enumerate((("cropped", False), ("padded", True))):
        found = measure(network(padded), given)
        middle = found["same"].shape[-1] // 2
        true = middle + shifts // STRIDE
        own = found["same"][:, np.arange(len(shifts)), middle, true]
        change = 100 * (own / own[:, len(shifts) // 2, None] - 1).mean(0)
        error = (found["other"].max(2).argmax(-1) - true) * STRIDE
        strange = found["strange"]
        prior = strange.mean(0) - strange.mean()
        prior /= strange.std((1, 2)).mean()
        figures[name] = {
            "shift": shifts.tolist(),
            "change of the response at the target, percent": change.tolist(),
            "mean error of the peak towards the middle, px": (error * inward).mean(0).tolist(),
            "mean absolute error of the peak, px": abs(error).mean(0).tolist(),
            "median absolute error of the peak, px": np.median(abs(error), 0).tolist(),
            "mean response to strangers, least and most": [float(prior.min()), float(prior.max())],
            "share of peaks for strangers in the outermost ring": [outermost(strange)],
        }
        figure.axes[0].plot(shifts, change, marker=".", label=f"{name} units")
        figure.axes[1].plot(shifts, abs(error).mean(0), marker=".", label=f"{name} units")
        show(figure.axes[2 + number], prior, f"{name}: mean response to strangers", vmin=-1, vmax=1)
    for axes, title in zip(
        figure.axes, ("response at the target, change in %", "error of the peak, px"), strict=False
    ):
        axes.set_title(title, fontsize=8)
        axes.set_xlabel("shift of the target, px", fontsize=8)
        axes.tick_params(labelsize=7)
        axes.legend(fontsize=7)
    save(figure, "padding")
    rounded = {
        name: {key: np.round(row, 3).tolist() for key, row in values.items()}
        for name, values in figures.items()
    }
    (HERE / "padding.json").write_text(json.dumps(rounded, indent=1) + "\n")
    for name, values in figures.items():
        print(name)
        for key, row in values.items():
            print("   ", key, np.round(row, 2).tolist())


if __name__ == "__main__":
    main()
