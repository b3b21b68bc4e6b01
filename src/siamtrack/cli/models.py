"""`siamtrack models`, `plugins`, `inspect`: what there is, from whom, and what backbones cost."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from siamtrack.core.config import to_dict
from siamtrack.core.registry import GROUPS, plugins
from siamtrack.errors import MissingExtraError, PluginError, SiamtrackError
from siamtrack.packages.card import (
    DEFAULT,
    model_folder,
    model_names,
    model_paths,
    packaged_names,
    read_card,
    read_graphs,
)
from siamtrack.runtimes.engines import check_threads

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Models:
    """List the models with size, sha256, training data and measured scores."""

    json: bool = False
    """Print JSON."""

    def run(self) -> None:
        """Print one entry for each model, after its files were verified."""
        entries = []
        for name in model_names():
            try:
                folder = model_folder(name)
                card = read_card(folder)
                read_graphs(folder, card)
            except SiamtrackError as error:
                if name in packaged_names():
                    raise
                logger.warning("model %s is left out: %s", name, error)
                continue
            files = model_paths(name)[1:]
            size = sum(file.stat().st_size for file in files)
            entries.append((name, card, files, size))
        if self.json:
            rows = [
                to_dict(c) | {"name": n, "licence": c.license, "bytes": size}
                for n, c, _, size in entries
            ]
            print(json.dumps(rows))
            return
        for name, card, files, size in entries:
            mark = " (default)" if name == DEFAULT else ""
            print(f"{name}{mark}: {card.summary}")
            terms = card.license or "license not stated"
            print(f"  {size / 1e6:.1f} MB, {terms}, patches {card.template}/{card.search} px")
            print(f"  trained on {card.trained_on}")
            for what, value in card.scores.items():
                print(f"  {what}: {value:g}")
            for file, digest in zip(files, card.sha256.values(), strict=True):
                print(f"  sha256 {file.name} {digest}")


@dataclass(frozen=True)
class Plugins:
    """List what other packages add: trackers, data sets, runtimes, models and more."""

    check: bool = False
    """Import each, run the checks of its kind, and report what fails; the exit code is then 2."""
    json: bool = False
    """Print JSON."""

    def run(self) -> None:
        """Print one line for each; nothing is imported unless it is asked for."""
        if self.check:
            from siamtrack.testing import check_plugin
        rows = []
        for plugin in (each for group in GROUPS for each in plugins(group).values()):
            row = {"kind": plugin.kind, "name": plugin.name, "package": plugin.package}
            rows.append(row | {"problem": check_plugin(plugin)} if self.check else row)
        if self.json:
            print(json.dumps(rows))
        else:
            for row in rows:
                problem = f"; {row['problem']}" if row.get("problem") else ""
                print(f"{row['kind']} {row['name']}: {row['package']}{problem}")
            if not rows:
                print("no package adds anything; docs/plug-ins.md shows how one does")
        if bad := sum(bool(row.get("problem")) for row in rows):
            raise PluginError(f"{bad} of {len(rows)} cannot be used")


if TYPE_CHECKING:
    from siamtrack.models.analysis import Analysis


@dataclass(frozen=True)
class Inspect:
    """Measure a backbone: stride, receptive field, padding, cost; needs the extra `train`."""

    name: Annotated[Positional[str], arg(metavar="NAME")]
    """Registered backbone, `all`, or your own as FILE.py:NAME or package.module:NAME."""
    width: float = 1.0
    """Multiplier of all channel counts."""
    template: int = 127
    """Side of the template patch in pixels."""
    search: int = 255
    """Side of the search patch in pixels."""
    repeats: int = 10
    """Runs to take the median latency of; 0 measures none."""
    threads: int = 1
    """Threads of torch."""
    json: bool = False
    """Print JSON."""

    def run(self) -> None:
        """Measure and print; what the guidelines of SiamDW reject is said below the table."""
        try:
            import torch
        except ImportError as error:
            raise MissingExtraError("inspect", "torch", "train") from error
        from siamtrack.models.analysis import analyse
        from siamtrack.models.backbones import BACKBONES
        from siamtrack.models.backbones.backbone import build_backbone

        check_threads(self.threads)
        torch.set_num_threads(max(1, self.threads))
        names = [n for n, _ in BACKBONES.loadable()] if self.name == "all" else [self.name]
        found = []
        for name in names:
            network = build_backbone(name, self.width)
            found.append(analyse(network, name, self.template, self.search, self.repeats))
        print(json.dumps([asdict(each) for each in found]) if self.json else table(found))


def table(found: list[Analysis]) -> str:
    """Write one row for each backbone, then what was flagged."""
    names = [each.name for each in found]
    longest = max(map(len, [*names, "backbone"]))
    lines = [
        f"{'backbone':{longest}}  stride  channels  field px  of template  template  search  "
        "response  shift error  parameters     MACs  weights  activations  latency"
    ]
    for a in found:
        latency = "-" if a.latency_ms is None else f"{a.latency_ms:.1f} ms"
        lines.append(
            f"{a.name:{longest}}  {a.stride:6}  {a.channels:8}  {a.receptive_field:8}  "
            f"{a.field_share:11.0%}  {a.template_cells:8}  {a.search_cells:6}  "
            f"{a.response_cells:8}  {a.shift_error:11.2g}  {a.parameters / 1e6:8.2f} M  "
            f"{a.search_macs / 1e9:5.2f} G  {a.weights_bytes / 1e6:4.1f} MB  "
            f"{a.activation_bytes / 1e6:8.1f} MB  {latency:>7}"
        )
    for a in found:
        lines += [f"{a.name}: {flag}" for flag in a.flags]
    return "\n".join(lines)
