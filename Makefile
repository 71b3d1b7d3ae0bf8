# Each target sets up what it needs in .venv, with pinned versions; the second time it starts at once.

PYTHON ?= python3
BIN := .venv/bin
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

.PHONY: demo test test-all docs lint check release setup clean

demo: .venv/demo
	$(BIN)/sinefield fit camera --size 256 --seconds 45 -o out/camera.safetensors --report out
	@echo "see out/sheet.png"

test: setup
	$(PYTEST) -m "not slow"

test-all: setup
	$(PYTEST)

docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "see site/index.html"

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check: lint release test-all

release: setup
	$(BIN)/python -m benchmarks.release

setup: .venv/dev

.venv/demo: pyproject.toml constraints.txt | .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[image,plot]'
	@touch $@

.venv/dev: pyproject.toml constraints.txt | .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@ .venv/demo

.venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "error: sinefield needs Python 3.10 or newer; this is " + sys.version.split()[0] + " (try: make PYTHON=python3.12 …)")'
	@echo "setting up .venv with pinned versions; this takes a minute or more, once"
	$(PYTHON) -m venv .venv

clean:
	rm -rf .venv out build dist site *.egg-info
