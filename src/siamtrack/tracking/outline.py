"""Masks of targets: the network, the window around a box that it sees, and what it answers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from siamtrack.core.config import from_dict, parse_json
from siamtrack.core.files import bytes_of, text_of
from siamtrack.core.images import Image
from siamtrack.core.masks import Mask
from siamtrack.core.tracks import Track, TrackState
from siamtrack.errors import SiamtrackError, WeightsError
from siamtrack.runtimes.base import Floats
from siamtrack.runtimes.graph import Graph
from siamtrack.runtimes.onnx import open_graph
from siamtrack.tracking.crops import Window, cut, mean_color, spread

PACKAGED = Path(__file__).parents[1] / "pretrained" / "mask"
CARD, GRAPH = "mask.json", "mask.onnx"
"""Where the package has its network, and what a folder of one holds: one ONNX graph, and a card."""
SIDE = 96
"""Side of the patch and of the map, in pixels."""
RADIUS, SOFT = 3, 1e-4
"""Of the filter that refines: cells of the map on either side, and how little colors must differ
to be an edge (variance of shares of white)."""
MARGIN = 0.125
"""How far the window reaches beyond each side of a box, in sums of the box's width and height."""


@dataclass(frozen=True)
class MaskCard:
    """What is known of a network of masks; `mask.json` in its folder.

    Attributes:
        name: Name of these weights.
        summary: One sentence on what it is.
        sha256: Full hash of `mask.onnx`.
        license: License of the weights.
        trained_on: Data, and for how long.
        scores: Measured figures, and how they were measured.
    """

    name: str
    summary: str
    sha256: str
    license: str = ""
    trained_on: str = ""
    scores: dict[str, float] = field(default_factory=dict)


class Outliner:
    """Finds the pixels of the objects in boxes, of whatever kind they are.

    It holds no state of a target, so that many trackers share it; copies are the same one.

    Attributes:
        card: What is known of its network.
        folder: Where it was loaded from; None if it was put together by hand.
        fine: Whether masks are refined: the mirrored patch is seen as well, and outlines follow
            the colors of the frame at its own resolution.

    Example:
        >>> frame = np.full((80, 120, 3), 40, np.uint8)
        >>> frame[30:60, 40:80] = (220, 60, 60)
        >>> mask = load_outliner().outline(frame, [(40.0, 30.0, 40.0, 30.0)])[0]
        >>> mask.full().shape, mask.area > 600
        ((80, 120), True)
    """

    def __init__(
        self, graph: Graph, card: MaskCard, folder: Path | None = None, *, fine: bool = False
    ) -> None:
        self.card, self.folder, self.fine, self._graph = card, folder, fine, graph

    def outline(self, frame: Image, boxes: ArrayLike) -> list[Mask]:
        """Return the mask of each box (N, 4), ltwh, of a frame (H, W, 3), uint8 RGB.

        A box that is not finite, or has no width or height, gets an empty mask.
        """
        wanted = np.asarray(boxes, np.float64).reshape(-1, 4)
        shape = (frame.shape[0], frame.shape[1])
        masks = [Mask.of(np.zeros((0, 0)), shape=shape) for _ in wanted]
        good = np.isfinite(wanted).all(axis=1) & (wanted[:, 2:] > 0).all(axis=1)
        places = np.flatnonzero(good).tolist()
        if not places:
            return masks
        # Cut all windows, and run the network once
        seen = [outline_window(wanted[place]) for place in places]
        patches = np.empty((len(places), SIDE, SIDE, 3), np.uint8)
        border: ArrayLike = (0, 0, 0)
        if any(_reaches_beyond(window, shape) for window, _ in seen):
            border = mean_color(frame)  # of large frames it takes as long as the rest
        for (window, _), patch in zip(seen, patches, strict=True):
            cut(frame, window, border, out=patch)
        sizes = np.stack([size for _, size in seen])
        maps = self._maps(patches, sizes)
        for place, (window, _), logits, patch in zip(places, seen, maps, patches, strict=True):
            if self.fine:
                masks[place] = _refined(frame, window, patch, logits)
            else:
                values, offset = spread(logits, window, shape)
                masks[place] = Mask.of(values > 0, offset, shape)
        return masks

    def _maps(self, patches: NDArray[np.uint8], sizes: Floats) -> Floats:
        """Return the map (N, 96, 96) of each patch; of fine ones the mean with the mirrored one."""
        if not self.fine:
            return self._graph.run({"patch": patches, "size": sizes})["mask"]
        both = np.concatenate([patches, patches[:, :, ::-1]])
        maps = self._graph.run({"patch": both, "size": np.concatenate([sizes, sizes])})["mask"]
        return np.asarray((maps[: len(patches)] + maps[len(patches) :, :, ::-1]) / 2, np.float32)

    def with_masks(self, frame: Image, tracks: Sequence[Track]) -> list[Track]:
        """Return the tracks of a frame with masks; one that is lost has none."""
        there = [track for track in tracks if track.state is not TrackState.LOST]
        found = self.outline(frame, [track.box for track in there]) if there else []
        masks = dict(zip(map(id, there), found, strict=True))
        return [replace(track, mask=masks.get(id(track))) for track in tracks]

    def __copy__(self) -> Outliner:
        return self

    def __deepcopy__(self, memo: object) -> Outliner:
        return self

    def __reduce__(self) -> tuple[Callable[..., Outliner], tuple[Path, int, bool]]:
        """Say how to load it again.

        Raises:
            TypeError: If it was not loaded from files.
        """
        if self.folder is None:
            raise TypeError("an outliner that was put together by hand cannot be loaded elsewhere")
        return load_outliner, (self.folder, 0, self.fine)


