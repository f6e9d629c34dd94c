# All commands of developers and CI. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help

CARGO ?= cargo
# A snapshot that differs fails its test; INSTA_UPDATE=always writes it.
export INSTA_UPDATE ?= no
BIN := $(or $(CARGO_TARGET_DIR),target)/debug

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' \
		| while IFS=$$'\t' read -r target text; do printf '  make %-11s %s\n' "$$target" "$$text"; done

.PHONY: install
install: build ## Install PostgreSQL, Redis, nginx and nats-server where they are missing
	$(BIN)/stack install

# There are no examples. With them, dependencies get the features that tests need, and are built once for programs,
# tests, checks and documentation.
SHARED := --examples

.PHONY: build
build: ## Build all programs
	$(CARGO) build --workspace --bins $(SHARED) --locked

.PHONY: up
up: build ## Run the whole system until Ctrl-C, after one purchase as proof; with TLS everywhere: STACK_TLS=1 make up; with streaming replicas: make up REPLICAS=2
	@exec $(BIN)/stack up

.PHONY: seed
seed: ## Put ten made-up years into an empty log, then `make up`: make seed SCALE=10 SEED=1 (both optional; release builds)
	$(CARGO) build --release --locked -p seed -p projector
	$(CARGO) build --workspace --bins $(SHARED) --locked
	@$(BIN)/stack offline -- sh -c '\
		$(or $(CARGO_TARGET_DIR),target)/release/seed --scale $(or $(SCALE),1) --seed $(or $(SEED),1) && \
		$(or $(CARGO_TARGET_DIR),target)/release/projector rebuild licensing && \
		$(or $(CARGO_TARGET_DIR),target)/release/projector rebuild licensing --discard && \
		$(or $(CARGO_TARGET_DIR),target)/release/projector rebuild reports && \
		$(or $(CARGO_TARGET_DIR),target)/release/projector rebuild reports --discard'

.PHONY: test
test: build ## Run all tests on real servers, started for this run
	$(CARGO) test --workspace --locked --doc
	$(BIN)/stack test-servers -- bash -c '\
		if $(CARGO) nextest --version >/dev/null 2>&1; \
		then $(CARGO) nextest run --workspace --locked; \
		else $(CARGO) test --workspace --locked --lib --bins --tests; fi'

.PHONY: simulate
simulate: ## Run the delivery logic through seeded faults: make simulate SEEDS=1000000 FROM=0
	SEEDS=$(SEEDS) FROM=$(FROM) MUTATION=$(MUTATION) $(CARGO) test --release --locked -p event-bus --test simulation \
		-- --exact as_many_seeds_as_asked_for --ignored --nocapture

.PHONY: bench
bench: ## Measure release builds and other event stores: make bench BENCH='append --rounds 3'
	$(CARGO) build --release --locked -p bench -p seed -p command-api -p projector -p query-api -p front-door -p payments -p stack
	$(or $(CARGO_TARGET_DIR),target)/release/bench $(BENCH)
.PHONY: campaign
campaign: build ## Sell while processes are killed, connections cut and disks filled: make campaign SEED=7 MINUTES=20 (both optional)
	@$(BIN)/campaign

.PHONY: campaign-payments
campaign-payments: build ## Buy through misbehaving providers while command-api is killed: make campaign-payments SEED=7 PURCHASES=5000 (both optional)
	@$(BIN)/payment-campaign

.PHONY: lint
lint: ## Check format, clippy, documentation and (where cargo-deny and cargo-machete are installed) dependencies
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --no-deps --lib --bins $(SHARED) --locked
	@if command -v cargo-deny >/dev/null; then $(CARGO) deny --offline check licenses bans sources; \
	else echo 'lint: SKIPPED cargo deny (licenses, bans, sources): cargo-deny is not installed'; fi
	@if command -v cargo-machete >/dev/null; then $(CARGO) machete; \
	else echo 'lint: SKIPPED cargo machete (unused dependencies): cargo-machete is not installed; a test checks them, too'; fi
	@echo 'lint: security advisories are not checked: their database cannot be fetched offline'

.PHONY: fmt
fmt: ## Format the code
	$(CARGO) fmt --all

.PHONY: token
token: ROLE ?= customer
token: ## Print a new login token for the running system: make token ROLE=staff
	@$(BIN)/stack token --role $(ROLE)

.PHONY: clean-data
clean-data: $(BIN)/stack ## Delete all data of `make up`
	$(BIN)/stack clean-data

$(BIN)/stack:
	$(CARGO) build --workspace --bins --locked
