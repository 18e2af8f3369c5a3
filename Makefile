# Everything that is done to this project; each target makes what it needs from nothing but Python and a network.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
RUNTIME := $(VENV)/.installed
TESTING := $(VENV)/.installed-with-tests
METADATA := setup.cfg setup.py pyproject.toml constraints.txt $(wildcard router/index_core/*)
PARALLEL := -n 2 --dist loadfile

# $(call suite,FOLDER,OPTIONS): a folder may still be empty; one with tests of which none runs is an error.
suite = if find tests/$(1) -name 'test_*.py' 2>/dev/null | grep -q .; \
	then $(BIN)/pytest tests/$(1) $(2) $(ARGS); else echo 'tests/$(1): no tests yet'; fi

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help test lint types imports unit contract e2e browser demo wheel constraints clean

help: ## List the targets
	@sed -n 's/^\([a-z0-9]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name text; \
		do printf '%-12s %s\n' "$$name" "$$text"; done

test: lint types imports ## Check and test everything
	$(BIN)/python -m tests.servers $(MAKE) --no-print-directory unit contract e2e browser

lint: $(TESTING) ## Check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(TESTING) ## Check types
	$(BIN)/mypy

imports: $(TESTING) ## Check that imports point down
	$(BIN)/lint-imports --no-logo

unit: $(TESTING) ## Test each room by itself; ARGS go to pytest
	$(BIN)/pytest tests/unit $(PARALLEL) $(ARGS)

contract: $(TESTING) ## Test every backend against the same expectations
	@$(call suite,contract,$(PARALLEL))

e2e: $(TESTING) ## Test the whole, as processes
	@$(call suite,e2e,-m 'not browser' $(PARALLEL))

browser: $(TESTING) ## Test the pages in a browser
	@if grep -rqs 'mark\.browser' tests/e2e; \
		then $(BIN)/pytest tests/e2e -m browser $(ARGS); else echo 'tests/e2e: no browser tests yet'; fi

demo: $(RUNTIME) ## Run the demonstration; ARGS go to it
	@$(BIN)/clarion demo $(ARGS)

wheel: $(TESTING) ## Build the wheel into dist/
	$(BIN)/python -m build --wheel

# From an environment of its own, so that nothing slips in that a developer has installed besides.
constraints: $(VENV)/.made ## Pin the newest versions of all dependencies in constraints.txt
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && $(BIN)/python -m venv "$$folder/venv" && \
	pip="$$folder/venv/bin/python -m pip --disable-pip-version-check" && \
	$$pip install --quiet --upgrade -e '.[test]' setuptools wheel && \
	sed -n '/^#/p' constraints.txt > "$$folder/pins" && \
	$$pip freeze --all --exclude-editable --exclude pip >> "$$folder/pins" && \
	cp "$$folder/pins" constraints.txt

clean: ## Remove all that was made, the virtual environment too
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .hypothesis .pytest_cache .import_linter_cache
	rm -f router/_index_core.*.so
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Python 3.11 or newer is needed; name one with: make PYTHON=python3.12' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || \
			{ echo 'Python lacks the module venv; install it, as with: apt-get install python3-venv' >&2; exit 1; }; \
		apt-get update --quiet && DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes python3-venv; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(RUNTIME): $(METADATA) | $(VENV)/.made
	$(PIP) install --quiet --constraint constraints.txt --editable .
	@touch $@

$(TESTING): $(METADATA) | $(VENV)/.made
	$(PIP) install --quiet --constraint constraints.txt --editable '.[test]'
	@touch $(RUNTIME) $@
