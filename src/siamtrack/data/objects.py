"""Views of objects for metric learning: is this the same object, or another one?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from siamtrack.data.cache import read_image
from siamtrack.data.manifest import Pool, read_manifest
from siamtrack.errors import DatasetError
from siamtrack.tracking.crops import Image, Window, cut, mean_color

Views = NDArray[np.uint8]


@dataclass(frozen=True)
class ObjectViews:
    """Objects that were each seen at least twice: their views (V, S, S, 3), uint8 RGB, and sources.

    Pairs of different objects come from one source, a data set, so that its style does not tell
    them apart.
    """

    views: tuple[Views, ...]
    sources: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.views) != len(self.sources) or len(self.views) < 2:
            raise DatasetError(
                f"{len(self.views)} objects with two views and {len(self.sources)} sources: "
                "expected at least two objects, each with a source"
            )
        if any(len(each) < 2 or each.shape[1:] != self.views[0].shape[1:] for each in self.views):
            raise DatasetError("expected at least two views of one shape (S, S, 3) of each object")
        if len(set(self.sources)) == len(self.sources):
            raise DatasetError("expected two objects of one source at least")

    def __len__(self) -> int:
        return len(self.views)

    def split(self, share: float = 0.3, seed: int = 0) -> tuple[ObjectViews, ObjectViews]:
        """Divide the objects, not the views: a `share` of each source is held back for the test.

        Raises:
            ValueError: If the share is not in (0, 1).
            DatasetError: If that leaves no two objects on either side.
        """
        if not 0 < share < 1:
            raise ValueError(f"share {share:g}: expected a number in (0, 1)")
        rng = np.random.default_rng(seed)
        held: set[int] = set()
        for source in sorted(set(self.sources)):
            members = [i for i, each in enumerate(self.sources) if each == source]
            held.update(rng.permutation(members)[: round(share * len(members))].tolist())
        rest = [i for i in range(len(self)) if i not in held]
        return self._subset(rest), self._subset(sorted(held))

    def pairs(self, count: int, rng: np.random.Generator) -> tuple[Views, Views, NDArray[np.int64]]:
        """Draw N pairs of views, every second one of the same object.

        Returns:
            First views (N, S, S, 3), second views (N, S, S, 3), and labels (N,) as the contrastive
            loss has them: 0 = same object, 1 = another one of the same source.
        """
        firsts, seconds = [], []
        labels = np.arange(count) % 2
        for label in labels:
            index = int(rng.integers(len(self)))
            rivals = self._rivals(index)
            while not rivals:  # alone in its source
                index = int(rng.integers(len(self)))
                rivals = self._rivals(index)
            a, b = rng.choice(len(self.views[index]), 2, replace=False)
            firsts.append(self.views[index][a])
            if label:
                other = self.views[rivals[int(rng.integers(len(rivals)))]]
                seconds.append(other[rng.integers(len(other))])
            else:
                seconds.append(self.views[index][b])
        return np.stack(firsts), np.stack(seconds), labels

    def batch(
        self, objects: int, views: int, rng: np.random.Generator
    ) -> tuple[Views, NDArray[np.int64]]:
        """Draw K views of P objects, for losses that mine in the batch.

        All objects if there are fewer than P; views repeat if an object has fewer than K.

        Returns:
            Views (P K, S, S, 3) and identities (P K,).
        """
        chosen = rng.choice(len(self), min(objects, len(self)), replace=False)
        crops = []
        for index in chosen:
            count = len(self.views[index])
            crops.append(self.views[index][rng.choice(count, views, replace=views > count)])
        return np.concatenate(crops), np.repeat(chosen, views)

    def _rivals(self, index: int) -> list[int]:
        source = self.sources[index]
        return [i for i, each in enumerate(self.sources) if each == source and i != index]

    def _subset(self, members: Sequence[int]) -> ObjectViews:
        return ObjectViews(
            tuple(self.views[i] for i in members), tuple(self.sources[i] for i in members)
        )


def manifest_views(path: str | Path, size: int = 63, most: int = 12) -> ObjectViews:
    """Cut the objects of a manifest that have a track of at least two frames, `most` views of each.

    The box is stretched to a square of `size` pixels without any context, so that it is the object
    that is compared and not what is behind it.

    Raises:
        DatasetError: If the manifest or an image cannot be read, or no two objects have tracks.
    """
    pool = Pool(read_manifest(path))
    views, sources = [], []
    for source, tracks in sorted(pool.videos.items()):
        for track in sorted(tracks):
            members = pool.by_track[track]
            spread = np.linspace(0, len(members) - 1, min(most, len(members))).round()
            crops = []
            for index in spread.astype(int):
                entry = pool.entries[members[index]]
                left, top, width, height = entry.box
                window = Window(left + width / 2, top + height / 2, width, height, size)
                image = read_image(entry.image)
                crops.append(cut(image, window, mean_color(image)))
            views.append(np.stack(crops))
            sources.append(source)
    return ObjectViews(tuple(views), tuple(sources))


def generated_views(
    objects: int = 100, views: int = 6, size: int = 63, seed: int = 0
) -> ObjectViews:
    """Make objects of colored blobs, each seen turned, scaled, lit and cut differently."""
    rng = np.random.default_rng(seed)
    made = [_blobs(rng, views, size) for _ in range(objects)]
    return ObjectViews(tuple(made), ("generated",) * objects)


def _blobs(rng: np.random.Generator, views: int, size: int) -> Views:
    small = rng.integers(0, 256, (5, 5, 3)).astype(np.uint8)
    picture = cv2.resize(small, (size, size), interpolation=cv2.INTER_CUBIC)
    crops: list[Image] = []
    for _ in range(views):
        middle = tuple(size / 2 + rng.uniform(-0.1, 0.1, 2) * size)
        matrix = cv2.getRotationMatrix2D(middle, rng.uniform(-40, 40), rng.uniform(0.8, 1.3))
        turned = cv2.warpAffine(picture, matrix, (size, size), borderMode=cv2.BORDER_REFLECT)
        light = turned * rng.uniform(0.5, 1.4) + rng.normal(0, 8, turned.shape)
        crops.append(np.clip(light, 0, 255).astype(np.uint8))
    return np.stack(crops)
