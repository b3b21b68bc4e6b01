"""Training pairs: a template, a search window, and where in it the target is.

Pairs of one centerd object before a mean-color border teach nothing about look-alikes: a network
soon hits 99.5 % of them and still cannot track. So the search windows here are made hard: other
objects of the target's kind and size are pasted in, the target may stand in front of another
picture, another picture may continue the frame beyond its border, and some windows hold no target.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np

from siamtrack.core.boxes import Array
from siamtrack.core.config import check_numbers
from siamtrack.core.registry import Registry
from siamtrack.core.settings import check_area
from siamtrack.data import augment
from siamtrack.data.augment import Rectangle, hides, lay_over, piece, soft_mask
from siamtrack.data.cache import ImageCache, TooManyFaultsError
from siamtrack.data.manifest import Entry, Pool, is_outside
from siamtrack.errors import ImageError
from siamtrack.tracking.crops import Image, Window, cut, is_inside, mean_color, template_side

T = TypeVar("T")

BLACK = (0, 0, 0)


@dataclass(frozen=True)
class PairConfig:
    """How pairs are drawn. Probabilities lie in [0, 1].

    Attributes:
        template: Side of the template patch, pixels.
        search: Side of the search patch, pixels, in the template's scale.
        context: Context around the box, as a share of width + height.
        area: Side of the template window as a multiple of the square root of the box's area; 0: as
            `context` says.
        video: Share of pairs from videos, where there are any; the rest are still images.
        gap: Largest distance of the two frames of a video pair.
        template_shift: Largest displacement of the target from the center of the template, as a
            share of the template's side. Nothing tells the network of it: boxes get as inexact.
        shift: Largest displacement of the target from the center of the search patch, as a share
            of half the patch.
        scale: Range of the size change, exp(+-scale); with `tails`, a deviation.
        stretch: Range of the change of aspect, exp(+-stretch); with `tails`, a deviation.
        tails: Share of the windows whose size, and as many whose aspect, changes by anything up to
            exp(+-tail); the others change by a normal factor. 0: all change evenly within `scale`
            and `stretch`.
        tail: See `tails`.
        reshaped: Share of the video pairs whose second frame is that of several with the most
            different aspect.
        negative: Share of pairs whose search window does not hold the target.
        distractors: Largest number of other objects pasted into the search window.
        same_kind: Share of the pasted objects that have the target's label and source.
        swap: Share of windows in which the target stands in front of another picture.
        border: Share of windows continued by another picture instead of the mean color.
        flip: Share of pairs mirrored (both patches).
        warp: Share of search windows turned, sheared and bent about the target.
        mirror: Share of search windows mirrored alone, as objects that turned round.
        color: Share of search patches whose brightness, contrast and channels are changed.
        color_range: These change by factors within 1 +- this.
        template_color: As `color`, of the templates.
        template_color_range: As `color_range`, of the templates.
        gray: Share of pairs without color.
        blur: Share of search patches that are blurred, by defocus or motion.
        low_resolution: Share of search patches that lose detail.
        noise: Share of search patches with noise.
        template_scale: Range of the size change of the template's window, exp(+-template_scale).
        near: Share of search windows that are displaced by at most 0.35 of `shift`.
        separate: Width and height of both windows change apart from each other, each by a factor
            within 1 +- `scale` (`template_scale`), and `stretch` is not used.
        part: Share of still pairs whose target is a random part of the object. A user may draw a
            head or a number plate; without parts, boxes grow to the whole object.
        redrawn: Share of the pairs whose boxes are drawn anew, each side moved by up to `redraw` of
            the box's width or height, in both pictures alike. A user's box need not be what a data
            set calls the object: without this, boxes grow to what is usual for its class.
        redraw: See `redrawn`.
        weights: (data set, factor) that raise or lower how often a data set is drawn; without
            one, sets are drawn in proportion to the square root of their size.
        templates: Templates of each pair, 1 to 8, whose kernels are joined. Those beyond the first
            come from other frames of its track at most `gap` away, but the searched one, or from
            the same picture, with shift, scale and color of their own. First template and search
            window are those of a pair with one.
    """

    template: int = 129
    search: int = 257
    context: float = 0.5
    area: float = 0.0
    video: float = 0.45
    gap: int = 60
    template_shift: float = 0.03
    shift: float = 0.7
    scale: float = 0.25
    stretch: float = 0.15
    tails: float = 0.0
    tail: float = 0.7
    reshaped: float = 0.0
    negative: float = 0.12
    distractors: int = 3
    same_kind: float = 0.6
    swap: float = 0.25
    border: float = 0.6
    flip: float = 0.5
    warp: float = 0.3
    mirror: float = 0.05
    color: float = 0.8
    color_range: float = 0.3
    template_color: float = 0.3
    template_color_range: float = 0.1
    gray: float = 0.1
    blur: float = 0.15
    low_resolution: float = 0.15
    noise: float = 0.15
    template_scale: float = 0.05
    near: float = 0.4
    separate: bool = False
    part: float = 0.3
    redrawn: float = 0.0
    redraw: float = 0.18
    weights: tuple[tuple[str, float], ...] = ()
    templates: int = 1

    def __post_init__(self) -> None:
        shares = (each.name for each in fields(self) if each.type == "float")
        bounds: dict[str, tuple[float, float]] = dict.fromkeys(shares, (0, 1))
        bounds |= dict.fromkeys(("scale", "stretch", "tail", "template_scale"), (0, 2))
        bounds |= {"template": (8, 1024), "search": (8, 2048), "context": (0, 10), "area": (0, 10)}
        bounds |= {"gap": (0, 2**31), "redraw": (0, 0.45)}
        check_numbers(self, **bounds, distractors=(0, 100), weights=(0, 1e6), templates=(1, 8))
        check_area(self.area)
        if self.separate and (self.tails or max(self.scale, self.template_scale) >= 1):
            raise ValueError(
                f"separate with tails {self.tails:g}, scale {self.scale:g} and template_scale "
                f"{self.template_scale:g}: expected no tails, and scales below 1"
            )


@dataclass(frozen=True, slots=True)
class Pair:
    """One training sample.

    Attributes:
        template: Template patch (T, T, 3), uint8 RGB.
        search: Search patch (S, S, 3), uint8 RGB.
        size: Width and height (2,) of the target in the template, as a share of the patch's side.
        box: The target in search pixels, ltwh (4,); zeros if it is not there.
        present: Whether the search patch holds the target.
        others: Further templates of the target with their sizes, as `template` and `size`.
    """

    template: Image
    search: Image
    size: Array
    box: Array
    present: bool
    others: tuple[tuple[Image, Array], ...] = ()

    @property
    def templates(self) -> list[tuple[Image, Array]]:
        """All templates with their sizes, the first one first."""
        return [(self.template, self.size), *self.others]


class PairSampler:
    """Draws pairs; the sampler `pairs`. Pair (seed, index) is always the same, whoever draws it."""

    def __init__(
        self, pool: Pool, config: PairConfig, seed: int = 0, cache: ImageCache | None = None
    ) -> None:
        self.pool, self.config, self.seed = pool, config, seed
        self.cache = cache or ImageCache()
        self._sources, self._videos = sorted(pool.by_source), sorted(pool.videos)
        self._shares = self._sums({name: len(pool.by_source[name]) for name in self._sources})
        self._video_shares = self._sums({name: len(pool.videos[name]) for name in self._videos})

    def _sums(self, counts: dict[str, int]) -> Array:
        """Turn the sizes of the data sets into probabilities, and these into running sums."""
        factors = dict(self.config.weights)
        raw = np.array([np.sqrt(n) * factors.get(name, 1.0) for name, n in counts.items()])
        sums = (raw / max(float(raw.sum()), 1e-12)).cumsum()
        return sums / sums[-1] if len(sums) and sums[-1] > 0 else sums

    def draw(self, index: int) -> Pair:
        """Draw pair `index`; the 0 in its seed was an epoch once, and keeps pairs as they were."""
        return first_readable(self._draw, (self.seed, 0, index))

    def _draw(self, rng: np.random.Generator) -> Pair:
        config = self.config
        # Choose the object, and what stands in the search window: itself or another one
        first, second = self._target(rng)
        still = first is second
        negative = rng.random() < config.negative
        if negative:
            second = self._other(first, rng)
            negative = second.track != first.track  # there may be only one object
        target, searched, moves = first, second, None
        if config.redrawn and rng.random() < config.redrawn:
            moves = rng.uniform(-config.redraw, config.redraw, 4)
            first, second = (_redrawn(entry, moves) for entry in (first, second))
        # Cut both windows, and change the shape of what is searched for
        template, size = self._template(first, rng)
        search, box = self._search(second, rng)
        if rng.random() < config.warp:
            search, box = augment.warp(search, box, rng)
        if rng.random() < config.mirror:
            search = augment.mirror(search)
            box = np.array([config.search - box[0] - box[2], *box[1:]])
        # Make it hard: another background, other objects
        if not negative and rng.random() < config.swap:
            search = self._swap(search, box, rng)
        search = self._paste(search, box, first, rng)
        # Change the appearance
        flipped = rng.random() < config.flip
        if flipped:
            template, search = augment.mirror(template), augment.mirror(search)
            box = np.array([config.search - box[0] - box[2], *box[1:]])
        gray = rng.random() < config.gray
        if gray:
            template, search = augment.gray(template), augment.gray(search)
        template = self._colored(template, rng)
        search = augment.appearance(
            search,
            rng,
            color=config.color,
            strength=config.color_range,
            blur=config.blur,
            low_resolution=config.low_resolution,
            noise=config.noise,
        )
        if negative:
            box = np.zeros(4)
        # Further templates, drawn last: all before them is as in a pair with one
        others = []
        for entry in self._others(target, None if still else searched, rng):
            entry = entry if moves is None else _redrawn(entry, moves)
            patch, share = self._template(entry, rng)
            patch = augment.mirror(patch) if flipped else patch
            patch = augment.gray(patch) if gray else patch
            others.append((self._colored(patch, rng), share))
        return Pair(template, search, size, box, not negative, tuple(others))

    def _colored(self, template: Image, rng: np.random.Generator) -> Image:
        """Change the color of some templates."""
        if rng.random() < self.config.template_color:
            return augment.color(template, rng, self.config.template_color_range)
        return template

    def _others(
        self, first: Entry, searched: Entry | None, rng: np.random.Generator
    ) -> list[Entry]:
        """Draw where further templates come from; None is searched in the picture of the first.

        Each frame comes once before one comes again; without other frames it is the first's.
        """
        count = self.config.templates - 1
        if count == 0 or searched is None:
            return [first] * count
        near = [self.pool.entries[index] for index in self.pool.near(first, self.config.gap)]
        near = [entry for entry in near if entry is not first and entry is not searched] or [first]
        order = rng.permutation(len(near))
        return [near[order[turn % len(near)]] for turn in range(count)]

    def _target(self, rng: np.random.Generator) -> tuple[Entry, Entry]:
        pool = self.pool
        if self._videos and rng.random() < self.config.video:
            source = self._videos[_chosen(self._video_shares, rng)]
            names = pool.videos[source]
            members = pool.by_track[names[int(rng.integers(len(names)))]]
            first = members[int(rng.integers(len(members)))]
            second = pool.partner(first, self.config.gap, rng, self.config.reshaped)
            return pool.entries[first], pool.entries[second]
        still = self._any(rng)
        if rng.random() < self.config.part:
            still = _part(still, rng)
        return still, still

    def _any(self, rng: np.random.Generator) -> Entry:
        source = self._sources[_chosen(self._shares, rng)]
        members = self.pool.by_source[source]
        return self.pool.entries[members[int(rng.integers(len(members)))]]

    def _other(self, entry: Entry, rng: np.random.Generator) -> Entry:
        """Draw an object that is not `entry`, often of its kind."""
        for _ in range(4):
            if rng.random() < self.config.same_kind:
                members = self.pool.by_kind[entry.source, entry.label]
                other = self.pool.entries[members[int(rng.integers(len(members)))]]
            else:
                other = self._any(rng)
            if other.track != entry.track:
                return other
        return self._any(rng)

    def _template(self, entry: Entry, rng: np.random.Generator) -> tuple[Image, Array]:
        config = self.config
        left, top, width, height = entry.box
        side = template_side(width, height, config.context, config.area)
        if config.separate:
            sides = side * (1 + rng.uniform(-config.template_scale, config.template_scale, 2))
        else:
            factor = np.exp(rng.uniform(-config.template_scale, config.template_scale))
            sides = np.array([side * factor] * 2)
        reach = config.template_shift
        cx = left + width / 2 + rng.uniform(-reach, reach) * sides[0]
        cy = top + height / 2 + rng.uniform(-reach, reach) * sides[1]
        image = self._image(entry)
        window = Window(cx, cy, float(sides[0]), float(sides[1]), config.template)
        return self._cut(image, window), np.array([width, height]) / sides

    def _search(self, entry: Entry, rng: np.random.Generator) -> tuple[Image, Array]:
        config = self.config
        box = np.asarray(entry.box)
        side = template_side(box[2], box[3], config.context, config.area)
        side *= config.search / config.template
        if config.separate:
            width, height = side * (1 + rng.uniform(-config.scale, config.scale, 2))
        else:
            factor = np.exp(self._change(rng, config.scale))
            aspect = np.exp(self._change(rng, config.stretch) / 2)
            width, height = side * factor * aspect, side * factor / aspect
        # at times only near: targets move little between two frames, but not always
        reach = config.shift * (1.0 if rng.random() < 1 - config.near else 0.35)
        shift = rng.uniform(-reach, reach, 2) / 2
        cx = box[0] + box[2] / 2 + shift[0] * width
        cy = box[1] + box[3] / 2 + shift[1] * height
        window = Window(cx, cy, width, height, config.search)
        image = self._image(entry)
        if rng.random() < config.border:
            behind, place = self._behind(rng)
            if not is_inside(window, image):
                border = piece(behind, place, (config.search, config.search))
                return cut(image, window, border), window.to_patch(box)
        return self._cut(image, window), window.to_patch(box)

    def _change(self, rng: np.random.Generator, spread: float) -> float:
        """Draw the logarithm of a change of size or aspect."""
        config = self.config
        if not config.tails:
            return float(rng.uniform(-spread, spread))
        if rng.random() < config.tails:
            return float(rng.uniform(-config.tail, config.tail))
        return float(np.clip(rng.normal(0, spread), -config.tail, config.tail))

    def _image(self, entry: Entry) -> Image:
        """Return the image of an object, of which at least a part must lie in it."""
        image = self.cache[entry.image]
        if is_outside(entry.box, image.shape[1::-1]):
            self.cache.faults.add_outside(entry.image)
            raise ImageError(entry.image, "the box lies outside the image")
        return image

    def _behind(self, rng: np.random.Generator) -> tuple[Image, Rectangle]:
        """Choose a square ltwh in some picture."""
        image = self.cache[self._any(rng).image]
        rows, cols = image.shape[:2]
        side = min(rows, cols) * rng.uniform(0.4, 1.0)
        left, top = rng.uniform(0, cols - side), rng.uniform(0, rows - side)
        return image, (left, top, side, side)

    def _cut(self, image: Image, window: Window) -> Image:
        """Cut a window out of a picture, in its mean color beyond it."""
        return cut(image, window, BLACK if is_inside(window, image) else mean_color(image))

    def _swap(self, search: Image, box: Array, rng: np.random.Generator) -> Image:
        """Set the target in front of another picture."""
        mask, place = soft_mask(self.config.search, box, rng)
        under = piece(*self._behind(rng), (self.config.search, self.config.search))
        if mask.size:
            lay_over(under[place], search[place], mask)
        return under

    def _paste(self, search: Image, box: Array, target: Entry, rng: np.random.Generator) -> Image:
        """Paste other objects at about the target's size; they may hide a little of it."""
        config = self.config
        count = int(rng.integers(0, config.distractors + 1)) if rng.random() < 0.7 else 0
        size = math.sqrt(box[2] * box[3])
        for _ in range(count):
            entry = self._other(target, rng)
            left, top, width, height = entry.box
            factor = size * math.exp(rng.uniform(-0.35, 0.35)) / math.sqrt(width * height)
            x, y = (rng.uniform(0.02, 0.98, 2) * config.search).tolist()
            across, high = width * factor, height * factor
            placed = np.array([x - across / 2, y - high / 2, across, high])
            if entry.track == target.track:
                continue  # the target twice: neither would be wrong
            if hides(box, placed):
                continue
            image = self._image(entry)
            mask, (rows, columns) = soft_mask(config.search, placed, rng)
            if mask.size:
                # The part of its picture that comes to lie where the mask is
                part = (
                    left + width / 2 + (columns.start - x) / factor,
                    top + height / 2 + (rows.start - y) / factor,
                    mask.shape[1] / factor,
                    mask.shape[0] / factor,
                )
                lay_over(search[rows, columns], piece(image, part, mask.shape[::-1]), mask)
        return search


