# Treadle: `make run` and `make test` set up everything they need in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The recorded scenarios; without them `make test` leaves their tests out.
export CONFORMANCE ?= ../shared/conformance

.PHONY: run test lint types unit simulate chaos bench conformance services picture clean

run: $(VENV)/.installed
	$(BIN)/treadle demo

test: lint types unit

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

# One more than there are processors, because many tests wait for a server or a worker that starts.
TEST_PROCESSES ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)

unit: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist worksteal $(ARGS)

simulate: $(VENV)/.dev
	$(BIN)/python -m tests.simulation $(ARGS)

chaos: $(VENV)/.dev
	$(BIN)/python -m tests.cluster.chaos $(ARGS)

bench: $(VENV)/.dev
	$(BIN)/python -m bench $(ARGS)

conformance: $(VENV)/.dev
	$(BIN)/python -m conformance '$(CONFORMANCE)' $(ARGS)

services: $(VENV)/.dev
	$(BIN)/python tools/aws_services.py

picture: $(VENV)/.dev
	$(BIN)/python docs/draw_demo.py

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Treadle needs Python 3.11 or newer: make PYTHON=python3.12 $@")'
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@# pip does not compile what is installed in place. Where Python may write no bytecode, nobody else would, and every
	@# start would compile it all anew.
	$(BIN)/python -m compileall -q src
	touch $@

$(VENV)/.dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) .treadle .pytest_cache .mypy_cache .ruff_cache
