# `make` lists the targets. Everything is installed in .venv, except the servers that `make stack` and `make vllm`
# build: they go to KASCRIBE_CACHE (default: kascribe in the user's cache).

SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# `make setup CUDA=1` adds what a GPU needs: 600 MB that machines without a GPU should not download.
CUDA ?=
LOCKS := requirements.lock $(if $(CUDA),requirements-cuda.lock)
STAMP := $(VENV)/.synchronised$(if $(CUDA),-cuda)
EXTRAS := --extra embedded --extra dev
CUDA_EXTRA := import tomllib; \
  print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["cuda"], sep="\n")
COMPILE = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --upgrade \
  --custom-compile-command "make lock"

BROKERS ?= 1
WORKERS ?= 2
PER_MODULE ?= all
BEFORE ?=
REAL ?=
EXAMPLES ?= 200
QUALITY_OPTIONS ?=
SPEECH_OPTIONS ?=
ARCHIVE_OPTIONS ?=
ENGINE_OPTIONS ?=
GPU_OPTIONS ?=
MONITOR_OPTIONS ?=
SIMULATION_OPTIONS ?=
SCALE_OPTIONS ?=
BUNDLE_OPTIONS ?=
SBOM_OPTIONS ?=
CHAOS_OPTIONS ?=
ROWS ?=

.PHONY: chart images help setup up selftest test lint clients-check docs stack stack-down vllm vllm-down real-models demo lock clean bench-runtime bench-delivery \
        fuzz-gateway mutants structure screenshots bench-doubts bench-orders bench-enrich bench-enrich-lengths bench-enrich-quality \
        bench-engine bench-sandbox bench-latency bench-memory bench-gateway bench-archive bench-decoding bench-accuracy bench-languages bench-silence bench-word-times bench-subtitles bench-long-file chaos-vllm chaos-vllm-real \
        chaos chaos-kills chaos-failures chaos-corrupted chaos-reenrich chaos-gateway gpu-packet bench-gpu bench-scale monitor simulate-engine

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

selftest: setup  ## Verify this installation with the model in this repository
	$(BIN)/kascribe selftest

test: setup lint  ## Run linters, type checks, contract checks and every test, on real servers where they can run
	$(BIN)/python -m tests.suite.rerun -n $(WORKERS)

lint: setup  ## Run ruff, mypy and import-linter; check the structure and the generated documents
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.structure --check
	$(BIN)/python -m kascribe.documents --check
	$(BIN)/python -m deploy.monitoring --check

clients-check: setup  ## Generate and compile TypeScript, Java, Go and Python types from the contracts
	$(BIN)/pytest -q tests/clients

chart: setup  ## Check the Helm chart with its examples: lint, template, kubeconform with local schemas
	$(BIN)/python -m deploy.helm

images: setup  ## Run the build steps of every image in a fresh root, without a container engine (as root)
	$(BIN)/python -m deploy.images.steps

docs: setup  ## Write the generated documents, alert rules and dashboards
	$(BIN)/python -m kascribe.documents
	$(BIN)/python -m deploy.monitoring

stack: setup  ## Start a real Kafka and MinIO on loopback; the first run builds them; BROKERS=3 for three
	$(BIN)/python -m deploy.stack up --brokers $(BROKERS)

stack-down: setup  ## Stop exactly what `make stack` started
	$(BIN)/python -m deploy.stack down

vllm: setup  ## Start a real vLLM server on the CPU with a tiny random model; REAL=1: with a small real one
	$(BIN)/python -m deploy.vllm $(if $(REAL),--real) up

vllm-down: setup  ## Stop exactly what `make vllm` started; REAL=1 as there
	$(BIN)/python -m deploy.vllm $(if $(REAL),--real) down

real-models: setup  ## Fetch a real Whisper and a real instruct model, both small, into the cache (test data)
	$(BIN)/python -m deploy.real_models

screenshots: setup  ## Take the pictures of the page for docs/images, from a real run
	$(BIN)/python -m tests.browser.screenshots

demo: setup  ## Drop files into a real bucket, read transcripts from a real topic, survive a broker outage
	$(BIN)/python -m tests.demo

mutants: setup  ## Plant faults and list those that no fast test notices; PER_MODULE=12 takes a sample
	$(BIN)/python -m tests.mutants --per-module $(PER_MODULE)

