# `make` lists what can be made. Everything happens in .venv; nothing is installed outside it but the servers
# that `make stack` and `make vllm` build, which go to KASCRIBE_CACHE (default: kascribe in the user's cache).

SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# `make setup CUDA=1` adds what a GPU needs: 600 MB that no other machine should have to fetch.
CUDA ?=
LOCKS := requirements.lock $(if $(CUDA),requirements-cuda.lock)
STAMP := $(VENV)/.synchronised$(if $(CUDA),-cuda)
EXTRAS := --extra embedded --extra dev
CUDA_EXTRA := import tomllib; \
  print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["cuda"], sep="\n")
COMPILE = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --upgrade \
  --custom-compile-command "make lock"

BROKERS ?= 1
PER_MODULE ?= all
BEFORE ?=

.PHONY: help setup up selftest test lint clients-check docs stack stack-down vllm vllm-down demo lock clean bench-runtime \
        mutants structure bench-enrich bench-enrich-lengths bench-gateway bench-decoding bench-long-file chaos-vllm \
        chaos-vllm-real chaos-kills

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  make %-21s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## Make .venv from the hashed lock; CUDA=1 for a GPU

$(STAMP): $(LOCKS) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Kascribe needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) --version). Set PYTHON=..."; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.8,<1"
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes $(LOCKS:%=-r %)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

up: setup  ## Run the embedded stack: broker, object store, transcriber, gateway, drop folder
	$(BIN)/kascribe up

selftest: setup  ## Prove this installation with the model that the repository carries
	$(BIN)/kascribe selftest

test: setup lint  ## Run linters, types, contracts and every test (real Kafka and MinIO where they can run)
	$(BIN)/pytest

lint: setup  ## Run ruff, mypy and import-linter, and compare the generated documents
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m kascribe.documents --check

clients-check: setup  ## Generate and compile TypeScript, Java, Go and Python types from the contracts
	$(BIN)/pytest -q tests/clients

docs: setup  ## Write the generated documents anew
	$(BIN)/python -m kascribe.documents

stack: setup  ## Start a real Kafka (BROKERS=3 for three) and a real MinIO on loopback (the first time builds them)
	$(BIN)/python -m deploy.stack up --brokers $(BROKERS)

stack-down: setup  ## End exactly what `make stack` started
	$(BIN)/python -m deploy.stack down

vllm: setup  ## Start a real vLLM server on the CPU with a tiny made-up model
	$(BIN)/python -m deploy.vllm up

vllm-down: setup  ## End exactly what `make vllm` started
	$(BIN)/python -m deploy.vllm down

demo: setup  ## Drop files into a real bucket, read transcripts from a real topic, survive a broker outage
	$(BIN)/python -m tests.demo

mutants: setup  ## Plant small faults in what decides, and list those that no fast test notices (PER_MODULE=12 samples)
	$(BIN)/python -m tests.mutants --per-module $(PER_MODULE)

structure: setup  ## Measure functions, folders, import circles and vocabulary; BEFORE=HEAD~1 beside them
	$(BIN)/python -m tests.structure $(BEFORE:%=--revision %)

bench-runtime: setup  ## Microseconds of runtime per record, beside raw poll; BEFORE=REV: beside that commit
	$(if $(BEFORE),$(BIN)/python -m tests.benchmarks.beside $(BEFORE),\
	  $(BIN)/python -m tests.benchmarks.ledger && $(BIN)/python -m tests.benchmarks.runtime)

bench-enrich: setup  ## Enrichment throughput beside a raw load generator on the same server
	$(BIN)/python -m tests.benchmarks.enrich

bench-enrich-lengths: setup  ## 1,000 transcripts of 10 to 200,000 words on a server with a small context (an hour)
	$(BIN)/python -m tests.benchmarks.enrich_lengths

bench-gateway: setup  ## What the gateway adds to direct Kafka; 200 uploads at once
	$(BIN)/python -m tests.benchmarks.gateway

bench-decoding: setup  ## Decoding, speech detection and memory on a recording of ten minutes
	$(BIN)/python -m tests.benchmarks.long_file --model models/selftest/weights \
	  --clip models/selftest/clips/en-digits.ogg --hours 0.1667 --pause-seconds 15

chaos-vllm: setup  ## Break a double of the language model server in every way, and count what comes out
	$(BIN)/python -m tests.chaos.vllm_outages

chaos-vllm-real: setup  ## Stop, kill and restart a real vLLM server, and count what comes out
	$(BIN)/python -m tests.chaos.vllm_outages --real

chaos-kills: setup  ## Kill transcriber-like processes 47 times over 700 records: none may be given up
	$(BIN)/python -m tests.chaos.kills

bench-long-file: setup  ## A four-hour file: no rebalance, bounded memory, short files pass it
	$(BIN)/python -m tests.benchmarks.long_beside_short

lock: setup  ## Resolve the dependencies anew (hashes, no addresses)
	$(COMPILE) $(EXTRAS) pyproject.toml -o requirements.lock
	$(BIN)/python -c '$(CUDA_EXTRA)' | $(COMPILE) - -o requirements-cuda.lock

clean:  ## Remove .venv and caches of tools; built servers and models stay
	rm -rf $(VENV) mutants .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist
