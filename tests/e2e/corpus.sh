# shellcheck shell=bash
# The corpus of tests/workloads, for tests that source lib.sh first.
#
#   corpus                   the workloads' names, one a line
#   corpus_prepare NAME      on server main: a database of that name with the workload's data, its query log in log.statements
#                            after a real run, its backup, and in $work/NAME.mix how often each of its scripts ran
#   corpus_keys NAME         table and key, one pair a line, as a specialist would choose them
#   corpus_backup NAME       path of the backup
#   corpus_config            what the corpus is planned with
workloads=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../workloads" && pwd)
# The data are small, so that a test can load them; they are planned for a hundred times of it. Without this the right answer
# would be, for nearly every table, not to shard it.
# shellcheck disable=SC2034
corpus_config='{"growth": 100, "query_log": "log.statements"}'
# Of the TPC-C tables; the rest is to scale.
export WAREHOUSES=20 ORDERS=40

corpus() { for keys in "$workloads"/*/keys; do basename -- "$(dirname -- "$keys")"; done; }
corpus_keys() { grep -v '^#' "$workloads/$1/keys"; }
corpus_backup() { echo "$(backups main)/$1.dump"; }

# Transactions of each of 4 clients. An analyst's question takes a hundred times as long as a look-up.
corpus_transactions() { [ "$1" = tpch ] && echo 60 || echo 300; }

corpus_prepare() {
    local name=$1 run
    sql main "CREATE DATABASE $name"
    on main env PGDATABASE="$name" "$workloads/run.sh" "$name" load
    sql main "CREATE EXTENSION pg_stat_statements" "$name"
    sql main "SELECT pg_stat_statements_reset()" "$name" >/dev/null
    run=$(on main env PGDATABASE="$name" MIX="$work/$name.mix" "$workloads/run.sh" "$name" run "$(corpus_transactions "$name")")
    check_match "$name: no transaction failed" '^number of failed transactions: 0 ' "$run"
    sql main "CREATE SCHEMA log; CREATE TABLE log.statements AS SELECT s.* FROM pg_stat_statements s
              JOIN pg_database d ON d.oid = s.dbid WHERE datname = '$name'" "$name"
    on main pg_dump -Fc -f "$(corpus_backup "$name")" "$name"
}
