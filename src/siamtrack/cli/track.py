"""`siamtrack track`: follow targets through a video."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, Suppress, UseAppendAction, arg

from siamtrack.api import load
from siamtrack.cli.following import (
    as_text,
    network_threads,
    run_track,
    write_ruler,
    writes_video,
)
from siamtrack.cli.local import LocalServer
from siamtrack.cli.options import Box, ModelName, PrecisionName, RuntimeName, Style
from siamtrack.cli.pick import Picked, Pictures, may_ask, pick
from siamtrack.cli.show import PageViewer, Viewer, Window, windowed
from siamtrack.core.browser import has_browser, opened
from siamtrack.core.images import IMAGE_SUFFIXES
from siamtrack.core.writing import check_outputs, refuse_existing
from siamtrack.packages.card import DEFAULT, model_paths
from siamtrack.runtimes import AUTO
from siamtrack.sinks import SINKS
from siamtrack.sinks.text import labels_file, numbered
from siamtrack.tracking.detections import Detections, read_detections
from siamtrack.tracking.detector import SURE, Detect, EveryNth, OnnxDetector
from siamtrack.tracking.follow import read_boxes
from siamtrack.video import AHEAD, VideoSource, open_video, source_files

Files = list[tuple[Path, str | None]]


@dataclass(frozen=True)
class Targets:
    """What to track.

    Attributes:
        starts: Number of a frame to the targets that start there: id to box ltwh.
        names: Id of a target to its name.
        classes: Id of a target to its class.
    """

    starts: dict[int, dict[int, Any]] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    classes: dict[int, str] = field(default_factory=dict)

    @property
    def ids(self) -> set[int]:
        """The ids of all targets."""
        return {number for targets in self.starts.values() for number in targets}

    def add(self, number: int, target: Picked) -> None:
        """Add a target."""
        self.starts.setdefault(target.frame, {})[number] = list(target.box)
        if target.name:
            self.names[number] = target.name
        if target.label:
            self.classes[number] = target.label


@dataclass(frozen=True)
class Track:
    """Follow one or more targets through a video, a stream, a camera or images.

    Without an output file, one line of CSV per target and frame goes to standard output.
    """

    source: Annotated[Positional[str], arg(metavar="SOURCE")]
    """Video file, folder or glob of images, rtsp:// or http:// address, or camera number."""
    box: Annotated[
        UseAppendAction[tuple[Box, ...]],
        arg(
            metavar="L T W H [name=NAME] [class=CLASS]",
            help="Target in the first frame: left, top, width, height in pixels, 0-based; outputs "
            "carry its name and class. Repeat for more.",
        ),
    ] = ()
    pick: Annotated[
        bool,
        arg(
            help="Draw the targets on a page in the browser, with names and classes. Without --box "
            "and --boxes this is what happens at a terminal with a browser."
        ),
    ] = False
    show: Annotated[
        bool,
        arg(
            help="Show the result while it is tracked: in a window where OpenCV has windows, "
            "otherwise on a page in the browser."
        ),
    ] = False
    called: Suppress[tuple[tuple[str, str], ...]] = ()
    """Name and class of each box, from its `name=` and `class=`; empty where it has none."""
    boxes: Path | None = None
    """File with one target a line: `left top width height` or `frame id left top width height`."""
    detections: Annotated[
        Path | None,
        arg(
            help="What a detector sees in each frame, .jsonl or MOT text, or the detector, .onnx "
            "in the layout of YOLOv8 or YOLOX: corrects the targets, finds them again, and keeps "
            "other objects from taking their place."
        ),
    ] = None
    detection_score: Annotated[
        float | None,
        arg(
            metavar="SCORE",
            help="With --detections: leave out what scores lower; by default nothing of a file, "
            "and what is below 0.3 of a detector.",
        ),
    ] = None
    detection_classes: tuple[str, ...] = ()
    """With --detections NAME.onnx: classes to keep, by name or number; all by default."""
    detection_every: int = 1
    """With --detections NAME.onnx: run the detector in every n-th frame."""
    ruler: Annotated[
        Path | None,
        arg(
            help="Write the first frame to this .png with lines numbered in pixels, to read a box "
            "off, with any given boxes drawn in, and do not track."
        ),
    ] = None
    model: ModelName = DEFAULT
    out: Annotated[
        UseAppendAction[tuple[Path, ...]],
        arg(
            help="Output file. Its suffix chooses the format: .mp4 (annotated video), .csv, "
            ".jsonl, .json (COCO), .xml (CVAT) or .zip (YOLO); FORMAT:FILE names it, such as "
            "yolo-seg:a.zip. Repeat for more."
        ),
    ] = ()
    mot: Path | None = None
    """Output file in MOTChallenge text, 1-based."""
    otb: Path | None = None
    """Output file in OTB text, 1-based."""
    keyframes: Annotated[
        float | None,
        arg(
            metavar="PIXELS",
            help="For .xml (CVAT): only as many key frames as keep each side of a box within so "
            "many pixels when CVAT interpolates between them; by default every frame is one.",
        ),
    ] = None
    images: Annotated[
        bool,
        arg(
            help="For .zip (YOLO): the frames as JPEG, too, to train on it as it is; frames in "
            "which a target is lost are left out."
        ),
    ] = False
    start: int = 0
    """First frame, counted from 0."""
    end: int | None = None
    """First frame to leave out."""
    stride: int = 1
    """Use every n-th frame."""
    latest: bool = False
    """For cameras and streams: always use the newest frame, and count the dropped ones."""
    runtime: RuntimeName = AUTO
    precision: PrecisionName = "auto"
    threads: int = 0
    """Threads of the network; 0 lets the engine choose, or takes half of the cores where an
    annotated video is written beside it."""
    redetect: bool = False
    """Search more of the frame while a target is lost."""
    moving_camera: bool = False
    """Look for targets where the motion of the whole frame carries them, for cameras that shake."""
    smooth: int = 0
    """Average each box over so many frames before and after it; results come that much later."""
    masks: Annotated[
        bool,
        arg(
            help="Find the pixels of each target as well: outlines in .mp4, segmentations in .json "
            "(COCO), .jsonl and .xml, and the formats cvat-masks, yolo-seg, yolo-obb, davis, vot "
            "and vot-rotated."
        ),
    ] = False
    fine_masks: bool = False
    """As --masks, with outlines refined at the frame's resolution; about three times as slow."""
    codec: str | None = None
    """Codec of annotated videos: h264 (default), vp9 or av1 (without GPL libraries), mpeg4; in
    hardware h264-nvenc, -qsv, -amf, -videotoolbox or -v4l2m2m."""
    preset: str | None = None
    """Preset of h264: ultrafast, superfast, veryfast (default) ... veryslow for smaller files."""
    overwrite: bool = False
    """Replace existing outputs."""
    json: bool = False
    """Print the summary as JSON."""
    quiet: bool = False
    """Show no progress bar."""

    def run(self) -> None:
        """Track and print a summary."""
        if self.ruler is not None:
            check_outputs([self.ruler], self._inputs())
            print(write_ruler(self.ruler, self._open(), self.box, self.overwrite))
            return
        # What is wrong with the words is said before anybody draws a box
        targets, files = self._targets(), self._files()
        asks = self.pick or (not targets.starts and may_ask())
        if not (targets.starts or asks):
            raise ValueError(
                "no target: give --box LEFT TOP WIDTH HEIGHT, or --boxes FILE, or --pick to draw "
                "them on a page; --ruler first.png writes the first frame to read a box off, "
                "`siamtrack studio VIDEO` draws boxes in the browser and corrects them"
            )
        self._check_files([path for path, _ in files], targets)
        self._style(targets, files)
        detections = self._detections()
        with contextlib.ExitStack() as stack:
            video = stack.enter_context(self._open())
            served = asks or (self.show and not windowed())
            server = stack.enter_context(LocalServer()) if served else None
            if server is not None and has_browser():
                stack.enter_context(opened(server.address, delay=0.1, title="siamtrack"))
            page = PageViewer(server) if server and self.show and not windowed() else None
            if asks and server is not None:
                video, targets = self._picked(server, video, targets, page is not None)
                self._check_files([path for path, _ in files], targets)
            summary = self._track(video, targets, files, detections, server, page)
        out = sys.stdout if files else sys.stderr
        print(json.dumps(summary) if self.json else as_text(summary), file=out)

    def _track(
        self,
        video: VideoSource,
        targets: Targets,
        files: Files,
        detections: Detections | Detect | None,
        server: LocalServer | None,
        page: PageViewer | None,
    ) -> dict[str, object]:
        """Track, tell an open page how far it is, and show the frames if they are to be seen."""
        tracker = load(
            self.model,
            runtime=self.runtime,
            precision=self.precision,
            threads=network_threads(self.threads, files),
            redetect=self.redetect,
            moving_camera=self.moving_camera,
            masks="fine" if self.fine_masks else self.masks,
        )
        style = self._style(targets, files)
        with _viewer(self.show, page, server, Path(video.name).name, style) as viewer:
            summary = run_track(
                video,
                targets.starts,
                tracker,
                model=self.model,
                files=files,
                smooth=self.smooth,
                detections=detections,
                overwrite=self.overwrite,
                quiet=self.quiet,
                style=style,
                table=not (self.show and sys.stdout.isatty()),
                viewer=viewer,
                state=None if server is None else server.state,
            )
        if server is not None:
            made = ", ".join(path.name for path, _ in files)
            text = f"{summary['frames']} frames are tracked" + (
                f", {made} written." if made else "."
            )
            server.finish(text=text)
        return summary

    def _detections(self) -> Detections | Detect | None:
        """Return what a detector saw, or the detector.

        Raises:
            ValueError: If there are options for a detector, and no detector.
        """
        path, least = self.detections, self.detection_score
        if path is not None and path.suffix.lower() == ".onnx":
            detector = OnnxDetector(
                path,
                least=SURE if least is None else least,
                classes=self.detection_classes,
                threads=self.threads,
            )
            return EveryNth(detector, self.detection_every)
        if self.detection_classes or self.detection_every != 1:
            raise ValueError(
                "--detection-classes and --detection-every are for a detector that is run here: "
                "give --detections NAME.onnx"
            )
        if path is None and least is not None:
            raise ValueError(f"--detection-score {least:g} without --detections: give both")
        return None if path is None else read_detections(path, least=least or 0.0)

    def _files(self) -> Files:
        """Return the outputs."""
        files: Files = [_named(path) for path in self.out]
        without = [kind for _, kind in files if kind and getattr(SINKS[kind], "needs_masks", False)]
        if without and not (self.masks or self.fine_masks):
            raise ValueError(f"--out {without[0]}:... holds nothing but masks: add --masks")
        return files + [
            (path, kind) for path, kind in ((self.mot, "mot"), (self.otb, "otb")) if path
        ]

    def _check_files(self, outputs: list[Path], targets: Targets) -> None:
        """Refuse to write to what is read, or over what is there, before anything is opened."""
        if self.mot is not None and targets.classes:
            outputs = [*outputs, labels_file(self.mot)]
        if self.otb is not None:
            outputs = outputs + [numbered(self.otb, k) for k in range(2, len(targets.ids) + 1)]
        check_outputs(outputs, self._inputs())
        if self.pick or not targets.starts:  # otherwise said when they are opened
            for path in outputs:
                refuse_existing(path, self.overwrite)

    def _inputs(self) -> list[Path]:
        given = [path for path in (self.boxes, self.detections) if path is not None]
        return [*source_files(self.source), *given, *model_paths(self.model)]

    def _open(self) -> VideoSource:
        source = int(self.source) if self.source.isdecimal() else self.source
        return open_video(
            source,
            start=self.start,
            end=self.end,
            stride=self.stride,
            latest=self.latest,
            ahead=AHEAD,
            planes=writes_video(self._files()),
        )

    def _targets(self) -> Targets:
        """Return the targets of `--boxes` and `--box`; the latter get the first ids that are free.

        Raises:
            ValueError: If `--boxes` is given together with `--pick`.
        """
        if self.boxes is not None and self.pick:
            raise ValueError("--pick with --boxes: draw boxes or read them; --box may be given")
        found = Targets(read_boxes(self.boxes, self.start) if self.boxes else {})
        taken = found.ids
        numbers = range(len(taken) + len(self.box))
        free = [number for number in numbers if number not in taken][: len(self.box)]
        called = self.called or (("", ""),) * len(self.box)
        for number, box, (name, label) in zip(free, self.box, called, strict=True):
            found.add(number, Picked(self.start, box, name, label))
        return found

    def _picked(
        self, server: LocalServer, video: VideoSource, given: Targets, shows: bool
    ) -> tuple[VideoSource, Targets]:
        """Return what to track in, and what somebody draws on the page."""
        path = Path(self.source)
        is_clip = path.is_dir() or (path.is_file() and path.suffix.lower() not in IMAGE_SUFFIXES)
        boxes = [
            Picked(frame, box, given.names.get(number, ""), given.classes.get(number, ""))
            for frame, targets in given.starts.items()
            for number, box in targets.items()
        ]
        pictures = Pictures(video, path if is_clip else None)
        drawn, source = pick(pictures, server, given=boxes, onward="/show" if shows else "")
        found = Targets()
        for number, target in enumerate(drawn):
            found.add(number, target)
        return source, found

    def _style(self, targets: Targets, files: Files) -> Style:
        """Return how outputs show the targets.

        Raises:
            ValueError: If there are key frames to choose, or images, and no file that has them.
        """
        suffixes = {path.suffix.lower() for path, _ in files}
        if self.images and ".zip" not in suffixes:
            raise ValueError("--images: no output holds images; add --out NAME.zip (YOLO)")
        if self.keyframes is not None and ".xml" not in suffixes:
            raise ValueError(
                f"--keyframes {self.keyframes:g}: no output has key frames; add --out NAME.xml "
                "(CVAT)"
            )
        names, classes = targets.names, targets.classes
        return Style(names, classes, self.keyframes, self.images, self.codec, self.preset)


def _named(path: Path) -> tuple[Path, str | None]:
    """Return the file and the format of FORMAT:FILE; a format that nobody knows is part of a name.

    Example:
        >>> [(path.name, kind) for path, kind in map(_named, (Path("vot:a.txt"), Path("b:c.csv")))]
        [('a.txt', 'vot'), ('b:c.csv', None)]
    """
    kind, colon, name = str(path).partition(":")
    return (Path(name), kind) if colon and name and kind in SINKS else (path, None)


@contextlib.contextmanager
def _viewer(
    shows: bool, page: PageViewer | None, server: LocalServer | None, title: str, style: Style
) -> Iterator[Viewer | None]:
    """Give what shows the frames: a page that is open, or a window."""
    if not shows:
        yield None
        return
    if page is not None and server is not None:
        page.style = style
        server.state |= {"state": "tracking", "name": title}
        server.add_page("/", "show.html")
    viewer: Viewer = page or Window(f"siamtrack: {title}", style)
    try:
        yield viewer
    finally:
        viewer.close()
