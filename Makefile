# `make` alone explains itself. Every target does its own set-up; nothing needs to be activated.
SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

ARGS ?=
PARTS := requirements/uv.txt pyproject.toml tools/install.sh
# Once the developers' packages are in, `make up` must not take them out again.
LOCK = $(if $(wildcard .venv/.dev),dev,run)
# Facts that the code knows better are put into the documentation between markers.
COG = .venv/bin/cog -P -I tools -p 'from facts import *; import picture' --verbosity=1
GENERATED = $$(grep -rlF '[[[cog' README.md docs)
COMPILE = .uv/bin/uv pip compile -q --upgrade --universal --generate-hashes --only-binary :all: --no-annotate --no-header

.PHONY: help up test check docs lock bench bench-quick bench-log clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

up: .venv/.run ## Install and start everything on this machine, with a small model (Ctrl-C stops it)
	@trap : INT TERM; .venv/bin/homeport up $(ARGS) || [ $$? = 130 ]

test: .venv/.dev ## Install and run all tests (ARGS="-k word" for some)
	@PYTHONDONTWRITEBYTECODE= .venv/bin/pytest -n 3 --dist worksteal $(ARGS)

check: .venv/.dev ## Format, lint, types, import contracts, generated documentation and catalogue
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/python tools/texts.py --check
	$(COG) --check --check-fail-msg='Run: make docs' $(GENERATED)

docs: .venv/.dev ## Regenerate what is generated and build the site into site/
	.venv/bin/python tools/texts.py
	$(COG) -r $(GENERATED)
	.venv/bin/zensical build --clean

lock: .venv/.run ## Choose newer packages, at least a week old, and write requirements/*.txt
	echo uv | $(COMPILE) - -o requirements/uv.txt
	$(COMPILE) pyproject.toml --extra embedded --group build -o requirements/run.txt
	$(COMPILE) pyproject.toml --extra embedded --group dev --group docs -o requirements/dev.txt

bench: .venv/.dev ## Measure all that is installed and write docs/reference/benchmarks.md
	sh bench/setup.sh
	.venv/bin/python bench/run.py --full $(ARGS)

bench-quick: .venv/.dev ## Measure Homeport beside nginx in about two minutes, for a first impression
	sh bench/setup.sh
	.venv/bin/python bench/run.py --quick $(ARGS)

bench-log: .venv/.dev ## Measure the request log with ten million rows (ARGS="--rows N --postgres")
	.venv/bin/python bench/log.py $(ARGS)

clean: ## Remove what was installed or built; keeps .homeport/, which holds your data
	rm -rf .venv .uv .uv.new site build dist bench/.build bench/.peers tests/.build tests/clients/*/.venv tests/clients/node_modules tests/clients/*/node_modules examples/*/.venv tools/assets/node_modules .*_cache .hypothesis

.venv/.run: requirements/run.txt $(PARTS)
	@sh tools/install.sh $(LOCK)
	@touch $@

.venv/.dev: requirements/dev.txt $(PARTS)
	@sh tools/install.sh dev
	@touch $@ .venv/.run
