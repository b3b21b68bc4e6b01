"""Import paths of version 0.1 that have moved: each still works, with one DeprecationWarning.

Modules of the command, the studio, the benchmark and the tuning were nobody's interface, and moved
without a word.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import find_spec
from types import ModuleType
from typing import Any


def _table(text: str) -> dict[str, list[str]]:
    """Read lines of `word: words`, which go on in indented lines."""
    rows = (line.split(":", 1) for line in text.replace("\n    ", " ").strip().splitlines())
    return {key: words.split() for key, words in rows}


_NEW_TO_OLD = """
core.boxes: boxes
core.config: config
core.files: data.plain data.text
core.images: decoding frames
core.parallel: evaluation.parallel evaluation.ray_cluster
core.registry: plugins registry
core.settings: settings
core.tracks: tracks
core.writing: writing
data.annotations: data.training
data.annotations.coco: data.training.coco_video
data.annotations.shards: data.packing
data.annotations.user_formats: data.importing data.training.own
data.benchmarks.davis: data.davis data.training.davis data.training.masks
data.benchmarks.got10k: data.got10k data.training.got10k
data.benchmarks.imagenet: data.training.imagenet
data.benchmarks.lasot: data.lasot data.training.lasot data.training.lasot_test
data.benchmarks.otb: data.otb data.otb_table
data.benchmarks.small: data.dtb70 data.folder data.nfs data.tcolor128 data.tld data.uav
data.benchmarks.trackingnet: data.trackingnet data.training.trackingnet
data.benchmarks.vot: data.vot data.votmask
data.benchmarks.youtube: data.training.youtube_bb data.training.youtube_vos
data.cache: data.faults data.headers data.images
data.layout: data.training.entries data.training.rows data.training.xml
data.sequence: data.frames
data.sources: data.open data.training.base data.training.findings
evaluation.compare: evaluation.compare_results
evaluation.longterm: evaluation.longterm_report
evaluation.metrics: evaluation.curves verification
evaluation.peers.centers: evaluation.peers.fear evaluation.peers.vittrack
evaluation.peers.trax: evaluation.traxline
evaluation.report: evaluation.figures
evaluation.report.html: evaluation.formats evaluation.html
evaluation.report.plots: evaluation.plots
evaluation.report.videos: evaluation.clips
evaluation.results: evaluation.found evaluation.matfile evaluation.submit
evaluation.run: evaluation.evaluate
evaluation.scores: evaluation.bootstrap
evaluation.vot.files: evaluation.vot.binary
evaluation.vot.run: evaluation.vot.evaluate
interop.opencv: opencv
losses.base: losses.counts
losses.boxes: losses.regression losses.rpn
losses.metric: losses.contrastive losses.distance losses.triplet
losses.response: losses.focal losses.labels losses.logistic
models.backbones.backbone: models.backbones.base models.backbones.find models.embedding
models.backbones.ciresnet: models.backbones.ciresincep models.backbones.ciresnext
    models.backbones.imagenet
models.backbones.mobile: models.backbones.cirmobile models.backbones.mobilenetv2
models.convert.layout: models.convert.base models.convert.matching models.convert.read
    models.reading
models.files: models.graph_file models.halves models.saved
models.heads.box: models.heads.centre
models.heads.head: models.heads.base
models.heads.siamrpn: models.heads.multirpn
models.network: models.siamese models.siamfc models.tracking training.objectives
models.units: models.tracing
packages.card: weights
packages.quantize: halving quantising
packages.write: formats formats.base formats.openvino formats.program formats.torch
runtimes.engines: runtimes.choose runtimes.sharing
runtimes.graph: runtimes.rows
runtimes.onnx: runtimes.exact_int8
sinks.draw: draw ruler
sinks.text: sinks.csv sinks.jsonl sinks.mot sinks.otb
tracking.batch: bulk
tracking.crops: crops
tracking.decode: motion redetection response
tracking.detections: association
tracking.follow: data.starts follow
tracking.online: discriminator
tracking.target: target
tracking.tracker: tracker
training.checkpoint: exporting
training.config: training.presets training.schedule
training.distributed: training.ranks training.sync_norm
training.loop: training.average training.guard
training.monitor: training.runtime training.validation training.watch
training.speed: training.frozen training.precision
video.decode: video.orientation
video.files: video.promised
video.source: video.latest
"""
MODULES = {old: new for new, olds in _table(_NEW_TO_OLD).items() for old in olds}
"""Old module to new one, below `siamtrack`; modules inside of a package move with it."""

_LEFT = """
core.boxes: centre_error=center_error centres=centers
core.files: polygons_to_ltwh=core.boxes.polygons_to_ltwh
core.images: stated_size=core.images.stated_size
core.provenance: model_made=packages.card.model_made
data.annotations: open_otb_annotations=data.benchmarks.otb.open_otb_annotations
data.annotations.user_formats: OwnReader=UserReader own_format=user_format own_name=user_name
data.augment: colour=color
data.benchmarks.otb: Target=OtbTarget
data.manifest: file_stem=_moved.file_stem
data.sequence: Frame=core.images.Image
evaluation.metrics: NORMALISED_THRESHOLDS=NORMALIZED_THRESHOLDS
    normalised_precision_curve=normalized_precision_curve
    plot_distances=evaluation.report.plots.plot_distances
evaluation.peers.base: Seen=core.tracks.Seen
evaluation.report: Figures=Report
evaluation.report.videos: Clip=evaluation.report.html.Video comparison_clips=comparison_videos
evaluation.run: Runnable=core.tracks.Runnable
losses.tracking: cell_centres=cell_centers
models.heads.box: CentreHead=CenterHead
models.network: BoxTracker=build_network SiamFCTracker=build_network Siamese=Network
    response_loss=models.heads.siamfc.response_loss
