#!/usr/bin/env bash
# What is killed without a word: the backend, its pg_restore, the server. Afterwards there is nothing of the restore in the
# catalogs or the ledger, no pg_restore is left, and the next restore works. Files that a crashed server leaves behind are
# PostgreSQL's own matter, for any CREATE TABLE: their number is printed.
. "$(dirname -- "$0")/lib.sh"
. "$(dirname -- "$0")/victim.sh"

rows=${ROWS:-300000}

# A committed restore must outlive a crash: commits wait for their WAL here.
server main --preload pg_stat_statements --conf "synchronous_commit = on"
sql main "CREATE DATABASE shop"
sql main "CREATE TABLE orders (id bigint PRIMARY KEY, customer int NOT NULL, note text)" shop
sql main "CREATE INDEX ON orders (note)" shop
sql main "INSERT INTO orders SELECT n, n % 9973, md5(n::text) FROM generate_series(1, $rows) n" shop
backup=$(backups main)/shop.dump
on main pg_dump -Fc -Z1 -f "$backup" shop
sql main "CREATE EXTENSION foreshard"
restore_of() {
    echo "SELECT rows FROM restore_table('public.orders', '$1',
        '{\"query_log\": \"off\", \"shard_key\": [\"customer\"], \"method\": \"hash\", \"shard_count\": 4}')"
}
restore=$(restore_of "$backup")

# All but the files.
judge() {
    check "$1: no pg_restore is left" "" "$(children)"
    check "$1: nothing is left" "$(head -n 8 <<<"$before")" "$(traces | head -n 8)"
    printf '# %s: %s files without a relation\n' "$1" "$(traces | sed -n 9p | wc -w)"
}
before=$(traces)

kill_child() { kill -KILL "$(ps -o pid= --ppid "$pid" | head -n 1)"; }
kill_backend() { kill -KILL "$pid"; }
kill_postmaster() {
    postmaster=$(head -n 1 "$work/main/data/postmaster.pid")
    group=$(ps -o pid= --ppid "$postmaster")
    kill -KILL "$postmaster"
    local deadline=$((SECONDS + 60))
    # shellcheck disable=SC2086 # a list
    while kill -0 $group 2>/dev/null && [ $SECONDS -lt $deadline ]; do sleep 0.1; done
    start main
}
crash_server() { crash main && start main; }

piped=$(backups main)/piped.dump
piped_backup shop "$piped"
whole=$backup backup=$piped restore=$(restore_of "$piped")
for where in profile load; do
    strike $where kill_child
    judge "pg_restore killed while in $where"
    check_match "its end is told" 'ERROR:  58030: pg_restore was ended by a signal' "$(cat "$work/victim.out")"
    check_match "with what to do" 'HINT:  Look in the system' "$(cat "$work/victim.out")"
    check "and its files are gone with it" "" "$(traces | sed -n 9p)"
done

backup=$whole restore=$(restore_of "$whole")
for where in profile load verify indexes; do
    strike $where kill_backend
    judge "backend killed while in $where"
done

# Whoever builds an index does not look for the postmaster until it is done.
for where in load; do
    strike $where kill_postmaster
    # shellcheck disable=SC2086 # a list
    check "the orphans of a postmaster killed while in $where leave by themselves" "" "$(ps -o pid=,args= -p ${group//$'\n'/ } || true)"
    judge "postmaster killed while in $where"
done

strike indexes crash_server
judge "server killed while in indexes"

check "the next restore works" "$rows" "$(sql main "$restore")"
check "and is verified" "4|$rows|0|t" \
    "$(sql main "SELECT count(*), sum(rows), sum(misplaced_rows), bool_and(ok) FROM foreshard.verify_table('public.orders')")"
crash main
start main
check "and outlives a crash after it" "4|$rows|0|t" \
    "$(sql main "SELECT count(*), sum(rows), sum(misplaced_rows), bool_and(ok) FROM foreshard.verify_table('public.orders')")"
