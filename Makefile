# Each target makes .venv when it is missing; nothing but Python 3.10-3.13 and make is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-fast check install clean pictures bench bench-postprocess bench-training

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -q torch==2.13.0
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[dev]'
	touch $@

demo: install
	$(BIN)/sectome demo demo

test: install
	$(BIN)/python -m pytest

test-fast: install
	$(BIN)/python -m pytest -m "not slow"

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_public_api.py

bench: install
	for name in crops augmentation affinities metrics memory; do $(BIN)/python tests/benchmarks/$$name.py; done

# The peers have an environment of their own: some of them pin what we do not.
.venv-peers/installed: constraints.txt
	test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --disable-pip-version-check -q \
		waterz==0.10.1 mwatershed==0.5.4 bioimage-cpp==0.10.0 scikit-image
	touch $@

bench-postprocess: install .venv-peers/installed
	$(BIN)/python tests/benchmarks/postprocess.py --peers .venv-peers/bin/python --csv docs/results/benchmarks/postprocess.csv

bench-training: install
	$(BIN)/python tests/benchmarks/training.py --csv docs/results/benchmarks/training.csv

pictures: install
	$(BIN)/sectome gallery docs/transforms

clean:
	rm -rf $(VENV) .venv-peers demo build dist
