"""`siamtrack data`: check training data, import one's own, cut crops, pack shards."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

from tqdm import tqdm
from tyro.conf import Positional, UseAppendAction, arg, subcommand

from siamtrack.core.files import noting_files
from siamtrack.core.writing import check_outputs
from siamtrack.data.prepare import CropConfig
from siamtrack.errors import DatasetError


@dataclass(frozen=True)
class Check:
    """Count images, tracks and boxes of training data, and name what is missing or broken."""

    source: Annotated[Positional[str], arg(metavar="SOURCE")]
    """Manifest, or NAME:PATH with a name of docs/training-data.md, such as got10k:/data/GOT-10k."""
    decode: bool = False
    """Decode every image, which takes long but also finds damaged ones."""
    strict: bool = False
    """Exit with code 2 if anything is wrong."""
    names: int = 5
    """Number of problems of each kind to list."""
    json: bool = False
    """Print JSON."""

    def run(self) -> None:
        """Check and print."""
        if self.names < 0:
            raise ValueError(f"--names {self.names}: expected a number of problems, or 0")
        from siamtrack.data.check import check_training

        report = check_training(self.source, decode=self.decode, progress=bar)
        print(json.dumps(report.to_dict()) if self.json else report.table(self.names))
        if self.strict and report.problems:
            raise DatasetError(
                f"{self.source}: {report.problems} problems: {report.found.summary()}"
            )


@dataclass(frozen=True)
class Import:
    """Turn annotations of CVAT, COCO with videos, MOT or YOLO into a manifest to train on."""

    form: Annotated[Positional[str], arg(metavar="FORMAT")]
    """Format: cvat, coco-video, mot or yolo, or the name of a public data set."""
    source: Annotated[Positional[Path], arg(metavar="SOURCE")]
    """The annotations: a file, or the folder that the tool wrote."""
    out: Annotated[Positional[Path], arg(metavar="OUT")]
    """Manifest to write (.jsonl), or the folder for it."""
    images: Path | None = None
    """Folder of the frames, or the annotated video; by default, looked for beside SOURCE."""
    overwrite: bool = False
    """Replace an existing manifest."""
    json: bool = False
    """Print JSON."""

    def run(self) -> None:
        """Import and say what was written and what left out."""
        from siamtrack.data.annotations import import_annotations

        done = import_annotations(
            self.form, self.source, self.out, self.images, overwrite=self.overwrite
        )
        if self.json:
            print(json.dumps(asdict(done) | {"manifest": str(done.manifest)}))
            return
        print(
            f"wrote {done.manifest}: {done.boxes:,} boxes, {done.tracks:,} tracks, "
            f"{done.images:,} images"
        )
        if left_out := done.found.summary():
            print(f"left out: {left_out}")


@dataclass(frozen=True)
class Prepare:
    """Cut a crop around every object once. A run that was killed resumes when started again."""

    data: UseAppendAction[tuple[str, ...]]
    """Manifest or NAME:PATH. Repeat for more."""
    out: Path
    """Folder for the crops and their manifest.jsonl."""
    crop: CropConfig = field(default_factory=CropConfig)
    """Size of the crops."""
    every: int = 1
    """Use every n-th box of a track."""
    workers: int = 0
    """Number of threads; 0 is one per processor."""
    overwrite: bool = False
    """Cut again what was cut from images that have changed since."""
    json: bool = False
    """Print JSON."""

    def run(self) -> None:
        """Cut and say what was written."""
        from siamtrack.data.annotations import read_all
        from siamtrack.data.prepare import prepare

        with noting_files() as read:
            entries = read_all(self.data)
        check_outputs([self.out / name for name in ("manifest.jsonl", "crops.json")], read)
        done = prepare(
            entries,
            self.out,
            self.crop,
            every=self.every,
            workers=self.workers or None,
            overwrite=self.overwrite,
            progress=bar,
        )
        if self.json:
            counts = {"crops": done.crops, "new": done.new, "outside": done.outside}
            about = {"manifest": str(done.manifest), **counts, "unreadable": done.faults.bad}
            print(json.dumps(about))
            return
        print(f"wrote {done.manifest}: {done.crops:,} crops, {done.new:,} of them new")
        if done.faults.bad:
            print(f"left out: {done.faults.summary()}")
        if done.outside:
            print(f"left out: {done.outside} boxes outside their images")


@dataclass(frozen=True)
class Pack:
    """Write images and boxes as WebDataset shards, for clusters; needs the extra `shards`."""

    data: UseAppendAction[tuple[str, ...]]
    """Manifest (usually of crops) or NAME:PATH. Repeat for more."""
    out: Path
    """Folder for train-000000.tar and so on."""
    megabytes: float = 256
    """Size at which a shard is closed."""
    overwrite: bool = False
    """Replace existing shards."""
    json: bool = False
    """Print JSON."""

    def run(self) -> None:
        """Pack and say what was written."""
        from siamtrack.data.annotations import pack, read_all

        with noting_files() as read:
            entries = read_all(self.data)
        check_outputs([*self.out.glob("train-*.tar")], read)
        done = pack(
            entries,
            self.out,
            megabytes=self.megabytes,
            overwrite=self.overwrite,
            progress=bar,
        )
        if self.json:
            shards, unreadable = [str(shard) for shard in done.shards], done.faults.bad
            counts = {"images": done.images, "boxes": done.boxes}
            print(json.dumps({"shards": shards, **counts, "unreadable": unreadable}))
            return
        print(
            f"wrote {len(done.shards)} shards to {self.out}: {done.images:,} images, "
            f"{done.boxes:,} boxes; train with --data shards:{self.out}"
        )
        if done.faults.bad:
            print(f"left out: {done.faults.summary()}")


@dataclass(frozen=True)
class Data:
    """Training data: check it, import your own, cut crops, pack shards."""

    verb: Annotated[
        Annotated[Check, subcommand("check", prefix_name=False), arg(name="")]
        | Annotated[Import, subcommand("import", prefix_name=False), arg(name="")]
        | Annotated[Prepare, subcommand("prepare", prefix_name=False), arg(name="")]
        | Annotated[Pack, subcommand("pack", prefix_name=False), arg(name="")],
        arg(name=""),
    ]

    def run(self) -> None:
        """Run the verb."""
        self.verb.run()


def bar(items: Iterable[Any], length: int) -> Iterable[Any]:
    """Show progress on stderr while someone watches."""
    shown: Iterable[Any] = tqdm(items, total=length, unit="image", disable=not sys.stderr.isatty())
    return shown
