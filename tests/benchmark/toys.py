"""A model with a scripted runtime, a clip in memory, and a tracker that writes down its turns."""

import time

import numpy as np

from siamtrack.benchmark.footage import Footage
from siamtrack.packages.card import Card, Model
from siamtrack.runtimes import Response
from tests.helpers import clip as pictures

SEARCH_SECONDS = 0.02


class Scripted:
    """Sees the target in the middle of every patch, after a fixed time for each patch."""

    def __init__(self):
        self.batches = []

    def embed(self, template, size):
        return np.ones((len(template), 4), np.float32)

    def respond(self, kernel, search):
        self.batches.append(len(search))
        time.sleep(SEARCH_SECONDS * len(search))
        score = np.zeros((len(search), 5, 5), np.float32)
        score[:, 2, 2] = 1.0
        distances = np.full((len(search), 4, 5, 5), 8.0, np.float32)
        return Response(score, distances, np.full(len(search), 2.0, np.float32))


def model():
    card = Card(name="toy", summary="", kind="box", template=33, search=65, stride=16, sha256={})
    return Model(card, Scripted())


def toy_clip(frames: int = 6) -> Footage:
    shown, boxes = pictures(frames)
    return Footage("toy", boxes[0], shown, lambda: iter(shown))


class Notes:
    """Writes `name:init` and `name:update` into a list that several share."""

    def __init__(self, name, log):
        self.name, self.log = name, log

    def init(self, frame, box):
        self.log.append(f"{self.name}:init")
        self.box = box

    def update(self, frame):
        self.log.append(f"{self.name}:update")
        time.sleep({"slow": 0.03}.get(self.name, 0.001))
        return self
