# `make run` shows LEAFE work, `make compare` compares it with other methods, `make test` runs the
# tests. Each sets up .venv first.
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: run test compare bench system vllm

run: $(BIN)/.installed
	python -m flows.pipeline

# All methods side by side (comparisons.yaml); `make compare NAME=feedback` for another comparison.
compare: $(BIN)/.installed
	python -m flows.comparison $(NAME)

# What is fast and what it costs: benchmarks/README.md.
bench: $(BIN)/.installed system
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev,bench]"
	python -m benchmarks

test: $(BIN)/.installed system
	ruff check .
	ruff format --check .
	mypy
	pytest -n 2 --hypothesis-profile=ci # without time limits, which a busy core would not meet

# bubblewrap for the environment `code`, Java for `scienceworld`, Chromium for browser tests: installed
# where apt-get may.
system:
	@.ci/install-system-packages

# vLLM for `engine.name: vllm`, in .venv-vllm; where it is, `make test` runs the tests that need it.
vllm: .venv-vllm/.installed

.venv-vllm/.installed: constraints-vllm.txt .ci/install-vllm
	PYTHON=$(PYTHON) .ci/install-vllm

$(BIN)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade "pip>=24"
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@
