# The few verbs of this house. On a machine with Python 3.11 or newer, git and make, each of them does everything it needs.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test check parts world bench lock clean

PYTHON ?= python3
BIN := .venv/bin
# Tests that share a file share a worker: servers are started once a file, and a file's tests do not race each other.
WORKERS ?= 2
SEED ?= 1
ARGS ?=

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1  —  \2/p' $(firstword $(MAKEFILE_LIST))

demo: .venv/project ## simulated piles, people and field teams around the real daemon; prints its address
	$(BIN)/triage demo $(ARGS)

test: check parts ## everything: lint, types, imports, tests
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --ignore tests/benchmarks $(ARGS)

check: .venv/project ## lint, format, types, import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

parts: .venv/project ## find the servers and the browser the tests use; install those that are absent
	$(BIN)/python -m tests.parts

world: .venv/project ## a simulated fleet under virtual time: make world SEED=7 ARGS="--crash-every 50"
	$(BIN)/python -m simulators world --piles 40 --days 2 --seed $(SEED) $(ARGS)

bench: .venv/project parts ## the benchmarks, one at a time, each beside its goal
	$(BIN)/python -m tests.benchmarks $(ARGS)

lock: .venv/project ## write requirements.lock anew from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --group dev --generate-hashes --universal --python-version 3.11 \
	  --no-emit-index-url --no-emit-find-links --no-header -q -o requirements.lock

clean: ## remove the environment, caches and build results; databases stay
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .tools
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment: made once, filled from the lock with hashes, and again only when the lock changes.
.venv/created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name it with make PYTHON=python3.12 …"; exit 1; }
	@if command -v uv >/dev/null; then uv venv -q --allow-existing --python "$$(command -v $(PYTHON))" .venv; \
	  else $(PYTHON) -m venv .venv \
	    || { echo "Debian keeps venv in a package of its own"; apt-get -q update && apt-get -qy install python3-venv && $(PYTHON) -m venv .venv; } \
	    || { echo "no environment could be made; on Debian and Ubuntu: sudo apt-get install python3-venv"; exit 1; }; fi
	@touch $@

.venv/packages: requirements.lock .venv/created
	@echo "installing the packages of requirements.lock"
	@if command -v uv >/dev/null; then uv pip install -q --python $(BIN)/python --require-hashes -r requirements.lock; \
	  else $(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock; fi
	@touch $@

.venv/project: pyproject.toml .venv/packages
	@if command -v uv >/dev/null; then uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .; \
	  else $(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .; fi
	@touch $@
