# Thin by intent: every target hands over to typed Python. `make help` lists them.
PYTHON ?= python3
RUN := .venv/bin/python -m cli

.DEFAULT_GOAL := help
.PHONY: help setup demo up test test-fast chaos bench check lock clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "%-12s%s\n", $$1, $$2}' Makefile

setup: ## prepare the Python environment (every other target does this first)
	@$(PYTHON) bootstrap.py

demo: setup ## set everything up, send five real notifications, play two days of a series and an example
	@$(RUN) demo

up: setup ## run the whole stack until Ctrl-C
	@$(RUN) up

test: setup ## run every test
	@$(RUN) dev test

test-fast: setup ## run the everyday tests (about a minute and a half)
	@$(RUN) dev test --fast

chaos: setup ## kill, pause and cut everything under load; print what was lost or doubled (ten minutes)
	@$(RUN) dev chaos

check: setup ## lint, types, layers, secrets, migrations, contracts
	@$(RUN) dev check

bench: setup ## measure rates, latency, costs and peers in one run (half an hour, two cores for itself)
	@$(RUN) dev bench

lock: setup ## resolve the dependencies again and write requirements.lock
	@$(RUN) dev lock

clean: ## remove what set-up and tests created in the checkout (data stays in CARILLON_HOME)
	@rm -rf .venv .boot .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage* build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
