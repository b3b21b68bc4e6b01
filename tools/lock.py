"""Leave CUDA out of what uv compiled, and say in the lock file what it is: IN OUT."""

import re
import sys
from pathlib import Path

HEAD = """\
# Every package of `make test`, those that others bring included, on Python 3.11 and Linux, with
# hashes. Written by `make lock` with the versions of constraints.txt. torch is missing because its
# CPU build has another hash under the same version, and so are the packages that only its CUDA
# build needs. To install with every download verified:
#     pip install --no-deps --require-hashes -r requirements.lock && pip install torch==2.13.0
"""

source, target = map(Path, sys.argv[1:])
blocks = re.split(r"\n(?=[a-z0-9])", source.read_text().strip())
kept = [block for block in blocks if not re.match(r"nvidia-|triton|cuda-", block)]
target.write_text(HEAD + "\n".join(kept) + "\n")
source.unlink()
