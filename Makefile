# Everything a contributor runs. `make` alone lists it.

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet

.DEFAULT_GOAL := help
.PHONY: help demo test lint types bench docs peers screens

help: ## Show this list
	@echo "fhir-portal-adapter"
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16
	@echo "Options go in ARGS, for example: make demo ARGS=--once"

demo: $(VENV)/.installed ## See it work: a made-up EHR, portal and mailbox on this machine
	@$(BIN)/adapter demo $(ARGS)

test: $(VENV)/.installed-dev $(if $(filter true,$(CI)),$(VENV)/peers/.installed) ## Run every test (PostgreSQL ones too where its programs are installed)
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal $(ARGS)

peers: $(VENV)/peers/.installed ## Install the FHIR servers that some tests read (fhirsnake; Medplum's, with npm)

lint: $(VENV)/.installed-dev ## Check style, layers and dependencies
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/deptry .

types: $(VENV)/.installed-dev ## Check types, strictly
	$(BIN)/mypy

bench: $(VENV)/.installed-dev ## Measure speed and memory, as ratios inside one run
	@$(BIN)/python -m benchmarks $(ARGS)

screens: $(VENV)/.installed-dev ## Make a picture of every page of the desk, in var/screens
	@$(BIN)/python docs/write_screens.py $(ARGS)

docs: $(VENV)/.installed-dev ## Write again what is written from the code: commands, faults, permissions, sentences to translate
	@$(BIN)/python docs/write_commands.py
	@$(BIN)/python docs/write_faults.py
	@$(BIN)/python docs/write_words.py
	@$(BIN)/python docs/write_permissions.py

# The virtual environment is made once, and installed into again only when what it depends on changed.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Python 3.11 or newer is needed; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 | head -1)."; \
	  echo "Install it, or name another one: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@echo "Making a virtual environment in $(VENV) ..."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "'$(PYTHON) -m venv' failed; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing fhir-portal-adapter ..."
	@$(PIP) install -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing fhir-portal-adapter and its tools ..."
	@$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $(VENV)/.installed $@

$(VENV)/peers/.installed: tests/peers/medplum/package.json tests/peers/fhirsnake/requirements.txt | $(VENV)/.installed-dev
	@echo "Installing the FHIR servers that the tests read ..."
	@rm -rf $(VENV)/peers && mkdir -p $(VENV)/peers/medplum
	@$(PIP) install --no-deps --target $(VENV)/peers/fhirsnake -r tests/peers/fhirsnake/requirements.txt
	@cp tests/peers/medplum/package.json $(VENV)/peers/medplum
	@cd $(VENV)/peers/medplum && npm install --no-audit --no-fund --no-package-lock --ignore-scripts --loglevel=error
	@touch $@