structure: setup  ## Measure functions, folders, import circles and vocabulary; BEFORE=REV also at REV
	$(BIN)/python -m tests.structure $(BEFORE:%=--revision %)

bench-runtime: setup  ## Measure the runtime's time per record, beside raw poll; BEFORE=REV also at REV
	$(if $(BEFORE),$(BIN)/python -m tests.benchmarks.runtime.beside $(BEFORE),\
	  $(BIN)/python -m tests.benchmarks.runtime.ledger && $(BIN)/python -m tests.benchmarks.runtime.lines && \
	  $(BIN)/python -m tests.benchmarks.runtime)

bench-delivery: setup  ## Measure exactly once beside at least once on a real broker: throughput and latency
	$(BIN)/python -m tests.benchmarks.runtime.delivery

bench-enrich: setup  ## Measure enrichment throughput beside a raw load generator on the same server
	$(BIN)/python -m tests.benchmarks.enrich

bench-enrich-lengths: setup  ## Enrich 1,000 transcripts of 10 to 200,000 words on a server with a small context (an hour)
	$(BIN)/python -m tests.benchmarks.enrich_lengths

bench-enrich-quality: setup  ## Judge every profile's answers of a model (KASCRIBE_VLLM_BASE_URL); BEFORE=REV also at REV
	$(BIN)/python -m tests.benchmarks.enrich_quality $(BEFORE:%=--before %) $(QUALITY_OPTIONS)

bench-word-times: setup  ## Compare word times with faster-whisper's on real recordings (KASCRIBE_TEST_SPEECH)
	$(BIN)/python -m tests.benchmarks.timing.word_times $(SPEECH_OPTIONS)

bench-subtitles: setup  ## Count the cues of real recordings within each limit (KASCRIBE_TEST_SPEECH); BEFORE=REV also at REV
	$(BIN)/python -m tests.benchmarks.timing.subtitles $(BEFORE:%=--before %) $(SPEECH_OPTIONS)

bench-doubts: setup  ## Count the wrong, the right and the nearly right outputs that are doubted
	$(BIN)/python -m tests.benchmarks.doubts

bench-orders: setup  ## Count the spoken orders that a model obeys (KASCRIBE_VLLM_BASE_URL)
	$(BIN)/python -m tests.benchmarks.orders

bench-gateway: setup  ## Measure what the gateway adds to direct Kafka, and 500 uploads at once
	$(BIN)/python -m tests.benchmarks.gateway

bench-archive: setup  ## Fill an archive with 100,000 jobs on SQLite and PostgreSQL, and time its lists and searches
	$(BIN)/python -m tests.benchmarks.archive $(ARCHIVE_OPTIONS)

bench-engine: setup  ## Measure Kascribe beside faster-whisper and CTranslate2 alone, two models (KASCRIBE_TEST_SPEECH)
	$(BIN)/python -m tests.benchmarks.engine $(ENGINE_OPTIONS)

simulate-engine: setup  ## Measure how busy the engine keeps a timed device, with real threads and their GIL
	$(BIN)/python -m tests.benchmarks.simulation $(SIMULATION_OPTIONS)

bench-scale: setup  ## Measure 1 to 4 transcribers with timed devices on a real broker, and a rolling restart
	$(BIN)/python -m tests.benchmarks.simulation.scale $(SCALE_OPTIONS)

bench-latency: setup  ## Time a clip of five seconds on an idle engine and beside a bulk file of three hours
	$(BIN)/python -m tests.benchmarks.engine.latency $(ENGINE_OPTIONS)

bench-sandbox: setup  ## Measure what the decoders' sandbox costs a start and a file, in pairs
	$(BIN)/python -m tests.benchmarks.engine.sandbox

bench-memory: setup  ## Measure memory over ten hours of speech in one file, and over 2,000 files in one process
	$(BIN)/python -m tests.benchmarks.long_files.long_file --model models/selftest/weights \
	  --clip models/selftest/clips/en-digits.ogg --hours 10
	$(BIN)/python -m tests.benchmarks.long_files.many_files

bench-decoding: setup  ## Measure decoding, speech detection and memory on a recording of ten minutes
	$(BIN)/python -m tests.benchmarks.long_files.long_file --model models/selftest/weights \
	  --clip models/selftest/clips/en-digits.ogg --hours 0.1667 --pause-seconds 15

