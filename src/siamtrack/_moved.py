"""Import paths of version 0.1 that have moved: each still works, with one DeprecationWarning."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import find_spec
from types import ModuleType
from typing import Any

MODULES = {
    "association": "tracking.associate",
    "benchmark.alternate": "benchmark.latency",
    "benchmark.choose": "benchmark.run",
    "benchmark.clip": "benchmark.footage",
    "benchmark.memory": "benchmark.fresh",
    "benchmark.stages": "benchmark.latency",
    "benchmark.table": "benchmark.figures",
    "benchmark.targets": "benchmark.latency",
    "boundary": "core.boundary",
    "boxes": "core.boxes",
    "bulk": "tracking.batch",
    "config": "core.config",
    "crops": "tracking.crops",
    "data.davis": "data.benchmarks.davis",
    "data.dtb70": "data.benchmarks.small",
    "data.faults": "data.cache",
    "data.folder": "data.benchmarks.small",
    "data.frames": "data.sequence",
    "data.got10k": "data.benchmarks.got10k",
    "data.headers": "data.cache",
    "data.images": "data.cache",
    "data.importing": "data.annotations.user_formats",
    "data.lasot": "data.benchmarks.lasot",
    "data.nfs": "data.benchmarks.small",
    "data.open": "data.sources",
    "data.otb": "data.benchmarks.otb",
    "data.otb_table": "data.benchmarks.otb",
    "data.packing": "data.annotations.shards",
    "data.plain": "core.files",
    "data.starts": "tracking.follow",
    "data.tcolor128": "data.benchmarks.small",
    "data.text": "core.files",
    "data.tld": "data.benchmarks.small",
    "data.trackingnet": "data.benchmarks.trackingnet",
    "data.training": "data.annotations",
    "data.training.base": "data.sources",
    "data.training.coco_video": "data.annotations.coco",
    "data.training.davis": "data.benchmarks.davis",
    "data.training.entries": "data.layout",
    "data.training.findings": "data.sources",
    "data.training.got10k": "data.benchmarks.got10k",
    "data.training.imagenet": "data.benchmarks.imagenet",
    "data.training.lasot": "data.benchmarks.lasot",
    "data.training.lasot_test": "data.benchmarks.lasot",
    "data.training.masks": "data.benchmarks.davis",
    "data.training.own": "data.annotations.user_formats",
    "data.training.rows": "data.layout",
    "data.training.trackingnet": "data.benchmarks.trackingnet",
    "data.training.xml": "data.layout",
    "data.training.youtube_bb": "data.benchmarks.youtube",
    "data.training.youtube_vos": "data.benchmarks.youtube",
    "data.uav": "data.benchmarks.uav",
    "data.vot": "data.benchmarks.vot",
    "data.votmask": "data.benchmarks.vot",
    "decoding": "core.images",
    "discriminator": "tracking.online",
    "draw": "sinks.draw",
    "evaluation.clips": "evaluation.report.videos",
    "evaluation.compare_results": "evaluation.compare",
    "evaluation.curves": "evaluation.metrics",
    "evaluation.evaluate": "evaluation.run",
    "evaluation.figures": "evaluation.report",
    "evaluation.formats": "evaluation.report.text",
    "evaluation.found": "evaluation.results",
    "evaluation.html": "evaluation.report.html",
    "evaluation.longterm_report": "evaluation.longterm",
    "evaluation.parallel": "core.parallel",
    "evaluation.peers.lightfc": "evaluation.peers.centers",
    "evaluation.peers.vittrack": "evaluation.peers.centers",
    "evaluation.plots": "evaluation.report.plots",
    "evaluation.ray_cluster": "core.parallel",
    "evaluation.traxline": "evaluation.peers.trax",
    "evaluation.vot.binary": "evaluation.vot.files",
    "evaluation.vot.evaluate": "evaluation.vot.run",
    "exporting": "training.export",
    "follow": "tracking.follow",
    "formats": "packages.formats",
    "formats.base": "packages.formats",
    "formats.openvino": "packages.formats",
    "formats.program": "packages.formats",
    "formats.torch": "packages.formats",
    "frames": "core.images",
    "halving": "packages.half",
    "images": "core.images",
    "losses.center": "losses.tracking",
    "losses.contrastive": "losses.metric",
    "losses.counts": "losses.base",
    "losses.distance": "losses.metric",
    "losses.focal": "losses.response",
    "losses.labels": "losses.response",
    "losses.logistic": "losses.response",
    "losses.regression": "losses.boxes",
    "losses.rpn": "losses.boxes",
    "losses.triplet": "losses.metric",
    "made": "core.provenance",
    "models.backbones.base": "models.backbones.backbone",
    "models.backbones.ciresincep": "models.backbones.ciresnet",
    "models.backbones.ciresnext": "models.backbones.ciresnet",
    "models.backbones.cirmobile": "models.backbones.mobile",
    "models.backbones.find": "models.backbones.backbone",
    "models.convert.base": "models.convert.layout",
    "models.convert.matching": "models.convert.layout",
    "models.embedding": "models.backbones.backbone",
    "models.graph_file": "models.graphs",
    "models.halves": "models.graphs",
    "models.heads.base": "models.heads.head",
    "models.heads.centre": "models.heads.box",
    "models.heads.multirpn": "models.heads.siamrpn",
    "models.heads.region": "models.heads.box",
    "models.reading": "models.convert.read",
    "models.siamese": "models.network",
    "models.siamfc": "models.network",
    "models.tracing": "models.units",
    "models.tracking": "models.network",
    "motion": "tracking.decode",
    "opencv": "interop.opencv",
    "owning": "core.owning",
    "plugins": "core.registry",
    "quantising": "packages.quantize",
    "reading": "core.files",
    "redetection": "tracking.decode",
    "registry": "core.registry",
    "response": "tracking.decode",
    "ruler": "sinks.draw",
    "runtimes.exact_int8": "runtimes.onnx",
    "runtimes.rows": "runtimes.onnx",
    "runtimes.sharing": "runtimes.choose",
    "settings": "core.settings",
    "sinks.csv": "sinks.text",
    "sinks.jsonl": "sinks.text",
    "sinks.mot": "sinks.text",
    "sinks.otb": "sinks.text",
    "studio.asking": "studio.request",
    "studio.decoder": "studio.seek",
    "studio.edits": "studio.request",
    "studio.exporting": "studio.export_jobs",
    "studio.exports": "studio.export_files",
    "studio.guard": "studio.security",
    "studio.hub": "studio.news",
    "studio.live": "studio.app",
    "studio.look": "studio.overlay",
    "studio.models": "studio.library",
    "studio.partial": "studio.library",
    "studio.plan": "studio.timeline",
    "studio.scene": "studio.timeline",
    "studio.sessions": "studio.session",
    "studio.shield": "studio.security",
    "studio.sockets": "studio.security",
    "studio.uploads": "studio.app",
    "studio.yolo": "studio.export_files",
    "target": "tracking.target",
    "tracker": "tracking.tracker",
    "tracks": "core.tracks",
    "training.average": "training.loop",
    "training.frozen": "training.speed",
    "training.guard": "training.loop",
    "training.objectives": "models.network",
    "training.precision": "training.speed",
    "training.prepared": "training.speed",
    "training.presets": "training.config",
    "training.ranks": "training.distributed",
    "training.runtime": "training.monitor",
    "training.schedule": "training.config",
    "training.sync_norm": "training.distributed",
    "training.validation": "training.monitor",
    "training.watch": "training.monitor",
    "tuning.plots": "tuning.optimizer",
    "tuning.responses": "tuning.replay",
    "tuning.searching": "tuning.optimizer",
    "tuning.storage": "tuning.optimizer",
    "verification": "evaluation.verification",
    "video.latest": "video.source",
    "video.orientation": "video.decode",
    "video.promised": "video.files",
    "weights": "packages.card",
    "writing": "core.writing",
}
"""Old module to new one, below `siamtrack`; modules inside of a package move with it."""

NAMES: dict[str, str] = {
    "benchmark.footage.Clip": "benchmark.footage.Footage",
    "benchmark.footage.open_clip": "benchmark.footage.open_footage",
    "core.boxes.centre_error": "core.boxes.center_error",
    "core.boxes.centres": "core.boxes.centers",
    "core.files.polygons_to_ltwh": "core.boxes.polygons_to_ltwh",
    "core.images.stated_size": "core.image_headers.stated_size",
    "core.provenance.model_made": "packages.card.model_made",
    "data.annotations.open_otb_annotations": "data.benchmarks.otb.open_otb_annotations",
    "data.annotations.user_formats.OwnReader": "data.annotations.user_formats.UserReader",
    "data.annotations.user_formats.own_format": "data.annotations.user_formats.user_format",
    "data.annotations.user_formats.own_name": "data.annotations.user_formats.user_name",
    "data.augment.colour": "data.augment.color",
    "data.benchmarks.otb.Target": "data.benchmarks.otb.OtbTarget",
    "data.manifest.file_stem": "_moved.file_stem",
    "data.sequence.Frame": "core.images.Image",
    "evaluation.peers.base.Seen": "core.tracks.Seen",
    "evaluation.report.Figures": "evaluation.report.Report",
    "evaluation.report.videos.Clip": "evaluation.report.html.Video",
    "evaluation.report.videos.comparison_clips": "evaluation.report.videos.comparison_videos",
    "evaluation.run.Runnable": "core.tracks.Runnable",
    "losses.tracking.cell_centres": "losses.tracking.cell_centers",
    "models.heads.box.CentreHead": "models.heads.box.CenterHead",
    "models.network.BoxTracker": "models.network.build_network",
    "models.network.SiamFCTracker": "models.network.build_network",
    "models.network.Siamese": "models.network.Network",
    "models.network.response_loss": "models.heads.siamfc.response_loss",
    "packages.card.write_card": "packages.write.write_card",
    "packages.quantize.quantise": "packages.quantize.quantize",
    "studio.clip.Clip": "studio.clip.SeekableClip",
    "studio.export_files.Result": "studio.export_files.Snapshot",
    "studio.export_files.result_of": "studio.export_files.take_snapshot",
    "studio.library.Entry": "studio.library.ClipEntry",
    "studio.request.Access": "studio.security.Access",
    "studio.security.told": "studio.security.public_message",
    "studio.timeline.Target": "studio.timeline.DrawnTarget",
    "training.config.set_trained": "training.loop.set_trained",
    "training.speed.Learned": "training.teacher.Learned",
    "training.speed.Lesson": "training.batches.Lesson",
    "training.speed.TAUGHT_CHANNELS": "training.teacher.TAUGHT_CHANNELS",
    "training.speed.TrackingTeacher": "training.teacher.TrackingTeacher",
    "training.speed.uses": "training.batches.uses",
    "tracking.crops.mean_colour": "tracking.crops.mean_color",
    "tracking.decode.Found": "tracking.decode.Detection",
    "tracking.decode.MOTIONS": "_moved.MOTIONS",
    "tracking.decode.best_box": "_moved.best_box",
    "tracking.decode.best_scale": "_moved.best_scale",
    "tracking.decode.cell_centres": "tracking.decode.cell_centers",
    "tracking.decode.grid_centres": "tracking.decode.grid_centers",
    "tracking.online.Discriminator": "tracking.online.OnlineClassifier",
    "tracking.tracker.Tracker": "core.tracks.Tracker",
}
"""Names that have left their module, after that has moved, to where they are now."""


def best_box(last: Any, windows: Any, response: Any, card: Any) -> Any:
    """Read a box as `siamtrack.tracking.decode.BoxDecoder` does."""
    return (
        import_module("siamtrack.tracking.decode").BoxDecoder(card).decode(last, windows, response)
    )


def best_scale(last: Any, windows: Any, response: Any, card: Any) -> Any:
    """Read a box as `siamtrack.tracking.decode.ResponseDecoder` does."""
    return (
        import_module("siamtrack.tracking.decode")
        .ResponseDecoder(card)
        .decode(last, windows, response)
    )


def file_stem(folder: Any) -> str:
    """Name a data set after its folder."""
    return folder.resolve().name or "data"


MOTIONS = {"box": best_box, "response": best_scale}
"""The functions of `siamtrack.motion` by the kind of a model, now `DECODERS`."""


def new_place(name: str) -> str | None:
    """Return where the module `name` (with `siamtrack.`) is now, None if it has not moved.

    Example:
        >>> new_place("siamtrack.formats.torch")
        'siamtrack.packages.formats'
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


class _Finder(MetaPathFinder, Loader):
    """Finds modules that have moved, after all that exist."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        place = new_place(name)
        try:
            there = find_spec(place) if place is not None else None
        except ModuleNotFoundError:  # below a module that is no package
            there = None
        return None if there is None else ModuleSpec(name, self, is_package=True)

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


class _LeftFinder(MetaPathFinder):
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
