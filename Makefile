# Every command there is. README, hooks and CI call these.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

VENV ?= .venv
# The release that test-sglang runs against; scripts/sglang has the pins of each.
SGLANG ?= 0.5.23
PYTHON ?= python3
BIN := $(abspath $(VENV))/bin
# One optimised profile serves the wheel and the Rust tests, so dependencies are compiled once.
PROFILE ?= quick
FUZZ_SECONDS ?= 60
export PYO3_PYTHON := $(BIN)/python
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Several OpenMP threads that spin on two shared cores are slower than one; set it yourself on a larger machine.
export OMP_WAIT_POLICY ?= PASSIVE

RUST_SOURCES := $(shell find rust proto -name '*.rs' -o -name '*.toml' -o -name '*.proto') Cargo.toml Cargo.lock rust-toolchain.toml

RUST_TESTS = $(if $(shell cargo nextest --version 2>/dev/null),cargo nextest run --cargo-profile $(PROFILE),\
  cargo test --profile $(PROFILE) --lib --bins --tests) -p assay-core -p assay-server

.PHONY: help setup build demo compile-tests test test-rust test-python test-sglang lint fmt proto wheel bench bench-train fuzz clean

help: ## list these commands
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## create .venv with the pinned versions; a torch that is already there is kept

$(VENV)/.installed: constraints.txt pyproject.toml scripts/setup.sh
	@scripts/setup.sh "$(PYTHON)" "$(VENV)"
	@touch $@

build: $(VENV)/.built ## compile the extension and install assay into .venv

$(VENV)/.built: $(VENV)/.installed $(RUST_SOURCES) pyproject.toml
	@VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop --quiet --profile $(PROFILE)
	@touch $@

demo: build ## R1-Zero in miniature: cold start, GRPO with Rust rewards, before/after table, report
	@$(BIN)/assay train recipes/demo.toml --overwrite
	@$(BIN)/assay report runs/demo

test: test-rust test-python ## all tests

compile-tests: ## compile the Rust tests, which takes no Python
	@$(RUST_TESTS) --no-run

test-rust: ## Rust tests and doctests
	@$(RUST_TESTS)
	@cargo test --quiet --doc --profile $(PROFILE) -p assay-core -p assay-server

test-python: build ## Python tests, doctests and the documents' commands
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(PYTEST)

test-sglang: build ## 20 GRPO steps and all weight paths against the real SGLang, release SGLANG (6 GB, not in CI)
	@scripts/test-sglang.sh "$(PYTHON)" "$(SGLANG)"

lint: build ## rustfmt, clippy, ruff, pyright, stubtest, cargo-deny
	@cargo fmt --all --check
	@cargo clippy --quiet --workspace --all-targets -- -D warnings
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright
	@cd "$$(mktemp -d)" && MYPYPATH=$(abspath python) $(BIN)/python -m mypy.stubtest assay._native --concise
	@scripts/deny.sh

fmt: $(VENV)/.installed ## format Rust and Python
	@cargo fmt --all
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

proto: $(VENV)/.installed ## regenerate the wire code from proto/ (no system protoc)
	@$(BIN)/python proto/generate.py

wheel: $(VENV)/.installed ## the release wheel, in dist/
	@$(BIN)/maturin build --release --out dist

bench: build ## every benchmark beside its peer; prints the tables of benches/README.md
	@cargo bench -p assay-core
	@$(BIN)/python benches/python/run.py

fuzz: ## run each fuzz target for FUZZ_SECONDS (60); no nightly toolchain is needed
	@scripts/fuzz.sh $(FUZZ_SECONDS)

clean: ## remove build outputs and the environment
	rm -rf target dist $(VENV) .cache
