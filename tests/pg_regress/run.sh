#!/usr/bin/env bash
# Runs the SQL tests with PostgreSQL's own pg_regress: sql/NAME.sql must print exactly expected/NAME.out.
#   run.sh [NAME...]               on a scratch server; all tests in the order of `schedule` by default
#   run.sh --running [NAME...]     on the running server of PGHOST and PGPORT (it replaces its database
#                                  contrib_regression, as every PGXS installcheck does)
# A test finds a directory that client and server share in FORESHARD_BACKUPS: `\getenv backups FORESHARD_BACKUPS`, then
# `\! pg_dump -Fc … -f $FORESHARD_BACKUPS/x.dump`. The scratch server's settings are in postgresql.conf.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
. "$here/../../scripts/cluster.sh"

running=no
[ "${1:-}" != --running ] || { running=yes; shift; }

# pg_regress passes over a test that is in no schedule, and one without an expected output: neither may go unnoticed.
guard() {
    local problems=0 name path
    complain() { printf 'error: %s\n' "$1" >&2; problems=1; }
    scheduled=$(awk '$1 == "test:" { for (i = 2; i <= NF; i++) print $i }' "$here/schedule")
    for path in "$here"/sql/*.sql; do
        [ -e "$path" ] || continue
        name=$(basename "$path" .sql)
        [ -e "$here/expected/$name.out" ] || complain "sql/$name.sql has no expected/$name.out"
        grep -qx "$name" <<<"$scheduled" || complain "sql/$name.sql is not in the schedule"
    done
    for path in "$here"/expected/*.out; do
        [ -e "$path" ] || continue
        name=$(basename "$path" .out)
        # NAME_1.out is another accepted output of NAME.
        [ -e "$here/sql/$name.sql" ] || [ -e "$here/sql/${name%_[0-9]}.sql" ] || complain "expected/$name.out has no sql/$name.sql"
    done
    for name in $scheduled; do
        [ -e "$here/sql/$name.sql" ] || complain "the schedule names $name, which has no sql/$name.sql"
    done
    return $problems
}
guard || { echo "0 passed, 1 failed"; exit 1; }

bindir=$(pg_bindir)
regress=$(dirname "$("$PG_CONFIG" --pgxs)")/../test/regress/pg_regress
scratch=$(scratch_dir)
trap 'cluster_remove "$scratch/server"; rm -rf "$scratch"' EXIT

if [ $running = yes ]; then
    mkdir "$scratch/backups" && chmod 1777 "$scratch/backups"
    export FORESHARD_BACKUPS=$scratch/backups
else
    cluster_create "$scratch/server" --conf-file "$here/postgresql.conf"
    eval "$(cluster_env "$scratch/server")"
    export FORESHARD_BACKUPS=$scratch/server/backups
fi

# A test starts programs of this server with \!; pg_regress unsets PGDATABASE, which the tests' fixtures set again.
export PATH=$bindir:$PATH

tests=("$@")
[ $# -gt 0 ] || tests=("--schedule=$here/schedule")
status=0
env -u RUST_BACKTRACE "$regress" --inputdir="$here" --outputdir="$here" --bindir="$bindir" --dbname=contrib_regression \
    ${PGHOST:+--host="$PGHOST"} ${PGPORT:+--port="$PGPORT"} ${PGUSER:+--user="$PGUSER"} "${tests[@]}" 2>&1 |
    tee "$scratch/output" || status=$?
[ $status = 0 ] || { [ ! -s "$here/regression.diffs" ] || head -n 200 "$here/regression.diffs"; }

# "All 12 tests passed." or "2 of 12 tests failed."
read -r failed total < <(sed -nE 's/^[# ]*All ([0-9]+) tests passed.*/0 \1/p; s/^[# ]*([0-9]+) of ([0-9]+) tests failed.*/\1 \2/p' \
    "$scratch/output" | tail -n 1) || true
if [ -z "${total:-}" ]; then
    echo "0 passed, 1 failed"
    exit 1
fi
echo "$((total - failed)) passed, $failed failed"
exit $status
