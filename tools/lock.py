"""Leave CUDA out of what uv compiled, and say in the lock file what it is: IN OUT."""

import re
import sys
from pathlib import Path

TESTS = """\
# What `make test` installs, indirect dependencies included, with hashes, for Python 3.11 and later.
# Written by `make lock` with the versions of constraints.txt. torch is missing because its CPU and
# CUDA builds have different hashes under one version, and so are the packages that only its CUDA
# build needs. `make test` installs torch in a second step.
#     pip install --no-deps --require-hashes -r requirements.lock && pip install torch==2.13.0
"""
DEMO = """\
# What `make demo` installs, indirect dependencies and the build backend included, with hashes, for
# Python 3.11 and later. Written by `make lock` with the versions of constraints.txt.
#     pip install --no-deps --require-hashes -r requirements-demo.lock
"""

source, target = map(Path, sys.argv[1:])
blocks = re.split(r"\n(?=[a-z0-9])", source.read_text().strip())
kept = [block for block in blocks if not re.match(r"nvidia-|triton|cuda-", block)]
target.write_text((DEMO if "demo" in target.name else TESTS) + "\n".join(kept) + "\n")
source.unlink()
