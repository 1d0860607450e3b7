# Hearth. `make run` does everything from a fresh clone to an answered
# prediction; `make test` does all the set-up and runs the tests.

SHELL := /bin/bash
ROOT := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
VERSION := $(shell git -C $(ROOT) describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -X hearth/cli.Version=$(VERSION)

# Where `make run` keeps its data and listens.
DATA ?= $(ROOT)/data
LISTEN ?= 127.0.0.1:8080

# NVML's header marks calls as deprecated that its Go binding wraps all the same.
export CGO_CFLAGS := -O2 -g -Wno-deprecated-declarations

include tools/tensorflow.mk

# What the tests use: a runtime, models made with it, Google's clients for Python
# and Go, a MinIO server.
TEST_RUNTIMES := $(ROOT)/build/runtimes
TEST_RUNTIME := $(TEST_RUNTIMES)/2.21
TEST_OTHER_RUNTIMES := $(foreach v,2.21-keras2 2.15 1.15,$(TEST_RUNTIMES)/$(v)/runtime.json)
TEST_MODELS := $(ROOT)/build/models
TEST_EXPORTS := $(ROOT)/build/exports
TEST_EXPORTS_MADE := $(foreach v,2.21 2.21-keras2 2.15 1.15,$(TEST_EXPORTS)/$(v)/.made)
TEST_CLIENTS := $(ROOT)/build/clients
TEST_TFSERVING := $(ROOT)/build/tfserving
TEST_GOSTORAGE := $(ROOT)/build/gostorage
TEST_MINIO := $(ROOT)/build/minio/minio
MINIO_VERSION := v0.0.0-20260212201848-7aac2a2c5b7c
export HEARTH_TEST_BINARY := $(ROOT)/bin/hearth
export HEARTH_TEST_RUNTIMES := $(TEST_RUNTIMES)
export HEARTH_TEST_MODELS := $(TEST_MODELS)
export HEARTH_TEST_EXPORTS := $(TEST_EXPORTS)
export HEARTH_TEST_CLIENTS := $(TEST_CLIENTS)
export HEARTH_TEST_TFSERVING := $(TEST_TFSERVING)
export HEARTH_TEST_GOSTORAGE := $(TEST_GOSTORAGE)
export HEARTH_TEST_MINIO := $(TEST_MINIO)
TEST_ENV = HEARTH_TEST_TENSORFLOW="$$(echo $(TEST_RUNTIME)/lib/python3*/site-packages/tensorflow)"

.PHONY: help prerequisites build run test test-setup test-gpu soak check bench bench-slurm bench-peers fuzz env clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

prerequisites:
	@tools/prerequisites.sh

build: prerequisites tensorflow-binding ## bin/hearth
	@echo "building bin/hearth"
	@go build -ldflags '$(LDFLAGS)' -o bin/hearth .

run: ## from nothing to an answered prediction, then keep serving
	@DATA='$(DATA)' LISTEN='$(LISTEN)' tools/run.sh

test: test-setup ## all tests, with everything they need; what is skipped is named
	@$(TEST_ENV) go tool -modfile=tools/go.mod gotestsum --format pkgname -- -race -timeout 50m ./...

test-setup: build $(TEST_RUNTIME)/runtime.json $(TEST_OTHER_RUNTIMES) $(TEST_MODELS)/.made $(TEST_EXPORTS_MADE) $(TEST_CLIENTS)/.made $(TEST_TFSERVING)/.made $(TEST_GOSTORAGE) $(TEST_MINIO)

test-gpu: ## what the driver says of this machine's GPUs, by the real library
	@go test -count=1 -v -run TestHost ./gpu/

soak: test-setup ## the tests at length: random operations, hundreds of kills, power cuts, faults, an hour of predictions, each trainer with each client
	@$(TEST_ENV) HEARTH_TEST_LONG=1 go test -timeout 3h -v -run 'TestBucket|TestFaults|TestKills|TestBatch_Kills|TestTrainers|Whole' ./tests/
	@$(TEST_ENV) HEARTH_SOAK_TIME=1h go test -timeout 2h -v -run TestSoak ./tests/
	@HEARTH_TEST_LONG=1 go test -timeout 3h -v -run 'PowerLoss|Model' ./storage/object/ ./scheduler/

$(TEST_RUNTIME)/runtime.json: | build
	@bin/hearth install-runtime --dir $(TEST_RUNTIMES) 2.21

# TensorFlow 2.15 has wheels for fewer Pythons than 2.21: TEST_PYTHON_2_15 names
# one where python3 is none of them, and without any the tests say what they skip.
TEST_PYTHON_2_15 ?= $(shell tools/python.sh 9 11)

$(TEST_RUNTIMES)/2.15/runtime.json $(TEST_RUNTIMES)/1.15/runtime.json: $(TEST_RUNTIMES)/%/runtime.json: | build
	@if [ -n '$(TEST_PYTHON_2_15)' ]; then bin/hearth install-runtime --dir $(TEST_RUNTIMES) --python '$(TEST_PYTHON_2_15)' $*; \
	else echo "no Python 3.9 to 3.11 here: the tests skip runtime $*"; fi

$(TEST_RUNTIMES)/1.15/runtime.json: | $(TEST_RUNTIMES)/2.15/runtime.json

$(TEST_RUNTIMES)/2.21-keras2/runtime.json: | $(TEST_RUNTIME)/runtime.json
	@bin/hearth install-runtime --dir $(TEST_RUNTIMES) 2.21-keras2

$(TEST_MODELS)/.made: $(TEST_RUNTIME)/runtime.json bench/models/make_models.py
	@echo "making the models that tests and benchmarks use"
	@mkdir -p $(TEST_MODELS)
	@$(TEST_RUNTIME)/bin/python bench/models/make_models.py $(TEST_MODELS) >/dev/null 2>$(TEST_MODELS)/log || { cat $(TEST_MODELS)/log; exit 1; }
	@touch $@

# Each runtime exports models of its own and asks Python about them; the newest is
# asked about the models above as well.
$(TEST_EXPORTS_MADE): $(TEST_EXPORTS)/%/.made: $(TEST_RUNTIMES)/%/runtime.json $(wildcard tests/exports/*.py)
	@if [ -e $< ]; then echo "exporting the tests' models with runtime $*"; mkdir -p $(@D); \
	$(TEST_RUNTIMES)/$*/bin/python tests/exports/make.py $(@D) $(if $(filter 2.21,$*),$(TEST_MODELS)) >/dev/null 2>$(@D)/log || { cat $(@D)/log; exit 1; }; \
	touch $@; fi

$(TEST_EXPORTS)/2.21/.made: $(TEST_MODELS)/.made

$(TEST_CLIENTS)/.made: tests/clients/requirements.txt
	@echo "installing Google's Python clients for the tests"
	@python3 -m venv $(TEST_CLIENTS)
	@$(TEST_CLIENTS)/bin/python -m pip install --quiet -r $<
	@touch $@

# It asks for a TensorFlow of its own; the runtime's will do.
$(TEST_TFSERVING)/.made: tests/clients/tfserving/requirements.txt | $(TEST_RUNTIME)/runtime.json
	@echo "installing TensorFlow Serving's client for the tests"
	@$(TEST_RUNTIME)/bin/python -m pip install --quiet --no-deps --upgrade --target $(TEST_TFSERVING) -r $<
	@touch $@

$(TEST_GOSTORAGE): $(wildcard $(ROOT)/tests/clients/gostorage/*)
	@echo "building the tests' program with Google's storage client for Go"
	@CGO_ENABLED=0 go build -C $(ROOT)/tests/clients/gostorage -o $@ .

$(TEST_MINIO):
	@echo "building MinIO for the tests (this takes some minutes, once)"
	@CGO_ENABLED=0 GOBIN=$(dir $@) go install -trimpath github.com/minio/minio@$(MINIO_VERSION)

check: tensorflow-binding ## formatting, vet, staticcheck, the allowed imports
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	@go vet ./...
	@go tool -modfile=tools/go.mod staticcheck ./...
	@go test ./tests/ -run TestArrows

bench: test-setup ## every path that matters beside its limit, in one run
	@$(TEST_ENV) bench/run.sh

bench-slurm: build $(TEST_RUNTIME)/runtime.json ## a trainer that does nothing, beside the same under Slurm (installs Debian's)
	@$(TEST_ENV) bench/slurm.sh

# The model servers that predictions are measured beside: a venv each.
PEERS := $(ROOT)/build/peers
PEER_NAMES := $(basename $(notdir $(wildcard $(ROOT)/bench/peers/requirements/*.txt)))

bench-peers: build $(TEST_MODELS)/.made $(PEER_NAMES:%=$(PEERS)/%/.made) ## predictions beside those of other model servers (installs them, 4 GB)
	@$(TEST_ENV) HEARTH_BENCH_PEERS=$(PEERS) go test -run '^$$' -bench Peers -benchtime 1x -timeout 60m ./tests/

$(PEERS)/%/.made: bench/peers/requirements/%.txt | $(TEST_RUNTIME)/runtime.json
	@bench/peers/install.sh $(TEST_RUNTIME) $* $(@D)

FUZZTIME ?= 20s
fuzz: tensorflow-binding ## each fuzz target for FUZZTIME
	@tools/fuzz.sh $(FUZZTIME)

env: tensorflow-binding ## exports for an editor or a bare `go test ./...`
	@echo "export CGO_LDFLAGS='$(CGO_LDFLAGS)'"
	@for v in BINARY RUNTIMES MODELS EXPORTS CLIENTS TFSERVING GOSTORAGE MINIO; do n=HEARTH_TEST_$$v; echo "export $$n='$${!n}'"; done
	@echo "export $(TEST_ENV)"

clean: ## what make has made; DATA stays
	@rm -rf bin build serving/tensorflow/core/*/
