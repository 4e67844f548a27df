# The ways in: `make run` starts the product, `make test` tests it, on a machine with nothing but the Rust toolchain.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
BIN := target/release/seawall
CI_BIN := target/ci/seawall

.PHONY: help
help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

.PHONY: run
run: release ## builds and starts everything on 127.0.0.1:8000, on an embedded default
	exec $(BIN) up

.PHONY: release
release: ## builds what people run: target/release/seawall
	CARGO='$(CARGO)' bash scripts/release.sh

.PHONY: profile
profile: ## learns anew which paths are hot, for the release build: half an hour
	bash scripts/profile.sh

.PHONY: build
build: ## builds what the tests run
	$(CARGO) build --profile ci --locked --bin seawall

.PHONY: test
test: ## installs what the tests need and runs all of them
	bash tests/all.sh

.PHONY: unit
unit: ## the Rust tests alone
	bash tests/all.sh rust

.PHONY: check
check: ## format, lints, licences, documentation, dependency arrows, generated files
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --no-deps --locked
	python3 scripts/deny.py
	$(CARGO) nextest run --locked -p seawall-types
	python3 scripts/generated.py --check

.PHONY: docs
docs: ## writes the generated pages of the documentation
	python3 scripts/generated.py

.PHONY: fuzz
fuzz: ## fuzzes every target for SECONDS each (default: an hour)
	bash fuzz/run.sh $${SECONDS_EACH:-3600}

-include bench/Makefile.inc
-include tests/Makefile.inc

.PHONY: bench
bench: bench-gateway bench-ledger bench-guard bench-detect bench-redactor bench-agents ## all benches
