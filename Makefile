# make demo   set up and track a real clip; says where the annotated video is
# make test   set up and run every check that ends within minutes
# make test-all   the long tests as well
# make fuzz   100,000 and more damaged files, odd boxes and odd frames; FUZZ=cases of each test
# make benchmark  run the default model and its peers over OTB sequences; writes the README's table
#                 OTB=folder of sequences, PEERS=folder of the peers' ONNX files
# make docs       the documentation site, in docs/_build/html; warnings are errors
# make bench      measure speed, memory and cold start beside the peers (siamtrack bench)
PYTHON ?= python3
DEV := .venv
DEMO := .venv-demo
BENCH := .venv-bench
OTB ?= data/OTB
PEERS ?= data/peers
FUZZ ?= 1500

.PHONY: demo test test-all fuzz setup lint docs bench benchmark clean

demo: $(DEMO)/.done
	$(DEMO)/bin/siamtrack demo --out siamtrack_demo.mp4

test: setup lint
	$(DEV)/bin/python -m pytest

test-all: setup lint
	$(DEV)/bin/python -m pytest -m "slow or not slow"

fuzz: setup
	SIAMTRACK_FUZZ=$(FUZZ) $(DEV)/bin/python -m pytest tests/fuzz

lint: setup
	$(DEV)/bin/ruff check .
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/mypy

docs: setup
	$(DEV)/bin/python -m sphinx -E -W --keep-going -b html docs docs/_build/html

benchmark: $(BENCH)/.done
	$(BENCH)/bin/python benchmarks/compare.py otb:$(OTB) --peers $(PEERS)
	$(BENCH)/bin/python benchmarks/readme_table.py

bench: $(BENCH)/.done
	$(BENCH)/bin/siamtrack bench --tracker siamtrack-lite=lite --tracker opencv:kcf \
		--tracker opencv:csrt --tracker opencv:mil $(if $(wildcard $(PEERS)),--peers $(PEERS)) \
		--rounds 9 --targets 1 4 16 64 --accuracy benchmarks/results/dev20/report.json \
		--json benchmarks/results/speed.json --picture benchmarks/results/speed.png --overwrite

setup: $(DEV)/.done

$(DEV)/.done: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DEV)
	$(DEV)/bin/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

$(DEMO)/.done: pyproject.toml
	$(PYTHON) -m venv $(DEMO)
	$(DEMO)/bin/python -m pip install --quiet '.[demo]'
	touch $@

# OpenCV with its contrib modules takes the place of the plain one: KCF and CSRT are in there
$(BENCH)/.done: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet -c constraints.txt -e '.[peers,plots]'
	$(BENCH)/bin/python -m pip uninstall --quiet --yes opencv-python-headless
	$(BENCH)/bin/python -m pip install --quiet opencv-contrib-python-headless
	touch $@

clean:
	rm -rf $(DEV) $(DEMO) $(BENCH) docs/_build docs/cards siamtrack_demo.mp4
