# Everything a developer or a newcomer runs; `make` alone lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help install demo demo3d test test-full test-slow test-gpu bench docs lint format clean

help:
	@grep -E '^[a-z0-9-]+:.*#' $(MAKEFILE_LIST) | sed 's/:.*# /\t/' | expand -t 14

install: $(READY) # make .venv with pinned versions and this package in it

$(READY): pyproject.toml constraints.txt setup.py $(wildcard native/*)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "jaxseg needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ..."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		-c constraints.txt -e '.[demo,test,dev,io,bmz,cluster]'
	@touch $@

demo: $(READY) # train a small 2D model on real nuclei on the CPU, predict, evaluate: 5 minutes
	$(BIN)/jaxseg demo 2d out/demo2d_data
	$(BIN)/jaxseg run --config configs/demo2d.py

demo3d: $(READY) # the same in 3D
	$(BIN)/jaxseg demo 3d out/demo3d_data
	$(BIN)/jaxseg run --config configs/demo3d.py

test: $(READY) # the tests of every part: about 10 minutes on 2 cores
	$(BIN)/python -m pytest -q -n 2 --dist loadfile

test-full: $(READY) # the larger ones, such as whole runs: 5 minutes more
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m 'full and not slow and not gpu'

test-slow: $(READY) # the long ones: kills, larger properties, training, the built wheel
	JAX_DISABLE_MOST_OPTIMIZATIONS=false $(BIN)/python -m pytest -q -m slow

test-gpu: $(READY) # that a GPU computes what a CPU does; install '.[cuda]' before
	JAX_PLATFORMS=cuda,cpu JAX_DISABLE_MOST_OPTIMIZATIONS=false \
		$(BIN)/python -m pytest -q -m gpu tests/gpu

docs: $(READY) # write the pages of options and of BiaPy's keys and documents
	$(BIN)/python docs/write_options.py
	$(BIN)/python docs/write_biapy_keys.py
	$(BIN)/python docs/write_coverage.py

bench: $(READY) # every benchmark, each as a table of ratios measured in one run
	@for file in benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

lint: $(READY) # formatting, style and types, as the pre-commit hooks check them
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(READY) # write the formatting that lint asks for
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: # remove the environment and caches, never results
	rm -rf $(VENV) *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
