# make demo   set up and track a real clip; says where the annotated video is
# make test   set up and run every check that ends within minutes
# make test-all   the long tests as well
PYTHON ?= python3
DEV := .venv
DEMO := .venv-demo

.PHONY: demo test test-all setup lint benchmark clean

demo: $(DEMO)/.done
	$(DEMO)/bin/siamtrack demo --out siamtrack_demo.mp4

test: setup lint
	$(DEV)/bin/python -m pytest

test-all: setup lint
	$(DEV)/bin/python -m pytest -m "slow or not slow"

lint: setup
	$(DEV)/bin/ruff check .
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/mypy

setup: $(DEV)/.done

$(DEV)/.done: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DEV)
	$(DEV)/bin/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

$(DEMO)/.done: pyproject.toml
	$(PYTHON) -m venv $(DEMO)
	$(DEMO)/bin/python -m pip install --quiet '.[demo]'
	touch $@

clean:
	rm -rf $(DEV) $(DEMO) siamtrack_demo.mp4
