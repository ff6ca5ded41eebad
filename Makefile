# make demo: the full pipeline on handwritten digits. make test: lint, types and all tests. Each sets up .venv first, once.
# PYTHON=python3.12 make test selects the interpreter (3.10 to 3.13).
PYTHON ?= python3
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
INSTALLED := .venv/.installed-$(VERSION)
BIN := .venv/bin
# Tests start many interpreters, each of which would compile all that it imports where this is set, as in many containers.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: setup demo test lint style types tests clean

setup: $(INSTALLED)

# mmcv is built without seeing torch, which leaves its compiled operators out: seconds instead of minutes. Python compiles
# what is imported when it is first imported, a small part of what is installed.
$(INSTALLED): setup.py constraints.txt
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt --editable '.[dev,demo]'
	touch $@

demo: setup
	$(BIN)/python projects/digits_demo/run_demo.py

lint: style types

style: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

# Types are checked beside the tests: both start on one core.
test: style
	$(MAKE) --no-print-directory --jobs 2 types tests

# Two processes on one thread each: threads of two processes that share two cores wait for each other.
tests: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

clean:
	rm -rf .venv data/digits work_dirs/*_digits work_dirs/digits_comparison
