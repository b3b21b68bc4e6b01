"""Siamese networks: one backbone with one set of weights on both branches, and a head.

Signature Verification using a "Siamese" Time Delay Neural Network, Bromley et al., NIPS 1993;
Dimensionality Reduction by Learning an Invariant Mapping, Hadsell et al., CVPR 2006,
https://doi.org/10.1109/CVPR.2006.100; for tracking, Bertinetto et al. 2016,
https://arxiv.org/abs/1606.09549; deeper and wider, Zhang and Peng, CVPR 2019,
https://arxiv.org/abs/1901.01660
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from siamtrack.core.config import check_numbers
from siamtrack.losses.metric import euclidean
from siamtrack.models.backbones import BACKBONES, Backbone
from siamtrack.models.heads import HEADS, Head
from siamtrack.models.heads.head import Lesson, Objective, Pairs, Parts, Recipe, objective_of


@dataclass(frozen=True)
class NetworkConfig:
    """Structure of a network that tracks; its two forms have other defaults.

    Attributes:
        backbone: Registered name of the backbone.
        width: Width multiplier of the backbone.
        template: Side of the template patch in pixels.
        search: Side of the search patch in pixels, in the template's scale.
        head_width: Inner channels of a box head.
        head_depth: Blocks in each tower of a box head.
        head: Registered name of the head: `center`, to which the size of the template's box is
            given as numbers, `region`, to which it is given as a mask, `siamfc`, or that of a
            plug-in.
        dense: The blocks of a `region` head are full 3x3 convolutions; separable ones otherwise.
        folded: The batch norms of the backbone are folded into its convolutions, which then have
            biases: the same network, and nearly twice as fast to train on a CPU.
        padded: Whether the residual units pad instead of crop, to compare with: what SiamDW argues
            against. Backbones that have no such choice refuse it.
    """

    backbone: str = "mobile"
    width: float = 1.0
    template: int = 129
    search: int = 257
    head_width: int = 96
    head_depth: int = 3
    head: str = "center"
    dense: bool = False
    folded: bool = False
    padded: bool = False

    def __post_init__(self) -> None:
        check_numbers(
            self,
            template=(33, 1024),
            search=(33, 2048),
            width=(0.01, 4),
            head_width=(8, 1024),
            head_depth=(1, 16),
        )
        if self.search < self.template:
            raise ValueError(
                f"template {self.template} and search {self.search}: the search patch must not be "
                "the smaller one"
            )
        if self.head == "centre":  # version 0.1
            object.__setattr__(self, "head", "center")


@dataclass(frozen=True)
class BoxTrackerConfig(NetworkConfig):
    """A box head on the mobile backbone, unless it says otherwise.

    Attributes:
        kind: Tells this form from the other in JSON.
    """

    kind: Literal["box"] = "box"


@dataclass(frozen=True)
class SiamFCConfig(NetworkConfig):
    """SiamFC on CIResNet-22, unless it says otherwise.

    Attributes:
        kind: Tells this form from the other in JSON.
    """

    backbone: str = "ciresnet22"
    template: int = 127
    search: int = 255
    head: str = "siamfc"
    kind: Literal["siamfc"] = "siamfc"


class Network(nn.Module):
    """Compare images by one number (`distance`), or at every place as the head does (`respond`).

    Args:
        backbone: G, the network shared by both branches.
        head: Turns template features into kernels and matches these with search features; needed
            by `respond` only.
        companion: A second head on the same backbone, which only training uses: it becomes a
            network of its own by `parted`.
        sides: Sides of template and search patches of a tracker, in pixels.
        normalized: Whether images are RGB in [0, 255], which the network maps to about [-1, 1], so
            that an exported graph takes plain pixels; otherwise the backbone gets them as they are.
        config: What it was built from, for those that `build_network` made.

    Example:
        >>> model = Network(BACKBONES["ciresnet22"](width=0.125), HEADS["siamfc"](64, 5, 8))
        >>> kernel = model.embed(torch.zeros(1, 3, 127, 127))
        >>> kernel.shape
        torch.Size([1, 64, 5, 5])
        >>> model.respond(kernel, torch.zeros(1, 3, 255, 255)).shape
        torch.Size([1, 1, 17, 17])
    """

    def __init__(
        self,
        backbone: Backbone,
        head: Head | None = None,
        *,
        companion: Head | None = None,
        sides: tuple[int, int] = (127, 255),
        normalized: bool = False,
        config: NetworkConfig | None = None,
    ) -> None:
        super().__init__()
        self.backbone, self.head, self.companion = backbone, head, companion
        self.sides, self.normalized, self.config = sides, normalized, config

    def normalize(self, images: Tensor) -> Tensor:
        """Map images to what the backbone takes."""
        return (images - 127.0) / 128.0 if self.normalized else images

    normalise = normalize  # the name of version 0.1

    def features(self, images: Tensor, done: int = 0) -> Tensor:
        """Map images (B, 3, H, W) to the backbone's features (B, channels, h, w).

        After the first stages have been run, `done` of them, it takes what they have given.

        Raises:
            ValueError: If the images have another shape, are not of a floating dtype, or are too
                small for one cell.
        """
        if not done:
            return cast(Tensor, self.backbone(self.normalize(images)))
        for stage in list(self.backbone.stages())[done:]:
            images = stage(images)
        return images

    def embed(self, images: Tensor, size: Tensor | None = None) -> Tensor:
        """Return what is kept of images (B, 3, T, T): the head's kernels, once for a whole video.

        Without a head these are the features themselves; `.flatten(1)` makes them vectors. Heads
        may need the `size` of the target (B, 2), width and height as shares of the patch's side.

        Raises:
            ValueError: As `features`, or if the head needs sizes.
        """
        return self.features(images) if self.head is None else self.kernel(images, size)

    def kernel(self, template: Tensor, size: Tensor | None = None) -> Tensor:
        """Turn template patches into the head's kernels, as `embed` does with a head.

        Raises:
            ValueError: If there is no head, or as `embed`.
        """
        return self.own_head.kernel(self.features(template), size)

    def respond(self, kernel: Tensor, search: Tensor) -> Any:
        """Match kernels with search images (B, 3, S, S).

        Returns:
            What the head returns: response maps (B, 1, H, W) from SiamFC's, score logits, side
            distances and presence logits from a box head.

        Raises:
            ValueError: If there is no head, or kernel and search images do not fit.
        """
        return self.own_head(kernel, self.features(search))

    def forward(self, template: Tensor, search: Tensor, size: Tensor | None = None) -> Any:
        """Match template images (B, 3, T, T) with search images (B, 3, S, S), as `respond`."""
        return self.respond(self.embed(template, size), search)

    def distance(self, first: Tensor, second: Tensor) -> Tensor:
        """Return D_W = `|G(first) - G(second)|` (B,), the Euclidean distance of Hadsell et al.

        Images are (B, 3, H, W). The gradient is zero, not infinite, where the embeddings are equal.

        Raises:
            ValueError: If the shapes differ or are others.
        """
        if first.shape != second.shape:
            raise ValueError(
                "expected two batches of images of one shape, got "
                f"{tuple(first.shape)} and {tuple(second.shape)}"
            )
        return euclidean(self.features(first).flatten(1), self.features(second).flatten(1))

    @property
    def own_head(self) -> Head:
        """The head.

        Raises:
            ValueError: If there is none.
        """
        if self.head is None:
            raise ValueError("this network has no head: build it as Network(backbone, head)")
        return self.head

    def objective(self, recipe: Recipe) -> Objective:
        """Return what the network is trained for: what its head learns, and the companion's.

        It is the objective that the recipe names, or each head's own.

        Scalars of the companion have names that end in `_1`; `loss` is the sum of both.

        Raises:
            UnknownNameError: If the recipe names an objective, a loss or an argument of the loss
                that there is not.
            ValueError: If head, objective and loss do not fit each other.
        """
        heads = [self.own_head, *([] if self.companion is None else [self.companion])]
        stride, patch = self.backbone.stride, self.sides[1]
        first, *others = (objective_of(head, recipe, stride, patch) for head in heads)

        def learn(
            template: Tensor, search: Tensor, pairs: Pairs, lesson: Lesson | None = None
        ) -> Parts:
            parts = first(template, search, pairs, lesson)
            for other in others:
                more = other(template, search, pairs, lesson)
                parts["loss"] = parts["loss"] + more.pop("loss")
                parts.update({f"{name}_1": value for name, value in more.items()})
            return parts

        return learn


def build_network(config: NetworkConfig, companion: NetworkConfig | None = None) -> Network:
    """Build a network that tracks, with random weights.

    `companion` is the structure of a second head on the same backbone, which only training uses.

    Raises:
        UnknownNameError: If there is no such backbone or head.
        PluginError: If one of a plug-in lacks what is used of it.
        ValueError: If the backbone cannot pad, or does not fit the template.

    Example:
        >>> model = build_network(SiamFCConfig(width=0.125)).eval()
        >>> model(torch.zeros(1, 3, 127, 127), torch.zeros(1, 3, 255, 255)).shape
        torch.Size([1, 1, 17, 17])
    """
    # The backbone, and how many cells it makes of a template
    backbone = _backbone(config)
    with torch.no_grad():
        probe = backbone.eval()(torch.zeros(1, 3, config.template, config.template))
    backbone.train()
    if config.folded:
        fold_norms(backbone)

    # The heads, which are built for that many
    cells = probe.shape[-1]
    head = build_head(config, backbone.channels, cells, backbone.stride)
    second = None
    if companion is not None:
        second = build_head(companion, backbone.channels, cells, backbone.stride)
    sides = (config.template, config.search)
    return Network(backbone, head, companion=second, sides=sides, normalized=True, config=config)


def build_head(config: NetworkConfig, channels: int, template_cells: int, stride: int) -> Head:
    """Build the head of a structure, with random weights, for features of a backbone.

    It gets those settings that it takes by name: `width` or `hidden`, `depth`, `dense`, and as
    `extent` the usual side of a target, a quarter of the search patch's.

    Raises:
        UnknownNameError: If there is no such head.
        PluginError: If one of a plug-in lacks what is used of it.
    """
    make = HEADS[config.head]
    settings = {
        "width": config.head_width,
        "hidden": config.head_width,
        "depth": config.head_depth,
        "dense": config.dense,
        "extent": config.search / 4,
    }
    taken = inspect.signature(make).parameters
    options = {name: value for name, value in settings.items() if name in taken}
    head = make(channels, template_cells, stride, **options)
    used = ("kind", "settings", "outputs", "sized", "kernel", "answer", "objective")
    HEADS.check_made(config.head, head, *used)
    return head


def parted(network: Network, config: NetworkConfig) -> Network:
    """Return the network of a companion head: the same backbone, weights included, and that head.

    Raises:
        ValueError: If the network has no companion.
    """
    if network.companion is None:
        raise ValueError("the network has no companion head: train it with `companion`")
    sides = (config.template, config.search)
    return Network(network.backbone, network.companion, sides=sides, normalized=True, config=config)


def fold_norms(module: nn.Module) -> None:
    """Fold each batch norm that follows a convolution into it, in place.

    Only neighbors within an `nn.Sequential` are folded. The norm's place is taken by an identity,
    so that the names of the other layers stay.
    """
    for child in module.children():
        fold_norms(child)
    if not isinstance(module, nn.Sequential):
        return
    for index in range(len(module) - 1):
        layer, norm = module[index], module[index + 1]
        if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            module[index] = fuse_conv_bn_eval(layer.eval(), norm.eval()).train()
            module[index + 1] = nn.Identity()


def _backbone(config: NetworkConfig) -> Backbone:
    build = BACKBONES[config.backbone]
    try:
        more = {"crop": False} if config.padded else {}
        backbone = build(width=config.width, **more)
    except TypeError as error:
        if not config.padded:
            raise
        raise ValueError(
            f"backbone {config.backbone!r} has no padded form: compare the CIResNets"
        ) from error
    BACKBONES.check_made(config.backbone, backbone, "stages", "channels", "stride")
    return backbone
