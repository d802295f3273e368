#!/usr/bin/env bash
# Fuzzes the pure crate, guided by coverage, for so many seconds a target (60 by default): rows, scripts, configs, routed
# values, and the planner over statement trees of any shape. Prints what libFuzzer says at the end of each; stops at the first
# input that breaks something, which it keeps in .scratch/fuzz. `fuzz/run.sh SECONDS [TARGET...]`
#
# Needs cargo-fuzz (`cargo install cargo-fuzz`); the stable toolchain will do, since nothing in the pure crate is unsafe and
# thus no sanitizer is needed.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
cargo fuzz --version >/dev/null || { echo "cargo-fuzz is missing: cargo install cargo-fuzz" >&2; exit 1; }

seconds=${1:-60}
shift || true
[ $# -gt 0 ] || set -- rows script config route planner
export CARGO_TARGET_DIR=${FUZZ_TARGET_DIR:-$PWD/.scratch/fuzz/target}
for target; do
    corpus=.scratch/fuzz/corpus/$target
    mkdir -p "$corpus" ".scratch/fuzz/found/$target"
    # Something that is already of the right form to begin with.
    case $target in
        script) for seed in tests/workloads/*/*.sql; do cp "$seed" "$corpus/${seed//\//-}"; done ;;
        config) grep -ohE "'\{.*\}'" tests/pg_regress/sql/*.sql | tr -d "'" | awk -v dir="$corpus" '{ file = dir "/" NR; print > file; close(file) }' ;;
    esac
    printf '%-8s ' "$target"
    cargo fuzz run --sanitizer none --fuzz-dir fuzz "$target" "$corpus" -- -max_total_time="$seconds" -max_len=4096 -len_control=0 \
        -timeout=20 -rss_limit_mb=4096 -artifact_prefix=".scratch/fuzz/found/$target/" >".scratch/fuzz/$target.log" 2>&1 ||
        { tail -n 40 ".scratch/fuzz/$target.log"; exit 1; }
    grep '^Done' ".scratch/fuzz/$target.log"
done
