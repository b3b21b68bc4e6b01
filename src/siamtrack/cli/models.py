"""`siamtrack models` and `siamtrack plugins`: what there is, and what other packages add."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass

from siamtrack.core.config import to_dict
from siamtrack.core.registry import GROUPS, plugins
from siamtrack.errors import PluginError, SiamtrackError
from siamtrack.packages.card import (
    DEFAULT,
    model_files,
    model_folder,
    model_names,
    packaged_names,
    read_card,
    read_graphs,
)

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
            size = sum((folder / file).stat().st_size for file in model_files(card))
            entries.append((name, card, size))
        if self.json:
            rows = [
                to_dict(c) | {"name": n, "licence": c.license, "bytes": size}
                for n, c, size in entries
            ]
            print(json.dumps(rows))
            return
        for name, card, size in entries:
            mark = " (default)" if name == DEFAULT else ""
            print(f"{name}{mark}: {card.summary}")
            terms = card.license or "license not stated"
            print(f"  {size / 1e6:.1f} MB, {terms}, patches {card.template}/{card.search} px")
            print(f"  trained on {card.trained_on}")
            for what, value in card.scores.items():
                print(f"  {what}: {value:g}")
            for file, digest in zip(model_files(card), card.sha256.values(), strict=True):
                print(f"  sha256 {file} {digest}")


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
