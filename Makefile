# Makes a virtual environment, installs the pinned dependencies, and does its job.
PYTHON ?= python3
VENV ?= .venv
INSTALLED := $(VENV)/.installed
DEVELOPING := $(VENV)/.developing

.DEFAULT_GOAL := help
.PHONY: help train test test-reliability test-gpu fuzz lint format clean

help:  ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

train: $(INSTALLED)  ## train on drawn shapes: no download, one minute, after two of installation
	$(VENV)/bin/python -m src.train experiment=shapes_quickstart

test: $(DEVELOPING)  ## run the tests
	$(VENV)/bin/python -m pytest -q -m 'not alone and not reliability and not gpu' -n auto --maxprocesses 8 --dist worksteal
	$(VENV)/bin/python -m pytest -q -m alone

test-reliability: $(DEVELOPING)  ## run the slow promises: kills, signals, hostile files
	$(VENV)/bin/python -m pytest -q -m reliability -n auto --maxprocesses 8 --dist worksteal

test-gpu: $(DEVELOPING)  ## run what needs a CUDA GPU
	$(VENV)/bin/python -m pytest -q -m gpu tests/gpu -n auto --maxprocesses 6

fuzz: $(DEVELOPING)  ## feed 100,000 damaged files and command lines to the readers: some seven minutes
	FUZZ_CASES=100000 $(VENV)/bin/python -m pytest -q -s tests/reliability/test_fuzz.py

lint: $(DEVELOPING)  ## check style, types and the direction of imports
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache

format: $(DEVELOPING)  ## put the style right
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

clean:  ## remove the virtual environment and caches; outputs and data stay
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache *.egg-info build
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is written last: an interrupted installation is done again.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 …")'
	@echo "installing into $(VENV): some minutes, and about 6 GB with PyTorch's CUDA libraries"
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --upgrade pip -c constraints.txt
	$(VENV)/bin/python -m pip install --quiet -c constraints.txt -e .
	@touch $@

$(DEVELOPING): $(INSTALLED)
	$(VENV)/bin/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@
