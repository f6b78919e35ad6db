# `make help` lists the targets. Builds and downloads live in $(CACHE), shared by all checkouts.
SHELL := /bin/bash
.DEFAULT_GOAL := help

export TRIBUTARY_CACHE ?= $(HOME)/.cache/tributary
export CARGO_TARGET_DIR ?= $(TRIBUTARY_CACHE)/target
BIN := $(CARGO_TARGET_DIR)/debug

# Numbers of the demo; `make demo ORDERS=20000 SECONDS_OF_WORKLOAD=10 KEEP=1`.
ORDERS ?= 200000
SECONDS_OF_WORKLOAD ?= 60
FORMAT ?= json
# Runs of `make chaos`.
SEEDS ?= 10000

.PHONY: help demo local build test chaos peers test-services test-cluster check lint generate stack-up stack-down bench bench-engine bench-operator deny tools clean

help: ## Lists the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

DEMO := --orders $(ORDERS) --seconds $(SECONDS_OF_WORKLOAD) --format $(FORMAT) $(if $(KEEP),--keep)

demo: tools ## One resource on a Kubernetes of its own makes Delta tables: helm install, kubectl apply, a workload, a comparison. KEEP=1 stays.
	@scripts/build-demo --kubernetes
	@$(BIN)/demo --kubernetes $(DEMO)

local: tools ## The same without Kubernetes: connector and replicator by hand, from the same document. KEEP=1 leaves it running.
	@scripts/build-demo
	@$(BIN)/demo $(DEMO)

test: test-services ## Installs what is needed and runs every test.
	@scripts/step "running the tests that need a Kubernetes, on one that is started for them" \
		$(BIN)/cluster run $(MAKE) --no-print-directory test-cluster

test-services: build ## Every test that needs no Kubernetes; the end-to-end ones bring up real services.
	@scripts/step "running every test that needs no Kubernetes" \
		cargo test --workspace --no-fail-fast -- --skip cluster::

chaos: build ## Breaks the table engine 10,000 times, each time in another way; SEEDS=n for more or fewer.
	@CHAOS_SEEDS=$(SEEDS) cargo test -p tributary-replicator --test chaos every_version -- --nocapture

peers: build ## Has Spark and delta-rs work on tables that are written; downloads Spark, 450 MB.
	@cargo test --workspace --test main peers:: -- --ignored --nocapture --test-threads 1

test-cluster: ## The end-to-end suite of the operator, on the cluster that KUBECONFIG names.
	@cargo test --workspace --no-fail-fast --test main cluster::

bench-operator: build ## Measures the operator with 500 resources, on a Kubernetes that is started for it.
	@$(BIN)/cluster run cargo test --workspace --test main cluster::scale -- --ignored --nocapture

# The same features with and without tests: what one of the targets has built, the others do not build again.
build: tools
	@scripts/step "building everything, with its tests" \
		cargo build --workspace --all-targets

tools: ## Installs compilers and libraries that the build needs (apt, as root on Debian).
	@scripts/install-build-tools

check: lint deny build ## Everything that CI checks besides the tests.
	@scripts/step "comparing generated files" $(BIN)/crdgen --check
	@scripts/no-datafusion

lint: tools ## Formatting and clippy.
	@scripts/step "formatting" cargo fmt --all --check
	@scripts/step "clippy" cargo clippy --quiet --workspace --all-targets -- -D warnings

deny: ## Licences, sources and bans of the dependencies (cargo-deny).
	@scripts/cargo-deny

generate: build ## Writes the files made from the types: crds/yaml, the chart's CRD, docs/reference.md.
	@$(BIN)/crdgen

bench: build ## Measures the path from Kafka to Delta, beside delta-rs MERGE, and the first copy, beside Debezium's snapshot.
	@$(BIN)/bench --peer
	@$(BIN)/bench copy --rows 1000000

bench-engine: build ## Measures the table engine alone, without services: commits on 1 M to 50 M rows, a day, maintenance, MERGE.
	@$(BIN)/bench engine

stack-up: build ## Starts Postgres, Kafka, Connect, a registry and S3 on this machine.
	@$(BIN)/stack up

stack-down: ## Stops them.
	@$(BIN)/stack down

clean: ## Removes what was built for all checkouts; downloads stay.
	@rm -rf $(CARGO_TARGET_DIR)
