#!/usr/bin/env bash
# Runs the layers of tests, cheapest first, and closes with one line that sums what they counted:
#   test.sh [style] [core] [server] [regress] [e2e]       all of them by default
# A layer that fails does not stop the next. One that ran no test has failed.
set -euo pipefail
. "$(dirname -- "$0")/common.sh"
cd "$ROOT"

layers=("$@")
[ $# -gt 0 ] || layers=(style core server regress e2e)

work=$(scratch_dir)
trap 'rm -rf "$work"' EXIT

run_style() {
    # cargo fmt does not follow include!.
    cargo fmt --all --check && rustfmt --check --edition 2024 pg_test/*.rs &&
        cargo clippy --quiet --workspace --all-targets --features foreshard/pg_test -- -D warnings
}

run_core() {
    if command -v cargo-nextest >/dev/null; then
        cargo nextest run -p foreshard-core --no-fail-fast --status-level fail --final-status-level fail &&
            cargo test -p foreshard-core --doc
    else
        cargo test -p foreshard-core --no-fail-fast
    fi
}

# The test server must not run as root, and the test build goes into the server's own directories: where the caller may
# not write there, or is root, cargo-pgrx is told to become postgres, and uses sudo for the copy.
run_server() {
    local options=("pg$PG_MAJOR" --no-default-features --features "pg$PG_MAJOR") pgdata="" status=0
    # cargo-pgrx takes the server from its own configuration: where that names another one, it gets a configuration of ours.
    if [ "$(cargo pgrx info pg-config "$PG_MAJOR" 2>/dev/null)" != "$PG_CONFIG" ]; then
        local -x PGRX_HOME=${CARGO_TARGET_DIR:-$ROOT/target}/pgrx-$PG_MAJOR
        mkdir -p "$PGRX_HOME" && quietly cargo pgrx init "--pg$PG_MAJOR" "$PG_CONFIG" || return
    fi
    if [ "$(id -u)" = 0 ] || [ ! -w "$("$PG_CONFIG" --pkglibdir)" ]; then
        pgdata=$work/pgdata
        as_root install -d -o postgres -m 755 "$pgdata" || return
        options+=(--runas postgres --pgdata "$pgdata")
    fi
    # PGRX_TEST_SKIP makes each test pass without running.
    env -u RUST_BACKTRACE -u PGRX_TEST_SKIP cargo pgrx test "${options[@]}" || status=$?
    [ -z "$pgdata" ] || as_root rm -rf "$pgdata"
    return $status
}

# The test build of the layer before has replaced the installed library.
installed=no
install_once() {
    [ $installed = yes ] || scripts/install.sh || return
    installed=yes
}
run_regress() { install_once && tests/pg_regress/run.sh; }
run_e2e() { install_once && tests/e2e/run.sh; }

# "12 3": passed and failed, from what cargo test, nextest, or a runner of ours says at its end.
count() {
    sed -E 's/\x1b\[[0-9;]*m//g' "$1" | awk '
        /^test result: / { passed += number("passed"); failed += number("failed") }
        /^ *Summary \[.*tests? run: / { passed += number("passed"); failed += number("failed") + number("timed out") }
        /^[0-9]+ passed, [0-9]+ failed$/ { passed += $1; failed += $3 }
        function number(word) { return match($0, "[0-9]+ " word) ? substr($0, RSTART) + 0 : 0 }
        END { print passed + 0, failed + 0 }'
}

total_passed=0
total_failed=0
summary=
for layer in "${layers[@]}"; do
    declare -F "run_$layer" >/dev/null || die "there is no layer $layer"
    say "$layer"
    start=$SECONDS status=0
    # A subshell would lose what install_once remembers.
    "run_$layer" </dev/null > >(tee "$work/log") 2>&1 || status=$?
    wait $!
    read -r passed failed < <(count "$work/log")
    if [ $status != 0 ] && [ "$failed" = 0 ]; then
        failed=1
        echo "error: layer $layer failed with status $status"
    elif [ $status = 0 ] && [ "$layer" != style ] && [ "$passed" = 0 ]; then
        failed=1
        echo "error: layer $layer ran no test"
    fi
    total_passed=$((total_passed + passed))
    total_failed=$((total_failed + failed))
    line=$(printf '%-8s %5d passed %5d failed %5d s' "$layer" "$passed" "$failed" $((SECONDS - start)))
    summary+="$line"$'\n'
    say "$line"
done

printf '\n%s\n' "$summary"
echo "$total_passed passed, $total_failed failed"
[ $total_failed = 0 ] && [ $total_passed -gt 0 ]
