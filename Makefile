# `make test` and `make demo` need nothing but Python 3.11 or newer: the first call installs everything into .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
INPUTS ?= 1000
EXTRAS := dev,image,tensorboard,export,serve,sweep,triton

# One thread: two OpenMP threads beside a busy neighbour slow a step many times over.
test test-slow fuzz: export OMP_NUM_THREADS = 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow fuzz docs lint format clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP) ## install into .venv (every other target does it when needed)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'auxrnn needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ...' >&2; exit 1; }
	@echo 'Installing into $(VENV): a minute or more, once.'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@

demo: $(STAMP) ## learn a long made task, measure memory, follow a stream: pictures in runs/demo
	$(BIN)/auxrnn demo

test: lint ## lint, types and tests, a process a core
	$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal

test-slow: $(STAMP) ## the tests that take long
	$(BIN)/python -m pytest -m slow

fuzz: $(STAMP) ## feed INPUTS damaged files of each format to what reads them
	PYTHONPATH=tests $(BIN)/python -m fuzz --inputs $(INPUTS)

docs: $(STAMP) ## build the site from docs/ into build/docs; any warning is an error
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs,export]'
	$(BIN)/python docs/figures.py
	$(BIN)/sphinx-build -W --keep-going -q -b html docs build/docs

lint: $(STAMP) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy src

format: $(STAMP) ## let ruff format and repair what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove caches and build outputs (.venv stays; delete it by hand to start afresh)
	rm -rf build dist .pytest_cache .ruff_cache .mypy_cache
	find src tests -type d -name __pycache__ -prune -exec rm -rf {} +
