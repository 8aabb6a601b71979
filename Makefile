# `make help` lists the targets. Everything a target needs is installed by the target.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
NAME ?= whisper-operator
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
export PYTHONPATH := tests:images:.
# The tests start the programs hundreds of times: their byte code is kept.
unexport PYTHONDONTWRITEBYTECODE
# As the workers' images have it: memory in huge pages and two heaps, one thread for numpy's sums.
LIKE_IMAGES := GLIBC_TUNABLES=glibc.malloc.hugetlb=1 MALLOC_ARENA_MAX=2 OPENBLAS_NUM_THREADS=1

.PHONY: help
help: ## Say what each target does
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'

$(VENV)/.installed: requirements/dev.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements/dev.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

.PHONY: venv
venv: $(VENV)/.installed ## Make .venv with the locked dependencies and both packages

.PHONY: lock
lock: venv ## Lock the dependencies again (requirements/*.lock)
	for extra in operator transcriber worker dev; do \
	  $(BIN)/uv pip compile pyproject.toml --extra $$extra --universal --python-version 3.11 --generate-hashes \
	    --no-header --no-annotate --quiet --upgrade --output-file requirements/$$extra.lock; done

.PHONY: format
format: venv ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix --quiet .

.PHONY: generate
generate: venv ## Write the generated files again: crds/, the chart's copy, the API reference
	$(BIN)/python -m whisper_operator.crdgen

.PHONY: lint
lint: venv ## Formatting, lint, layers and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

.PHONY: check
check: lint tools ## Everything that needs no cluster
	$(MAKE) generate
	git diff --exit-code -- crds charts docs
	$(LIKE_IMAGES) $(BIN)/pytest -n auto --maxprocesses 4 --no-loadscope-reorder -m "not cluster"

.PHONY: tools
tools: venv ## Build and install what clusters and tests are made of (cold: about 25 minutes; then cached)
	$(BIN)/python -m testbed build
	$(BIN)/python -m testbed torch

.PHONY: cluster
cluster: venv ## Make a Kubernetes cluster (NAME=whisper-operator): kind where Docker answers, else a node of our own
	$(BIN)/python -m testbed up --name $(NAME)

.PHONY: cluster-down
cluster-down: venv ## Remove the cluster NAME and all that belongs to it
	$(BIN)/python -m testbed down --name $(NAME)

.PHONY: images
images: venv ## Build the container images; what did not change is not built again
	$(BIN)/python -m build_images

.PHONY: demo
demo: venv ## From nothing to the transcript of human speech on a real cluster
	$(BIN)/python -m demo --name $(NAME)

.PHONY: test
test: check images ## Everything: checks, then the tests on a real cluster
	$(BIN)/pytest -n 2 --no-loadscope-reorder -m cluster

.PHONY: bench-engine
bench-engine: venv ## The engine beside its peers in one run (docs/benchmarks.md; ARGS="clips --rounds 5")
	$(LIKE_IMAGES) $(BIN)/python -m benchmarks.engine $(ARGS)

.PHONY: bench-operator
bench-operator: venv ## 1000 WhisperTranscribers beside a bare loop of the same manifests (ARGS="--count 100 --jobs 500")
	$(BIN)/python -m benchmarks.operator $(ARGS)

.PHONY: bench-api
bench-api: venv ## The API beside a bare upload, under a crowd, and without its servers in turn (ARGS="load --clients 50")
	$(BIN)/python -m benchmarks.api $(ARGS)

.PHONY: bench
bench: bench-engine bench-operator bench-api ## All benchmarks

.PHONY: clean
clean: ## Remove what the targets above made in this folder (not the caches outside it)
	rm -rf $(VENV) build dist