def _refined(frame: Image, window: Window, patch: Image, logits: Floats) -> Mask:
    """Return the mask of a window, its edges moved to those of the frame's colors.

    In the surroundings of each cell the map is a linear function of color; the function is found
    in the patch, and applied to the pixels of the frame: He and Sun, Fast Guided Filter,
    https://arxiv.org/abs/1505.00996
    """
    colors = patch.astype(np.float32) / 255
    share = np.asarray(1 / (1 + np.exp(-logits)), np.float32)
    mean, height = _blurred(colors), _blurred(share)
    pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    products = _blurred(np.stack([colors[..., i] * colors[..., j] for i, j in pairs], axis=-1))
    spreads = np.empty((SIDE, SIDE, 3, 3), np.float32)
    for place, (i, j) in enumerate(pairs):
        varied = products[..., place] - mean[..., i] * mean[..., j]
        spreads[..., i, j] = spreads[..., j, i] = varied
    spreads += SOFT * np.eye(3, dtype=np.float32)
    joint = _blurred(colors * share[..., None]) - mean * height[..., None]
    slopes = np.linalg.solve(spreads, joint[..., None])[..., 0]
    rest = height - (slopes * mean).sum(axis=-1)
    lines = np.dstack([_blurred(slopes), _blurred(rest)]).astype(np.float32)
    # Apply them to the pixels of the frame
    shape = (frame.shape[0], frame.shape[1])
    values, (left, top) = spread(lines, window, shape)
    if not values.size:
        return Mask.of(np.zeros((0, 0)), shape=shape)
    part = frame[top : top + values.shape[0], left : left + values.shape[1]]
    found = np.einsum("yxc,yxc->yx", values[..., :3], part.astype(np.float32)) / 255
    return Mask.of(found + values[..., 3] > 0.5, (left, top), shape)


def _blurred(values: NDArray[Any]) -> Floats:
    """Return means (H, W) or (H, W, C) of `values` over the cells around each."""
    side = 2 * RADIUS + 1
    return np.asarray(cv2.blur(values, (side, side)), np.float32).reshape(values.shape)


def _reaches_beyond(window: Window, shape: tuple[int, int]) -> bool:
    across, down = window.width / 2, window.height / 2
    inner = across <= window.cx <= shape[1] - across and down <= window.cy <= shape[0] - down
    return not inner


def read_mask_graph(folder: str | Path | None = None) -> tuple[MaskCard, bytes, Path]:
    """Return card, verified graph and folder, by default those of the package.

    Raises:
        WeightsError: If a file is missing, or the graph is not the one that the card describes.
    """
    place = PACKAGED if folder is None else Path(folder)
    if not place.is_dir() and place.name == PACKAGED.name:
        place = PACKAGED  # the package lies elsewhere on another machine
    try:
        card = from_dict(MaskCard, parse_json(text_of(place / CARD)))
        data = bytes_of(place / GRAPH)
    except (OSError, ValueError, TypeError, AttributeError, SiamtrackError) as error:
        raise WeightsError(
            f"{place} holds no network of masks ({error}): expected {CARD} and {GRAPH}"
        ) from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != card.sha256:
        raise WeightsError(
            f"{place / GRAPH} has sha256 {digest}, its card says {card.sha256}: the file was "
            "altered or damaged; install the package again"
        )
    return card, data, place


def load_outliner(
    folder: str | Path | None = None, threads: int = 0, fine: bool = False
) -> Outliner:
    """Load the network of the masks: that of the package, or another one in a folder.

    Args:
        folder: With `mask.json` and `mask.onnx`.
        threads: Threads of the engine; 0 lets it choose.
        fine: Whether masks are refined at the frame's resolution.

    Raises:
        WeightsError: If a file is missing, altered or damaged.
    """
    card, graph, place = read_mask_graph(folder)
    return Outliner(open_graph(graph, str(place / GRAPH), threads), card, place, fine=fine)


def outline_window(box: ArrayLike) -> tuple[Window, Floats]:
    """Return the window in which the mask of a box is looked for, and the box's share of it (2,).

    Each side of the box is a quarter of width plus height shorter than that of the window: long
    boxes are stretched less than to a square, and gain context where they are thin.

    Example:
        >>> window, size = outline_window((10.0, 20.0, 30.0, 90.0))
        >>> window.width, window.height, size.round(2).tolist()
        (60.0, 120.0, [0.5, 0.75])
    """
    left, top, width, height = np.asarray(box, np.float64).tolist()
    more = 2 * MARGIN * (width + height)
    window = Window(left + width / 2, top + height / 2, width + more, height + more, SIDE)
    size = np.array([width / window.width, height / window.height], np.float32)
    return window, size
