# make demo   set up and track a real clip; says where the annotated video is
# make test   set up and run every check that ends within minutes
# make test-all   the long tests as well, and test-interop
# make test-interop  read our exports with the tools whose versions do not go with ours, such as datumaro
# make test-root  the tests that mount file systems and make network namespaces; as root on Linux
# make test-core  the tests that need no extra, in an environment that has none;
#                 CONSTRAINTS=constraints-oldest.txt PYTHON=python3.10 with the least versions
# make fuzz   100,000 and more damaged files, odd boxes and odd frames; FUZZ=cases of each test
# make benchmark  run the default model and its peers over OTB sequences; writes the README's table
#                 OTB=folder of OTB's sequences, WIDE=folder of others in its layout, PEERS=folder of the peers' ONNX files
# make dist       wheel and sdist, built twice and compared byte by byte, in dist/
# make check-wheel  use the wheel in empty environments of Python 3.10 to 3.13, oldest versions too
# make web        the tracker in the browser, in web/site, for any host of static files; needs Node
# make docs       the documentation site, in docs/_build/html; warnings are errors
# make lock       requirements.lock: what `make test` installs, with hashes, but for torch;
#                 requirements-demo.lock: what `make demo` installs
# make sbom       what the environment of `make test` holds, as CycloneDX, in dist/sbom.json
# make licenses   the licenses of that, in docs/licenses.md
# make audit      known vulnerabilities of that; says so if the advisory database of PyPI is not reached
# make bench      measure speed, memory, cold start, engines and the way from file to file beside the
#                 peers; fills the table at the head of docs/performance.md; on a quiet machine
PYTHON ?= python3
DEV := .venv
DEMO := .venv-demo
BENCH := .venv-bench
DIST := .venv-dist
CORE := .venv-core
INTEROP := .venv-interop
CONSTRAINTS ?= constraints.txt
OTB ?= data/OTB
WIDE ?= data/wide
PEERS ?= data/peers
FUZZ ?= 1500

TOOLS := .venv-tools
LOCK := $(TOOLS)/bin/uv pip compile --quiet --universal --generate-hashes --no-header \
	--no-annotate --no-emit-index-url --python-version 3.11 -c constraints.txt pyproject.toml

.PHONY: web lock sbom licenses audit demo test test-all test-interop test-root test-core dist check-wheel fuzz setup lint docs bench benchmark clean

demo: $(DEMO)/.done
	$(DEMO)/bin/siamtrack demo --out siamtrack_demo.mp4

test: setup lint
	$(DEV)/bin/python -m pytest

test-all: setup lint $(INTEROP)/.done
	$(DEV)/bin/python -m pytest -m "slow or not slow"
	$(MAKE) test-interop

test-interop: $(INTEROP)/.done
	$(INTEROP)/bin/python -m pytest tests/interop/test_exports.py -rs

test-root: setup
	$(DEV)/bin/python -m pytest -m root -rs

test-core:
	rm -rf $(CORE)
	$(PYTHON) -m venv $(CORE)
	$(CORE)/bin/python -m pip install --quiet -c $(CONSTRAINTS) -e . pytest hypothesis
	$(CORE)/bin/python -m pytest tests

dist: $(DIST)/.done
	$(DIST)/bin/python tools/build.py

