"""Leave CUDA out of what uv compiled, and say in the lock file what it is: IN OUT."""

import re
import sys
from pathlib import Path

HEAD = """\
# The full set of `make test` and `make demo` on Python 3.11 and Linux, with hashes: `make lock`.
# torch is not here: its CPU build, which a machine may take from a place of its own, has another
# hash than the one with CUDA under the same version. constraints.txt pins it, and it is installed
# apart; the packages that only the build with CUDA needs are left out as well:
#     pip install --no-deps --require-hashes -r requirements.lock && pip install torch==2.13.0
"""

source, target = map(Path, sys.argv[1:])
blocks = re.split(r"\n(?=[a-z0-9])", source.read_text().strip())
kept = [block for block in blocks if not re.match(r"nvidia-|triton|cuda-", block)]
target.write_text(HEAD + "\n".join(kept) + "\n")
source.unlink()
