"""`siamtrack plugins`: what other packages add."""

from __future__ import annotations

import json
from dataclasses import dataclass

from siamtrack.core.registry import GROUPS, plugins
from siamtrack.errors import PluginError


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