models.units: initialise=initialize
packages.card: write_card=packages.write.write_card
packages.quantize: quantise=quantize
sinks.draw: colour=color
tracking.crops: mean_colour=mean_color
tracking.decode: Found=Detection MOTIONS=_moved.MOTIONS best_box=_moved.best_box
    best_scale=_moved.best_scale cell_centres=cell_centers grid_centres=grid_centers
tracking.online: Discriminator=OnlineClassifier
tracking.tracker: Tracker=core.tracks.Tracker
training.config: set_trained=training.loop.set_trained
training.speed: Learned=training.teacher.Learned Lesson=training.batches.Lesson
    TAUGHT_CHANNELS=training.teacher.TAUGHT_CHANNELS
    TrackingTeacher=training.teacher.TrackingTeacher uses=training.batches.uses
"""
NAMES = {
    f"{module}.{old}": new if "." in new else f"{module}.{new}"
    for module, pairs in _table(_LEFT).items()
    for old, new in (pair.split("=") for pair in pairs)
}
"""Names that have left their module, after that has moved, to where they are now."""


def best_box(last: Any, windows: Any, response: Any, card: Any) -> Any:
    """Read a box as `siamtrack.tracking.decode.BoxDecoder` does."""
    from siamtrack.tracking.decode import BoxDecoder

    return BoxDecoder(card).decode(last, windows, response)


def best_scale(last: Any, windows: Any, response: Any, card: Any) -> Any:
    """Read a box as `siamtrack.tracking.decode.ResponseDecoder` does."""
    from siamtrack.tracking.decode import ResponseDecoder

    return ResponseDecoder(card).decode(last, windows, response)


def file_stem(folder: Any) -> str:
    """Name a data set after its folder."""
    return folder.resolve().name or "data"


MOTIONS = {"box": best_box, "response": best_scale}
"""The functions of `siamtrack.motion` by the kind of a model, now `DECODERS`."""


def new_place(name: str) -> str | None:
    """Return where the module `name` (with `siamtrack.`) is now, None if it has not moved.

    Example:
        >>> new_place("siamtrack.formats.torch")
        'siamtrack.packages.write'
    """
    head, _, rest = name.partition(".")
    if head != "siamtrack" or not rest:
        return None
    parts = rest.split(".")
    for count in range(len(parts), 0, -1):
        moved = MODULES.get(".".join(parts[:count]))
        if moved is not None:
            return ".".join(["siamtrack", moved, *parts[count:]])
    return None


def _elsewhere(module: str, name: str) -> Any:
    """Return what was `module.name`, `module` being a present path without `siamtrack.`."""
    place = NAMES.get(f"{module}.{name}", f"{module}.{name}")
    module, _, name = place.rpartition(".")
    return getattr(import_module(f"siamtrack.{module}"), name)


def _warn(old: str, new: str) -> None:
    text = f"{old} is now {new}; the old name goes with version 0.3"
    warnings.warn(text, DeprecationWarning, stacklevel=3)


class _Moved(ModuleType):
    """A module at its old place: whatever is asked of it comes from the new one."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        place = new_place(self.__name__)
        assert place is not None
        parent, _, last = self.__name__.rpartition(".")
        if "__hidden__" in self.__dict__:
            setattr(sys.modules[parent], last, self.__dict__["__hidden__"])
        thing = _elsewhere(place.removeprefix("siamtrack."), name)
        if not self.__dict__.get("__warned__"):
            self.__dict__["__warned__"] = True
            _warn(self.__name__, place)
        return thing

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Call the function that its package has by the name of the module."""
        return getattr(self, self.__name__.rpartition(".")[2])(*args, **options)


class _Finder:
    """Finds modules that have moved, after all that exist.

    What it could inherit from is in `importlib.abc`, which takes a while to import.
    """

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        place = new_place(name)
        try:
            there = find_spec(place) if place is not None else None
        except ModuleNotFoundError:  # below a module that is no package
            there = None
        loader: Any = self
        return None if there is None else ModuleSpec(name, loader, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Moved(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        place = new_place(module.__name__)
        assert place is not None
        there = import_module(place)
        # importing binds the module in its parent, over a function there that has the same name
        parent, _, last = module.__name__.rpartition(".")
        hidden = vars(sys.modules[parent]).get(last)
        if hidden is not None and not isinstance(hidden, ModuleType):
            module.__dict__["__hidden__"] = hidden
        module.__doc__ = there.__doc__
        if hasattr(there, "__all__"):
            module.__dict__["__all__"] = there.__all__


class _Left(SourceFileLoader):
    """Loads a module that stayed, some of whose names have left."""

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        here = module.__name__.removeprefix("siamtrack.")

        def left(name: str) -> Any:
            if f"{here}.{name}" not in NAMES:
                raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
            _warn(f"{module.__name__}.{name}", f"siamtrack.{NAMES[f'{here}.{name}']}")
            return _elsewhere(here, name)

        module.__dict__.setdefault("__getattr__", left)


class _LeftFinder:
    """Finds modules that some names have left, before others do."""

    modules = frozenset(f"siamtrack.{name.rpartition('.')[0]}" for name in NAMES)

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path) if name in self.modules else None
        if spec is not None and spec.origin is not None:
            spec.loader = _Left(name, spec.origin)
        return spec


def install() -> None:
    """Let old paths be found."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _LeftFinder())
        sys.meta_path.append(_Finder())
