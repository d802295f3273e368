#!/usr/bin/env bash
# Installs what building and testing need on a fresh Debian 12 that has a Rust toolchain: PostgreSQL with its headers
# from apt, cargo-pgrx from crates.io, the tests' Python packages from PyPI. What is there already is left alone, so it can
# be run again at no cost; no existing cluster is touched and none is created.
set -euo pipefail
. "$(dirname -- "$0")/common.sh"

packages=(
    build-essential pkg-config ca-certificates sudo
    "postgresql-$PG_MAJOR" "postgresql-server-dev-$PG_MAJOR" libpq-dev
    "postgresql-$PG_MAJOR-cron" "postgresql-$PG_MAJOR-pg-qualstats" "postgresql-$PG_MAJOR-pgaudit" zstd lz4 python3-venv openssl locales iproute2
)

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

command -v cargo >/dev/null || die "no Rust toolchain: install rustup (https://rustup.rs), which brings cargo"
command -v apt-get >/dev/null || die "this script knows Debian and Ubuntu; install PostgreSQL $PG_MAJOR with its server headers yourself"

missing=()
for package in "${packages[@]}"; do
    installed "$package" || missing+=("$package")
done

if [ ${#missing[@]} -gt 0 ]; then
    # Debian's server package makes and starts a cluster "main" on port 5432 unless told not to. An administrator who
    # already has postgresql-common has made that choice.
    config=/etc/postgresql-common/createcluster.conf
    if ! installed postgresql-common && [ ! -e $config ]; then
        say "no cluster is created on installation (create_main_cluster = false in $config)"
        as_root mkdir -p "$(dirname $config)"
        echo 'create_main_cluster = false' | as_root tee $config >/dev/null
    fi
    say "apt: ${missing[*]}"
    apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300)
    quietly as_root "${apt[@]}" update
    quietly as_root "${apt[@]}" -o Dpkg::Options::=--force-confold install --no-install-recommends "${missing[@]}"
else
    say "apt: nothing to install"
fi

pgrx_version() { cargo pgrx --version 2>/dev/null | awk '{ print $NF }'; }

present=$(pgrx_version || true)
if [ "$present" = "$CARGO_PGRX_VERSION" ]; then
    say "cargo-pgrx $CARGO_PGRX_VERSION: present"
else
    # It must be the version of the pgrx library that the extension is built with.
    say "cargo-pgrx $CARGO_PGRX_VERSION: building it (about 5 minutes of CPU time, once)${present:+; it replaces version $present}"
    # The tool's own speed does not matter: a debug build takes a third of the time.
    quietly cargo install cargo-pgrx --version "=$CARGO_PGRX_VERSION" --locked --debug --force
fi

pgrx_config=${PGRX_HOME:-$HOME/.pgrx}/config.toml
if grep -qsF "pg$PG_MAJOR = \"$PG_CONFIG\"" "$pgrx_config"; then
    say "cargo-pgrx knows $PG_CONFIG"
else
    say "cargo pgrx init --pg$PG_MAJOR $PG_CONFIG"
    quietly cargo pgrx init "--pg$PG_MAJOR" "$PG_CONFIG"
fi

say "Python packages of the tests: ${PYTHON_PACKAGES[*]}"
test_python >/dev/null
