# Everything a person or a CI machine does with a checkout. Each target makes its own environment first, once.
.POSIX:
.DEFAULT_GOAL := help
VENV = .venv
JOBS = auto
BIN = $(VENV)/bin
INSTALLED = $(VENV)/.installed

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' Makefile

demo: $(INSTALLED) ## run the tour and print who could read what
	@$(BIN)/lab run

test: $(INSTALLED) ## run all tests (ARGS='-k name' passes arguments to pytest; JOBS=0 for one process)
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(ARGS)

lint: $(INSTALLED) ## check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(INSTALLED) ## measure speed and memory (some minutes on an idle machine; fails nothing)
	@$(BIN)/python -m tests.bench.all

lock: ## pin the versions that a fresh install gives today (constraints.txt)
	@.ci/lock > constraints.txt.new && mv constraints.txt.new constraints.txt

install: $(INSTALLED) ## only make the environment (in .venv; VENV=… for another folder, PYTHON=… for another Python)

clean: ## remove what these targets made
	rm -rf .venv* build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(INSTALLED): pyproject.toml constraints.txt
	@python=$$(.ci/pythons | head -n 1) && test -n "$$python" && "$$python" -m venv --clear $(VENV)
	@echo "installing into $(VENV) (about a minute) …" >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

.PHONY: help demo test lint bench lock install clean
