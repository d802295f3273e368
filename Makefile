# foreshard: a thin layer over scripts/, which say what they do. `make` lists the targets.
#
#   PG_CONFIG=/path/to/pg_config    another PostgreSQL than Debian's 15 (with PG_MAJOR=17, for its major version)
#   PROFILE=dev                     a quicker build for `make install` and what needs it; `release` by default

PG_MAJOR ?= 15
PG_CONFIG ?= /usr/lib/postgresql/$(PG_MAJOR)/bin/pg_config
PROFILE ?= release
export PG_MAJOR PG_CONFIG PROFILE
export CARGO_PGRX_DISABLE_GC_SECTIONS_WORKAROUND = 1
export PATH := $(PATH):$(HOME)/.cargo/bin

.DEFAULT_GOAL := help
.PHONY: help setup build install package demo test test-style test-core test-server test-e2e installcheck bench fuzz clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install PostgreSQL, its headers and cargo-pgrx (Debian; once)
	@scripts/setup.sh

build: ## compile, without installing
	cargo build --no-default-features --features pg$(PG_MAJOR)

install: ## build and install into PG_CONFIG's server (sudo for the copy only)
	@scripts/install.sh

package: ## build a Debian package (.deb) for PG_MAJOR, in target/package
	@scripts/package.sh

demo: ## restore a million rows into shards, from nothing, on a scratch server (3 minutes)
	@demo/run.sh

test: ## every layer, closing with "N passed, M failed"
	@scripts/test.sh

test-style: ## formatting and lints
	@scripts/test.sh style

test-core: ## the pure core: seconds, no server
	@scripts/test.sh core

test-server: ## Rust tests inside a server
	@scripts/test.sh server

test-e2e: install ## several real servers, real pg_dump
	@tests/e2e/run.sh

# Like every PGXS extension's: against the running server of PGHOST and PGPORT, if they are set.
installcheck: ## SQL tests on a scratch server, or on PGHOST's (make install first)
	@tests/pg_regress/run.sh $(if $(PGHOST)$(PGPORT),--running)

bench: install ## the measurements that the documentation quotes
	@for bench in benches/*.sh; do if [ -e "$$bench" ]; then echo "==> $$bench"; bash "$$bench" || exit 1; fi; done

fuzz: ## fuzz the pure crate for SECONDS (60) a target (needs cargo-fuzz)
	@fuzz/run.sh $(or $(SECONDS),60)

clean: ## remove what was built
	cargo clean
	rm -rf tests/pg_regress/results tests/pg_regress/regression.*
