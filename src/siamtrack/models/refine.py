"""A Siamese network that measures anew the box a tracker found.

Both branches see a window around a box and are told the box. What the reference branch saw in the
first frame, the drawn box, is remembered cell by cell; in a later frame every cell asks the cells
that look like it whether they lay in the box, and where. So the drawn part of an object stays that
part, whatever stands out around it. As Yan et al., "Alpha-Refine", CVPR 2021,
https://arxiv.org/abs/2012.06815, it serves every tracker; what is known of cells travels as in Oh
et al., "Space-Time Memory Networks", ICCV 2019, https://arxiv.org/abs/1904.00607, and sides are
read from distributions as in Li et al., "Generalized Focal Loss", 2020,
https://arxiv.org/abs/2006.04388.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, pixel_shuffle

from siamtrack.models.masks import WIDTHS, Pyramid, inside

SIDE = 96
"""Side of a patch, in pixels."""
BINS = 48
"""Places along a patch at which a side may be."""
KEY = 32
"""Channels by which cells are compared."""
KNOWN = 3
"""What is remembered of a cell beside its key: how far inside the box, and where in it, x and y."""


NEAR = (SIDE // 8) ** 2
CELLS = NEAR + (SIDE // 16) ** 2
"""Cells of a frame that are remembered at stride 8, and at both strides."""


class RefineNetwork(Pyramid):
    """Finds the sides of the box that a reference shows, in a patch around about that box."""

    def __init__(self) -> None:
        # At strides 8 and 16 also what similar cells of the reference know, and how similar
        super().__init__(extra=(1, 1, 2 + KNOWN, 2 + KNOWN))
        self.keys = nn.ModuleList([nn.Conv2d(c, KEY, 1) for c in (40, self.encoder.channels)])
        self.sharpness = nn.Parameter(torch.tensor([10.0, 10.0]))
        self.last = nn.Conv2d(WIDTHS[0], 4, 1)
        self.sides = nn.Conv2d(WIDTHS[0], 8, 1)
        seen = self.encoder.channels + 2 * (KEY + KNOWN + 1)
        self.judge = nn.Sequential(nn.Linear(seen, 48), nn.ReLU(), nn.Linear(48, 1))

    def remember(self, patch: Tensor, size: Tensor) -> Tensor:
        """Map a reference to its cells (B, 180, 35): keys, inside, x and y; 144, then 36 cells.

        Args:
            patch: Windows around the drawn boxes, (B, 96, 96, 3), uint8 RGB.
            size: Width and height of the boxes as shares of the window's, (B, 2).
        """
        cells = []
        for feature, key in zip(self.features(patch)[2:], self.keys, strict=True):
            count = feature.shape[-1]
            place = (torch.arange(count, device=size.device) + 0.5) / count - 0.5
            x = (place / size[:, :1])[:, None, None, :].expand(-1, 1, count, -1)
            y = (place / size[:, 1:])[:, None, :, None].expand(-1, 1, -1, count)
            known = [normalize(key(feature), dim=1), inside(size, count), x, y]
            cells.append(torch.cat(known, 1).flatten(2).transpose(1, 2))
        return torch.cat(cells, 1)

    def compared(self, patch: Tensor, size: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Return the decoder's features (B, 24, 48, 48), and a logit (B,).

        The logit says whether the box holds what is remembered; it helps to train the keys.
        """
        # One or several frames are remembered, one behind the other
        frames = memory.reshape(memory.shape[0], -1, CELLS, KEY + KNOWN)
        near, far = frames[:, :, :NEAR].flatten(1, 2), frames[:, :, NEAR:].flatten(1, 2)
        told, seen = [], []
        for level, feature in enumerate(self.features(patch)):
            cells = feature.shape[-1]
            within = inside(size, cells)
            parts = [feature, within]
            if level >= 2:
                known = near if level == 2 else far
                query = normalize(self.keys[level - 2](feature), dim=1).flatten(2).transpose(1, 2)
                share = _shares(within.flatten(1))
                alike = query @ known[:, :, :KEY].transpose(1, 2)
                weights = (alike * self.sharpness[level - 2]).softmax(2)
                said = torch.cat([weights @ known[:, :, KEY:], alike.amax(2, keepdim=True)], 2)
                parts.append(said.transpose(1, 2).reshape(-1, KNOWN + 1, cells, cells))
                # What lies in both boxes, on the whole
                drawn = _shares(known[:, :, KEY]) @ known[:, :, :KEY]
                seen += [(share @ query - drawn).abs()[:, 0], (share @ said)[:, 0]]
            told.append(torch.cat(parts, 1))
        seen.append((share @ feature.flatten(2).transpose(1, 2))[:, 0])
        return self.decoded(told), self.judge(torch.cat(seen, 1))[:, 0]

    def distributions(self, y: Tensor) -> Tensor:
        """Map the decoder's features to logits of where the four sides are, (B, 4, 48)."""
        votes, gates = self.sides(y).chunk(2, 1)
        across = (votes[:, 0::2] * gates[:, 0::2].softmax(2)).sum(2)
        down = (votes[:, 1::2] * gates[:, 1::2].softmax(3)).sum(3)
        return torch.stack([across[:, 0], down[:, 0], across[:, 1], down[:, 1]], 1)

    def forward(self, patch: Tensor, size: Tensor, memory: Tensor) -> Tensor:
        """Return left, top, right, bottom (B, 4) in shares of the patch.

        Args:
            patch: Windows around boxes, (B, 96, 96, 3), uint8 RGB.
            size: Width and height of the boxes as shares of the window's, (B, 2).
            memory: From `remember`, of one frame or of several behind one another,
                (B or 1, 180 each, 35).
        """
        return expectation(self.distributions(self.compared(patch, size, memory)[0]))

    def mask(self, y: Tensor) -> Tensor:
        """Map the decoder's features to logits of the mask (B, 96, 96), which help to train it."""
        logits: Tensor = pixel_shuffle(self.last(y), 2)
        return logits[:, 0]


def _shares(within: Tensor) -> Tensor:
    """Turn how far cells lie inside a box (B, N), in [-1, 1], into weights (B, 1, N)."""
    weight = (within + 1) / 2
    return (weight / weight.sum(1, keepdim=True).clamp(min=1e-3))[:, None]


def expectation(logits: Tensor) -> Tensor:
    """Return the mean (B, 4) of places with logits (B, 4, 48), in shares of the patch."""
    places = (torch.arange(BINS, device=logits.device) + 0.5) / BINS
    return (logits.softmax(2) * places).sum(2)
