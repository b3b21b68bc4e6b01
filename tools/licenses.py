"""Write docs/licenses.md from what pip-licenses says of an environment: PIP-LICENSES PYTHON."""

import subprocess
import sys
from pathlib import Path

tool, python = sys.argv[1:]
file = Path(__file__).parent.parent / "docs" / "licenses.md"
head = file.read_text().partition("| Name")[0]
command = [tool, f"--python={python}", "--format=markdown", "--order=name"]
rows = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
file.write_text(head + "\n".join(row for row in rows if not row.startswith("| siamtrack ")) + "\n")
