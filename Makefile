# `make demo` and `make test` do all of their own set-up, in .venv; run again, they start at once.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test docs check setup clean

demo: setup
	$(BIN)/sinefield fit camera --size 256 --seconds 45 -o out/camera.safetensors --report out
	@echo "look at out/sheet.png"

test: setup
	$(BIN)/python -m pytest

docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "look at site/index.html"

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	$(BIN)/python -m pytest

setup: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "error: sinefield needs Python 3.10 or newer; this is " + sys.version.split()[0] + " (try: make PYTHON=python3.12 …)")'
	@echo "setting up .venv with pinned versions; this takes a minute or more, once"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

clean:
	rm -rf .venv out build site *.egg-info
