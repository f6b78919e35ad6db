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

.PHONY: help demo test check lint generate stack-up stack-down bench deny tools clean

help: ## Lists the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: build ## Postgres to Delta tables, for real: a stack, the shop, a workload, a comparison. KEEP=1 leaves it running.
	@$(BIN)/demo --orders $(ORDERS) --seconds $(SECONDS_OF_WORKLOAD) --format $(FORMAT) $(if $(KEEP),--keep)

test: build ## Installs what is needed and runs every test.
	@scripts/step "running every test (the end-to-end ones bring up real services)" \
		cargo test --workspace --no-fail-fast

build: tools
	@scripts/step "building (the first time takes 15 to 25 minutes on 2 cores)" \
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

generate: build ## Writes the files made from the types: crds/yaml, docs/reference.md.
	@$(BIN)/crdgen

bench: build ## Measures the path from Kafka to Delta, beside delta-rs MERGE in the same run.
	@$(BIN)/bench --peer

stack-up: build ## Starts Postgres, Kafka, Connect, a registry and S3 on this machine.
	@$(BIN)/stack up

stack-down: ## Stops them.
	@$(BIN)/stack down

clean: ## Removes what was built for all checkouts; downloads stay.
	@rm -rf $(CARGO_TARGET_DIR)