gpu-packet: setup  ## Pack in .gpu what a GPU machine without a network needs beside this repository
	$(BIN)/python -m tests.gpu.packet

bench-gpu:  ## Measure floor, faster-whisper and Kascribe on a GPU within 8 minutes; needs .gpu or PYTHON=.venv/bin/python
	$(PYTHON) -m tests.gpu.bench $(GPU_OPTIONS)

fuzz-gateway: setup  ## Send random requests that schemathesis makes of the OpenAPI document; EXAMPLES=200 each
	$(BIN)/python -m tests.flow.documentation.fuzzing --examples $(EXAMPLES)

chaos-vllm: setup  ## Break a double of the language model server in every way, and count the results
	$(BIN)/python -m tests.chaos.vllm_outages

chaos-vllm-real: setup  ## Stop, kill and restart a real vLLM server, and count the results
	$(BIN)/python -m tests.chaos.vllm_outages --real

chaos: setup  ## Kill, freeze and move workers and brokers, exactly once; CHAOS_OPTIONS="--results FILE" resumes
	$(BIN)/python -m tests.chaos.delivery $(CHAOS_OPTIONS)

chaos-kills: setup  ## Kill transcriber-like processes 47 times over 700 records; no record may be given up
	$(BIN)/python -m tests.chaos.kills

chaos-failures: setup  ## Provoke failures of servers, roles and the machine, and write docs/failures.md; ROWS=NAME...
	$(BIN)/python -m tests.chaos.failures $(ROWS)

chaos-corrupted: setup  ## Transcribe 10,000 damaged files of 30 formats: no crash, no hang, the right reasons
	$(BIN)/python -m tests.benchmarks.engine.corrupted_files $(ENGINE_OPTIONS)

bench-accuracy: setup  ## Measure error rates of real speech beside faster-whisper's; needs KASCRIBE_TEST_SPEECH
	$(BIN)/python -m tests.benchmarks.speech.accuracy

bench-languages: setup  ## Measure files that change their language beside faster-whisper; needs KASCRIBE_TEST_SPEECH
	$(BIN)/python -m tests.benchmarks.languages

bench-silence: setup  ## Count the words written of 300 sounds without speech, beside faster-whisper
	$(BIN)/python -m tests.benchmarks.speech.silence

bench-long-file: setup  ## Transcribe a four-hour file: no rebalance, bounded memory, short files complete before it
	$(BIN)/python -m tests.benchmarks.long_files.long_beside_short

monitor: setup  ## Run all roles under a real Prometheus, freeze and stop Kafka, store and vLLM, await each alert
	$(BIN)/python -m tests.chaos.monitored $(MONITOR_OPTIONS)

chaos-gateway: setup  ## Abuse a gateway with slow, many and broken clients, and time its health meanwhile
	$(BIN)/python -m tests.chaos.gateway_abuse

chaos-reenrich: setup  ## Kill `kascribe enrich --all` twice over 500 transcripts: one event each, on real servers
	$(BIN)/python -m tests.chaos.reenrichment

lock: setup  ## Resolve the dependencies again, with hashes and without index addresses
	$(COMPILE) $(EXTRAS) pyproject.toml -o requirements.lock
	$(BIN)/python -c '$(CUDA_EXTRA)' | $(COMPILE) - -o requirements-cuda.lock

.PHONY: bundle bundle-check sbom locks-check
bundle: setup  ## Write the offline bundle to dist; BUNDLE_OPTIONS="--cuda --model NAME" (docs/offline.md)
	$(BIN)/python -m deploy.bundle $(BUNDLE_OPTIONS)

bundle-check: setup  ## Build the bundle, install it without a network for each Python here, and time it
	$(BIN)/python -m deploy.bundle.check $(BUNDLE_OPTIONS)

sbom: setup  ## Write the bill of materials (CycloneDX) and all licences to dist; SBOM_OPTIONS="--cuda"
	$(BIN)/python -m deploy.sbom $(SBOM_OPTIONS)

locks-check: setup  ## Install each lock in a fresh environment and load all of it, cuBLAS too (600 MB)
	$(BIN)/python -m deploy.bundle.locks

clean:  ## Remove .venv and the tools' caches; built servers and models stay
	rm -rf $(VENV) mutants .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist
