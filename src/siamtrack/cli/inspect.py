"""`siamtrack inspect`: what a backbone sees and costs, and whether the guidelines accept it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from siamtrack.errors import MissingExtraError
from siamtrack.runtimes.engines import check_threads

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