check-wheel: dist
	$(DIST)/bin/python tools/check_wheel.py dist/*.whl
	$(DIST)/bin/python tools/check_wheel.py dist/*.whl --python python3.10 --oldest

fuzz: setup
	SIAMTRACK_FUZZ=$(FUZZ) $(DEV)/bin/python -m pytest tests/fuzz

lint: setup
	$(DEV)/bin/ruff check .
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/mypy
	$(DEV)/bin/lint-imports --no-logo --no-cache

docs: setup
	$(DEV)/bin/python -m sphinx -E -W --keep-going -b html docs docs/_build/html

web: setup web/node_modules/.package-lock.json
	node web/build.mjs --python $(DEV)/bin/python
	node web/node_modules/typescript/bin/tsc -p web

web/node_modules/.package-lock.json: web/package.json web/package-lock.json
	cd web && npm ci --ignore-scripts --no-audit --no-fund
	touch $@

benchmark: $(BENCH)/.done
	$(BENCH)/bin/python benchmarks/compare.py otb:$(OTB) --peers $(PEERS)
	$(BENCH)/bin/python benchmarks/compare.py folder:$(WIDE) --peers $(PEERS) \
		--out benchmarks/results/wide16
	$(BENCH)/bin/python benchmarks/readme_table.py

# compiled first, as an installation of a wheel is: otherwise every start compiles all modules
bench: $(BENCH)/.done
	$(BENCH)/bin/python -m compileall -q src
	$(BENCH)/bin/siamtrack bench --engines --tracker lite --tracker base --rounds 9 --overwrite \
		--report src/siamtrack/runtimes/engines.json
	$(BENCH)/bin/siamtrack bench --tracker siamtrack-lite=lite \
		$(if $(wildcard src/siamtrack/pretrained/base),--tracker siamtrack-base=base) --tracker opencv:kcf \
		--tracker opencv:csrt --tracker opencv:mil $(if $(wildcard $(PEERS)),--peers $(PEERS)) \
		--rounds 9 --targets 1 4 16 64 --accuracy benchmarks/results/dev20/report.json \
		--report benchmarks/results/speed.json --picture benchmarks/results/speed.png --overwrite
	$(BENCH)/bin/python benchmarks/roofline.py lite --runs 300 --write
	$(BENCH)/bin/python benchmarks/targets.py --write

$(TOOLS)/.done:
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet uv pip-licenses cyclonedx-bom pip-audit
	touch $@

# torch and its CUDA parts are left out: a CPU build has another hash under the same version
lock: $(TOOLS)/.done
	echo hatchling > $(TOOLS)/build.in
	$(LOCK) --all-extras --no-emit-package torch -o requirements.lock.new
	$(TOOLS)/bin/python tools/lock.py requirements.lock.new requirements.lock
	$(LOCK) --extra demo $(TOOLS)/build.in -o requirements.lock.new
	$(TOOLS)/bin/python tools/lock.py requirements.lock.new requirements-demo.lock

sbom: $(TOOLS)/.done setup
	mkdir -p dist
	$(TOOLS)/bin/cyclonedx-py environment $(DEV)/bin/python --output-reproducible -o dist/sbom.json

licenses: $(TOOLS)/.done setup
	$(TOOLS)/bin/python tools/licenses.py $(TOOLS)/bin/pip-licenses $(DEV)/bin/python

audit: $(TOOLS)/.done setup
	$(TOOLS)/bin/python tools/audit.py $(TOOLS)/bin/pip-audit $(DEV)/bin/python

setup: $(DEV)/.done

# every download is verified by its hash, but for torch, whose builds share one version
$(DEV)/.done: pyproject.toml constraints.txt requirements.lock
	$(PYTHON) -m venv $(DEV)
	$(DEV)/bin/python -m pip install --quiet --no-deps --require-hashes -r requirements.lock
	$(DEV)/bin/python -m pip install --quiet -c constraints.txt torch
	$(DEV)/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

$(DIST)/.done: constraints.txt
	$(PYTHON) -m venv $(DIST)
	$(DIST)/bin/python -m pip install --quiet -c constraints.txt hatchling
	touch $@

# the lock files are for Python 3.11 and later; 3.10 takes the newest versions that it can
$(DEMO)/.done: pyproject.toml requirements-demo.lock
	$(PYTHON) -m venv $(DEMO)
	if $(DEMO)/bin/python -c "import sys; sys.exit(sys.version_info < (3, 11))"; then \
		$(DEMO)/bin/python -m pip install --quiet --no-deps --require-hashes \
			-r requirements-demo.lock && \
		$(DEMO)/bin/python -m pip install --quiet --no-deps --no-build-isolation .; \
	else $(DEMO)/bin/python -m pip install --quiet '.[demo]'; fi
	touch $@

# datumaro wants an older pandas and OpenCV than constraints.txt has; only new pips know --group
$(INTEROP)/.done: pyproject.toml
	$(PYTHON) -m venv $(INTEROP)
	$(INTEROP)/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(INTEROP)/bin/python -m pip install --quiet -e . pytest hypothesis --group interop
	touch $@

# OpenCV with its contrib modules takes the place of the plain one: KCF and CSRT are in there
$(BENCH)/.done: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet -c constraints.txt -e '.[peers,plots,demo,openvino]'
	$(BENCH)/bin/python -m pip uninstall --quiet --yes opencv-python-headless
	$(BENCH)/bin/python -m pip install --quiet opencv-contrib-python-headless
	touch $@

clean:
	rm -rf $(DEV) $(TOOLS) $(DEMO) $(BENCH) $(DIST) $(CORE) $(INTEROP) docs/_build docs/cards siamtrack_demo.mp4 web/node_modules web/dist web/site web/generated
