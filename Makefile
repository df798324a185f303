# Needs Python 3.11 or later, make and a package registry; everything else goes into .venv (tools/bootstrap).
#
#   make run         start the system with the simulated exchange, send a first order, serve until Ctrl-C
#   make web         the console page, from web/ into src/fairlead/console; `make run` does it too where Node is
#   make test        the tests
#   make check       format, lint, types, import rules
#   make format      put the code into the format that `make check` wants
#   make bench       the benchmarks, one table
#   make simulate    the seeded world: SEEDS=2000
#   make crash-test  kill -9 under load: KILLS=200
#   make soak        the other long runs: a million mutated FIX messages, storms of reports, FIX in bad weather
#   make docs        the documentation site, into ./site
#   make screenshots     the pictures of the console in docs/assets/console, made anew
#   make docs-generate   write the pages of docs/reference that are made from code
#   make lock        write requirements/*.txt anew from pyproject.toml (LOCK_ARGS=--upgrade for newer versions)
#   make env-fix     compile QuickFIX (minutes, once), so that `make test` has the tests against it
#   make env-api     install a client generator and schemathesis, so that `make test` has the tests with them
#   make env-browser  install playwright-core and axe-core, for the tests in Debian's Chromium; `make test` does it too where Node is
#   make clean       remove the environment, caches and build output; keeps ./data
#
# PYTHON=python3.12 chooses the interpreter; RUN_ARGS, TEST_ARGS, BENCH_ARGS, SIMULATE_ARGS, CRASH_ARGS, SOAK_ARGS are passed on.

VENV := .venv
PY := $(VENV)/bin/python

SEEDS ?= 2000
KILLS ?= 200
# Two for each core, to nine: half of its time a test waits, for another process or for a timer. Soaks compute.
CORES := $(shell getconf _NPROCESSORS_ONLN)
TEST_JOBS ?= $(shell echo $$(($(CORES) < 5 ? 2 * $(CORES) : 9)))
SOAK_JOBS ?= $(shell echo $$(($(CORES) < 8 ? $(CORES) + 1 : 9)))

export KILLS

# Many machines set this. Without its bytecode every start of `fairlead` compiles it anew, 0.3 s, and the tests start hundreds.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run web web-try test check format bench simulate crash-test soak screenshots docs docs-generate lock clean env-run env-dev env-docs env-fix env-api env-browser

help:
	@sed -n 's/^#   //p' Makefile

env-run:
	@PYTHON="$(PYTHON)" tools/bootstrap run

env-dev:
	@PYTHON="$(PYTHON)" tools/bootstrap dev

env-docs:
	@PYTHON="$(PYTHON)" tools/bootstrap docs

env-fix:
	@PYTHON="$(PYTHON)" tools/bootstrap fix

env-api:
	@PYTHON="$(PYTHON)" tools/bootstrap api

env-browser:
	@tools/browser install

run: env-run web-try
	@exec $(VENV)/bin/fairlead up --demo $(RUN_ARGS)

web:
	@tools/web build

web-try:
	@tools/web try

test: env-dev web-try
	@tools/browser try
	$(PY) -m pytest -n $(TEST_JOBS) --dist loadfile $(TEST_ARGS)

check: env-dev
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/ruff check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	tools/web check

format: env-dev
	$(VENV)/bin/ruff format
	$(VENV)/bin/ruff check --fix

bench: env-dev
	$(PY) -m benchmarks $(BENCH_ARGS)

simulate: env-run
	$(VENV)/bin/fairlead simulate --seeds $(SEEDS) $(SIMULATE_ARGS)

crash-test: env-dev
	$(PY) -m pytest -m soak tests/crash -s --timeout 0 $(CRASH_ARGS)

soak: env-dev
	$(PY) -m pytest -m soak --ignore tests/crash -n $(SOAK_JOBS) --dist loadfile --timeout 0 $(SOAK_ARGS)

# The theme's makers print an advertisement on every build; this is its switch.
docs: env-docs
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --quiet
	$(PY) tools/check_site.py site

# Pictures of every page and step of the console, in both colour schemes; look at them before they are committed.
screenshots: env-dev web env-browser
	$(PY) -m tests.browser.tour docs/assets/console

docs-generate: env-dev
	$(PY) -m tools.generate_docs

lock: env-run
	tools/lock $(LOCK_ARGS)

clean:
	rm -rf $(VENV) .venv.lock dist build site htmlcov .coverage* .hypothesis .import_linter_cache .mypy_cache \
		.pytest_cache .ruff_cache src/fairlead/console web/node_modules tests/browser/node_modules tests/browser/failures web/dist web/.built web/.checked web/.lock web/.log
	find src tests benchmarks tools -name __pycache__ -type d -prune -exec rm -rf {} +
