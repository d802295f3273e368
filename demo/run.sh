#!/usr/bin/env bash
# The whole story on a scratch server: a shop at work, its backup, and the restore of its largest table into shards.
# Prints every command before its result. WAREHOUSES (100) and SECONDS_OF_WORK (20) make it smaller or larger.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
. "$here/../scripts/cluster.sh"
workload=$here/../tests/workloads/tpcc/run.sh

"$ROOT/scripts/setup.sh"
"$ROOT/scripts/install.sh"

scratch=$(scratch_dir)
trap 'cluster_remove "$scratch/server"; rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

say "a scratch server, with pg_stat_statements as its query log"
cluster_create "$scratch/server" --preload pg_stat_statements
eval "$(cluster_env "$scratch/server")"
backup=$scratch/server/backups/shop.dump

# Prints a command as one would type it, then runs it.
typed() {
    printf '\n$ %s\n' "$*"
    "$@"
}
run_sql() {
    echo
    psql -X -q --echo-queries -v ON_ERROR_STOP=1 -P pager=off -P null=- "$@"
}

say "the old database: 100 warehouses of a wholesale supplier, a million order lines"
createdb shop
export PGDATABASE=shop
psql -X -q -v ON_ERROR_STOP=1 -c 'CREATE EXTENSION pg_stat_statements'
"$workload" load
psql -X -q -At -o /dev/null -c 'SELECT pg_stat_statements_reset()'
say "${SECONDS_OF_WORK:-20} seconds of its daily work"
"$workload" run "${SECONDS_OF_WORK:-20}"

say "the query log is kept in a table, so that the backup carries it"
run_sql -f "$here/1_keep_the_log.sql"
typed pg_dump -Fc -f "$backup" shop
ls -sh "$backup" | sed "s|$(dirname "$backup")/||"

say "the new database, with two nodes to spread over"
typed createdb shop_new
export PGDATABASE=shop_new
run_sql -c 'CREATE SCHEMA ops'
typed pg_restore -d shop_new --schema=ops "$backup"
run_sql -v backup="$backup" -v fast="$(cluster_tablespace "$scratch/server" fast)" \
    -v large="$(cluster_tablespace "$scratch/server" large)" -f "$here/2_restore.sql"

echo
say "demo finished in $SECONDS s; the scratch server is gone"