SAMPLERS: Registry[Callable[..., PairSampler]] = Registry("sampler", "siamtrack.samplers")
"""Samplers, made as `SAMPLERS[name](pool, config, seed, cache)`; subclasses of `PairSampler`, or
anything with its `pool`, `cache` and `draw`."""
SAMPLERS.register("pairs")(PairSampler)


def build_sampler(
    name: str, pool: Pool, config: PairConfig, seed: int = 0, cache: ImageCache | None = None
) -> PairSampler:
    """Make a registered sampler.

    Raises:
        UnknownNameError: If there is no such sampler.
        PluginError: If one of a plug-in lacks what is used of it.
    """
    sampler = SAMPLERS[name](pool, config, seed, cache)
    SAMPLERS.check_made(name, sampler, "draw", "pool", "cache")
    return sampler


def first_readable(
    make: Callable[[np.random.Generator], T], key: tuple[int, ...], attempts: int = 32
) -> T:
    """Make a random sample; where it needs an unreadable image, make another in its place.

    The generator of the first attempt is `default_rng(key)`, that of a later one
    `default_rng((*key, attempt))`: the sample depends on `key` (seed, 0 and index) and on the files
    alone, not on who makes it or in what order.

    Raises:
        DatasetError: If no attempt succeeds, or too many images are unreadable.
    """
    for attempt in range(attempts):
        try:
            return make(np.random.default_rng((*key, attempt) if attempt else key))
        except ImageError as error:
            last = error
    raise TooManyFaultsError(
        f"{attempts} attempts in a row met images that cannot be read, the last: {last}"
    )


def _part(entry: Entry, rng: np.random.Generator) -> Entry:
    """Return a random part of an object; small objects stay whole."""
    left, top, width, height = entry.box
    if min(width, height) < 30:
        return entry
    w, h = width * rng.uniform(0.3, 0.9), height * rng.uniform(0.3, 0.9)
    corner = rng.uniform(0, 1, 2) * [width - w, height - h]
    box = (left + float(corner[0]), top + float(corner[1]), float(w), float(h))
    return replace(entry, box=box)


def _redrawn(entry: Entry, moves: Array) -> Entry:
    """Move left, top, right and bottom side by shares (4,) of the box's width or height."""
    left, top, width, height = entry.box
    x1, y1, x2, y2 = (moves * [width, height, width, height]).tolist()
    return replace(entry, box=(left + x1, top + y1, width + x2 - x1, height + y2 - y1))


def _chosen(sums: Array, rng: np.random.Generator) -> int:
    """Draw an index by running sums of probabilities, as `rng.choice` does, without its checks."""
    return int(sums.searchsorted(rng.random(), side="right"))
