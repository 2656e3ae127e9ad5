# Needs make and Python >= 3.11; everything else comes into .venv by itself.

# Company proxies sign with certificates of their own: use the system's, as SSL_CERT_FILE does.
UV_NATIVE_TLS ?= 1
export UV_NATIVE_TLS

BIN := .venv/bin
SECONDS ?= 60
INPUTS := pyproject.toml uv.lock .ci/environment

.PHONY: help demo test lint fuzz bench compare services server clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' $(firstword $(MAKEFILE_LIST)) | expand -t 10

demo: .venv/.ready ## a year of taxi data through the whole lake, in a minute
	$(BIN)/lake demo

test: lint ## lint, then the tests
	$(BIN)/pytest -q -n auto --dist loadgroup

lint: .venv/.ready ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fuzz: .venv/.ready ## property tests of typing and reconciliation, for SECONDS=60
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS)

bench: .venv/.ready-bench ## the figures that the README states
	$(BIN)/python -m benchmarks

compare: .venv/.ready-bench ## the same real files through DuckLake, delta-rs, pyiceberg, dlt and us
	$(BIN)/python -m benchmarks.compare

services: .venv/.ready ## object stores and PostgreSQL on loopback to try things with, until Ctrl-C
	$(BIN)/python localstack/services.py

server: .venv/.ready ## a Prefect server on PostgreSQL, with a password, until Ctrl-C
	$(BIN)/lake server

clean: ## remove the environment and the caches
	rm -rf .venv .uv .demo dist .mypy_cache .pytest_cache .ruff_cache

.venv/.ready: $(INPUTS)
	@echo "making .venv; the first time takes a minute" >&2
	@sh .ci/environment
	@touch $@

# A fresh .ready has taken the peers away, so this one follows it.
.venv/.ready-bench: .venv/.ready
	@sh .ci/environment --group bench
	@touch $@
