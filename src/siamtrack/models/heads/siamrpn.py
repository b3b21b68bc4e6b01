"""The heads of SiamRPN: scores and box offsets for every anchor at every cell.

The template's feature becomes two kernels, one for scores and one for boxes. In the first paper
(up-channel) a 3x3 convolution multiplies its channels, and each output of the head has a kernel of
its own; in the second (depth-wise) each channel is matched by itself, and a small network reads the
outputs, with about a tenth of the parameters.

Li et al., "High Performance Visual Tracking with Siamese Region Proposal Network", CVPR 2018,
https://doi.org/10.1109/CVPR.2018.00935; Li et al., "SiamRPN++", CVPR 2019,
https://arxiv.org/abs/1812.11703, whose section 3.3 averages heads on features of several depths.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from siamtrack.core.settings import SIAMRPN
from siamtrack.losses.boxes import rpn_loss
from siamtrack.models.correlation import depthwise_correlation, up_channel_correlation
from siamtrack.models.heads.anchors import RATIOS, anchor_boxes, anchor_shapes, assign
from siamtrack.models.heads.head import (
    HEADS,
    Head,
    Lesson,
    Objective,
    Pairs,
    Parts,
    Recipe,
    check_feature,
    refuse_loss,
    trained_as,
)

MOST = 4.0
"""A box is at most exp of this larger or smaller than its anchor."""


@trained_as("anchors")
class RPNHead(Head):
    """What both heads share: their anchors.

    Trackers read the boxes of all anchors; as the presence of the target they get the logit of the
    best one.

    Calls return scores (B, classes, K, H', W') and offsets (B, 4, K, H', W') for K anchors, see
    `anchors.decode`. With two classes the scores are logits of background and target for a softmax,
    with one class the logit of the target. H' is H - h + 1 for features of H and h cells.
    Features that do not fit raise `ValueError`.

    Args:
        stride: Stride of the backbone in pixels.
        ratios: Height by width of the anchors.
        scales: Sides of the anchors in strides.
        classes: Scores for each anchor, 1 or 2.
    """

    kind = "box"
    settings = SIAMRPN
    outputs = ("score", "distances", "presence", "features")

    shapes: Tensor

    def __init__(
        self, stride: int, ratios: Sequence[float], scales: Sequence[float], classes: int
    ) -> None:
        super().__init__()
        if classes not in (1, 2):
            raise ValueError(f"classes must be 1 or 2, got {classes}")
        self.stride = stride
        self.classes = classes
        self.register_buffer("shapes", anchor_shapes(stride, ratios, scales), persistent=False)
        self.count = len(self.shapes)  # a number also while the network is traced

    def anchors(self, count: int, patch: int) -> Tensor:
        """Return the anchors cxcywh (4, K, count, count) in pixels of a search patch's side."""
        return anchor_boxes(self.shapes, count, self.stride, patch)

    def answer(self, kernel: Tensor, search: Tensor) -> tuple[Tensor, ...]:
        """Return score (B, K, H, W) in [0, 1], distances (B, 4, K, H, W), pixels, presence (B,).

        The last is the search feature (B, C, H', W') as it is.
        """
        scores, offsets = self(kernel, search)
        logits = scores[:, -1] if self.classes == 1 else scores[:, 1] - scores[:, 0]
        # Boxes of all anchors, seen from the middle of their cells
        width, height = (self.shapes[None, :, side, None, None] for side in (0, 1))  # (1, K, 1, 1)
        x, y = offsets[:, 0] * width, offsets[:, 1] * height
        right = torch.exp(offsets[:, 2].clamp(-MOST, MOST)) * width / 2
        below = torch.exp(offsets[:, 3].clamp(-MOST, MOST)) * height / 2
        distances = torch.stack([right - x, below - y, right + x, below + y], 1)
        return torch.sigmoid(logits), distances, logits.amax((1, 2, 3)), search

    def objective(self, recipe: Recipe, stride: int, patch: int) -> Objective:
        """Return what learns scores and offsets of the anchors; see `rpn_loss`.

        Anchors with an IoU above 0.6 are target, below 0.3 background, the others do not count. The
        paper draws 16 target and 48 background anchors of each image; here all count, and the two
        classes one half each, which is the mean of such draws. Pairs without the target have
        background alone.

        Raises:
            ValueError: If the recipe names a loss.
        """
        refuse_loss(self, recipe)

        def learn(
            template: Tensor, search: Tensor, pairs: Pairs, lesson: Lesson | None = None
        ) -> Parts:
            kernel = self.pair_kernel(template, pairs.size, len(search))
            scores, offsets = self(kernel, search)
            if self.classes == 1:
                scores = torch.cat([torch.zeros_like(scores), scores], 1)
            anchors = self.anchors(scores.shape[-1], patch).to(scores)
            labels, targets = [], []
            for box, present in zip(pairs.boxes.to(scores), pairs.present, strict=True):
                there = bool(present > 0)
                center = (
                    torch.cat([box[:2] + box[2:] / 2, box[2:]]) if there else anchors[:, 0, 0, 0]
                )
                label, target = assign(center, anchors)
                labels.append(label if there else torch.zeros_like(label))
                targets.append(target)
            return rpn_loss(scores, offsets, torch.stack(labels), torch.stack(targets))

        return learn

    def _split(self, scores: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
        count, size = self.count, scores.shape[2:]
        return (
            scores.reshape(-1, self.classes, count, *size),
            offsets.reshape(-1, 4, count, *size),
        )


class UpChannelRPNHead(RPNHead):
    """The head of SiamRPN: one kernel for each score and offset.

    Args:
        channels: Channels of the backbone's features.
        template_cells: Cells along a side of the template feature, at least 3.
        stride: Stride of the backbone in pixels.
        hidden: Channels in which template and search are matched.
        ratios: Height by width of the anchors.
        scales: Sides of the anchors in strides.
        classes: Scores for each anchor, 1 or 2.
        scale: Factor of what the correlations give; 1 in the released models.

    Example:
        >>> head = UpChannelRPNHead(16, template_cells=5, stride=8, hidden=4)
        >>> kernel = head.kernel(torch.zeros(1, 16, 5, 5))
        >>> [tuple(x.shape) for x in head(kernel, torch.zeros(1, 16, 21, 21))]
        [(1, 2, 5, 17, 17), (1, 4, 5, 17, 17)]
    """

    def __init__(
        self,
        channels: int,
        template_cells: int,
        stride: int,
        hidden: int = 256,
        ratios: Sequence[float] = RATIOS,
        scales: Sequence[float] = (8.0,),
        classes: int = 2,
        scale: float = 1.0,
    ) -> None:
        super().__init__(stride, ratios, scales, classes)
        _check_cells(template_cells)
        self.channels, self.scale = channels, scale
        scores, offsets = classes * len(self.shapes), 4 * len(self.shapes)
        self.score_template = nn.Conv2d(channels, hidden * scores, 3)
        self.box_template = nn.Conv2d(channels, hidden * offsets, 3)
        self.score_search = nn.Conv2d(channels, hidden, 3)
        self.box_search = nn.Conv2d(channels, hidden, 3)
        self.box_adjust = nn.Conv2d(offsets, offsets, 1)

    def kernel(self, template: Tensor, size: Tensor | None = None) -> Tensor:
        """Map (B, channels, h, w) to the kernels (B, (classes + 4) K hidden, h - 2, w - 2).

        Raises:
            ValueError: If the features have other channels or less than 3x3 cells.
        """
        check_feature(template, self.channels, 3)
        return torch.cat([self.score_template(template), self.box_template(template)], 1)

    def forward(self, kernel: Tensor, search: Tensor) -> tuple[Tensor, Tensor]:
        """Match kernels with search features (B, channels, H, W); see `RPNHead`."""
        check_feature(search, self.channels, 3)
        cut = self.score_template.out_channels
        scores = up_channel_correlation(kernel[:, :cut], self.score_search(search))
        offsets = up_channel_correlation(kernel[:, cut:], self.box_search(search))
        return self._split(self.scale * scores, self.box_adjust(self.scale * offsets))


class DepthwiseRPNHead(RPNHead):
    """The head of SiamRPN++ on one feature: depth-wise correlation, then a small network.

    The arguments are those of `UpChannelRPNHead`.
    """

    def __init__(
        self,
        channels: int,
        template_cells: int,
        stride: int,
        hidden: int = 256,
        ratios: Sequence[float] = RATIOS,
        scales: Sequence[float] = (8.0,),
        classes: int = 2,
    ) -> None:
        super().__init__(stride, ratios, scales, classes)
        _check_cells(template_cells)
        self.channels = channels
        self.score_template = _conv_norm(channels, hidden, 3)
        self.score_search = _conv_norm(channels, hidden, 3)
        self.score = _reader(hidden, classes * len(self.shapes))
        self.box_template = _conv_norm(channels, hidden, 3)
        self.box_search = _conv_norm(channels, hidden, 3)
        self.box = _reader(hidden, 4 * len(self.shapes))

    def kernel(self, template: Tensor, size: Tensor | None = None) -> Tensor:
        """Map (B, channels, h, w) to the two kernels (B, 2 hidden, h - 2, w - 2).

        Raises:
            ValueError: If the features have other channels or less than 3x3 cells.
        """
        check_feature(template, self.channels, 3)
        return torch.cat([self.score_template(template), self.box_template(template)], 1)

    def forward(self, kernel: Tensor, search: Tensor) -> tuple[Tensor, Tensor]:
        """Match kernels with search features (B, channels, H, W); see `RPNHead`."""
        check_feature(search, self.channels, 3)
        features = torch.cat([self.score_search(search), self.box_search(search)], 1)
        matched = depthwise_correlation(kernel, features)
        scores, offsets = matched.chunk(2, 1)
        return self._split(self.score(scores), self.box(offsets))


class MultiRPNHead(RPNHead):
    """Necks that bring each depth to the same channels, then a `DepthwiseRPNHead` for each.

    Further arguments are those of `UpChannelRPNHead`; `channels` are those of all depths together.

    Args:
        splits: Channels of each depth, which lie side by side in the features; one depth if empty.
        center: Cells in the middle of the template feature that become the kernel.
        weighted: Learn how much each depth counts, of scores and of boxes; otherwise all alike.
    """

    def __init__(
        self,
        channels: int,
        template_cells: int,
        stride: int,
        splits: Sequence[int] = (),
        hidden: int = 256,
        center: int = 7,
        ratios: Sequence[float] = RATIOS,
        scales: Sequence[float] = (8.0,),
        weighted: bool = False,
    ) -> None:
        super().__init__(stride, ratios, scales, classes=2)
        self.channels = channels
        self.splits = list(splits) or [channels]
        if sum(self.splits) != channels:
            raise ValueError(f"splits {self.splits} do not add up to {channels} channels")
        if not 3 <= center <= template_cells:
            raise ValueError(f"center {center}: expected 3 <= center <= {template_cells} cells")
        self.center = center
        self.necks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(inputs, hidden, 1, bias=False), nn.BatchNorm2d(hidden))
            for inputs in self.splits
        )
        self.heads = nn.ModuleList(
            DepthwiseRPNHead(hidden, center, stride, hidden, ratios, scales) for _ in self.splits
        )
        self.weighted = weighted
        if weighted:
            self.score_weight = nn.Parameter(torch.ones(len(self.splits)))
            self.box_weight = nn.Parameter(torch.ones(len(self.splits)))

    def kernel(self, template: Tensor, size: Tensor | None = None) -> Tensor:
        """Map (B, channels, h, w) to kernels (B, depths * 2 hidden, center - 2, center - 2).

        Raises:
            ValueError: If the features have other channels or less cells than `center`.
        """
        check_feature(template, self.channels, self.center)
        y, x = ((side - self.center) // 2 for side in template.shape[2:])
        features = self._necks(template[..., y : y + self.center, x : x + self.center])
        # a ModuleList does not say what it holds
        kernels = [head.kernel(f) for head, f in zip(self.heads, features, strict=True)]  # type: ignore[operator]
        return torch.cat(kernels, 1)

    def forward(self, kernel: Tensor, search: Tensor) -> tuple[Tensor, Tensor]:
        """Match kernels with search features (B, channels, H, W); see `RPNHead`."""
        check_feature(search, self.channels, self.center)
        features, kernels = self._necks(search), kernel.chunk(len(self.heads), 1)
        outputs = [h(k, f) for h, k, f in zip(self.heads, kernels, features, strict=True)]
        scores, offsets = (torch.stack(each) for each in zip(*outputs, strict=True))
        if not self.weighted:
            return scores.mean(0), offsets.mean(0)
        shares = (torch.softmax(each, 0) for each in (self.score_weight, self.box_weight))
        score_share, box_share = (each[:, None, None, None, None, None] for each in shares)
        return (scores * score_share).sum(0), (offsets * box_share).sum(0)

    def _necks(self, features: Tensor) -> list[Tensor]:
        parts = torch.split(features, self.splits, dim=1)
        return [neck(part) for neck, part in zip(self.necks, parts, strict=True)]


def _check_cells(template_cells: int) -> None:
    if template_cells < 3:
        raise ValueError(
            f"the head's 3x3 convolutions need a template of at least 3x3 cells, got "
            f"{template_cells}x{template_cells}: choose another backbone or a larger template"
        )


def _conv_norm(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


def _reader(hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(*_conv_norm(hidden, hidden, 1), nn.Conv2d(hidden, outputs, 1))


@HEADS.register("siamrpn")
def siamrpn(channels: int, template_cells: int, stride: int, hidden: int = 256) -> UpChannelRPNHead:
    """The head of SiamRPN, whose scores and offsets are the means of the products in a correlation.

    Sums over thousands of products would start at hundreds, where no loss learns, and one step of
    training could multiply them by as much.
    """
    scale = 1 / (hidden * max(1, template_cells - 2) ** 2)
    return UpChannelRPNHead(channels, template_cells, stride, hidden, scale=scale)


HEADS.register("siamrpn_dw")(DepthwiseRPNHead)
HEADS.register("siamrpn_multi")(MultiRPNHead)
