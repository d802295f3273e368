#!/usr/bin/env bash
# What becomes of a restored table and of the ledger: dump and restore of the whole database, DROP TABLE, transactions of
# every kind, and two that want the same table at once.
. "$(dirname -- "$0")/lib.sh"
. "$(dirname -- "$0")/victim.sh"

server main --preload pg_stat_statements --conf 'max_prepared_transactions = 2'
sql main "CREATE DATABASE shop"
sql main "CREATE TABLE orders (id bigint PRIMARY KEY, customer int NOT NULL, note text)" shop
sql main "CREATE TABLE \"Odd.Name\" (\"Id\" int, \"K y\" text)" shop
sql main "INSERT INTO orders SELECT n, n % 97, md5(n::text) FROM generate_series(1, 100000) n;
          INSERT INTO \"Odd.Name\" SELECT n, n % 10 FROM generate_series(1, 100) n" shop
backup=$(backups main)/shop.dump
on main pg_dump -Fc -Z1 -f "$backup" shop
sql main "CREATE EXTENSION foreshard"
config='{"query_log": "off", "shard_key": ["customer"], "shard_count": 4}'
restore="SELECT rows FROM restore_table('public.orders', '$backup', '$config')"
quiet() { sql main "SET client_min_messages = error; $1"; }

# Savepoints: what is rolled back is gone, what follows goes on.
check "restored, rolled back to a savepoint, restored again" "100000
100000
4" "$(quiet "BEGIN; SAVEPOINT a; $restore; ROLLBACK TO a; $restore; SELECT count(*) FROM foreshard.shards; COMMIT")"
check "the ledger has it once" "1|1|4" \
    "$(sql main "SELECT (SELECT count(*) FROM foreshard._jobs), (SELECT count(*) FROM foreshard._tables), (SELECT count(*) FROM foreshard._shards)")"
check "an error in between does not poison the rest" "100000" \
    "$(quiet "BEGIN; DROP TABLE orders; SAVEPOINT a; $restore; RELEASE a; ROLLBACK" | head -n 1)"
check "a rolled back DROP and restore leave the first" "4|100000" \
    "$(sql main "SELECT (SELECT count(*) FROM foreshard.shards), (SELECT count(*) FROM orders)")"
check "caught by PL/pgSQL, a refusal ends nothing" "42P07" "$(quiet "CREATE TEMP TABLE said (s text);
    DO \$do\$BEGIN PERFORM restore_table('public.orders', '$backup', '$config');
    EXCEPTION WHEN OTHERS THEN INSERT INTO said VALUES (SQLSTATE); END\$do\$; TABLE said")"

# The ledger goes with the database.
quiet "SELECT rows FROM restore_table('public.\"Odd.Name\"', '$backup', '{\"query_log\": \"off\", \"shard_key\": [\"K y\"], \"shard_count\": 4, \"within\": {\"shard_key\": [\"Id\"]}}')" >/dev/null
ledger() {
    sql main "SELECT relation, method, shard_key, within, shard_count, plan_id FROM foreshard.tables ORDER BY relation::text" "$1"
    sql main "SELECT relation, shard, node, bound FROM foreshard.shards ORDER BY shard::text" "$1"
    sql main "SELECT job_id, kind, target, state, rows FROM foreshard.jobs ORDER BY 1" "$1"
    sql main "SELECT plan_id, target, method, shard_key, shard_count, hash FROM foreshard.plans ORDER BY 1" "$1"
    sql main "SELECT md5(foreshard.explain(plan_id)) FROM foreshard.plans ORDER BY plan_id" "$1"
    sql main "SELECT shard, rows, checksum, ok FROM foreshard.verify_table('orders')" "$1"
    sql main "SELECT shard, rows, checksum, ok FROM foreshard.verify_table('\"Odd.Name\"')" "$1"
}
sql main "CREATE DATABASE again"
on main pg_dump -Fc -f "$(backups main)/whole.dump" postgres
on main pg_restore --exit-on-error -d again "$(backups main)/whole.dump"
check "dump and restore keep tables, shards, jobs and plans" "$(ledger postgres)" "$(ledger again)"
check "new plans do not take old numbers" "t" "$(sql main "SELECT count(DISTINCT p.plan_id) = 1
    FROM foreshard.plan_restore('public.o2', '$backup', '{\"source\": \"public.orders\", \"query_log\": \"off\"}') p
    WHERE p.plan_id > (SELECT max(plan_id) FROM foreshard.tables)" again)"

sql main "DROP TABLE orders" again
check "a dropped table is in no view" "\"Odd.Name\"|4" \
    "$(sql main "SELECT relation, (SELECT count(*) FROM foreshard.shards) FROM foreshard.tables" again)"
on main pg_dump -Fp -f "$(backups main)/dropped.sql" again
check "and leaves no bare OID in a dump" "" \
    "$(sed -n '/^COPY foreshard._\(tables\|shards\)/,/^\\\./p' "$(backups main)/dropped.sql" | grep -P '^\d+\t|\t\d{4,}\t' || true)"
sql main "CREATE DATABASE third"
on main psql -XAtq -v ON_ERROR_STOP=1 -d third -o /dev/null -f "$(backups main)/dropped.sql"
check "that dump is restored as well" "\"Odd.Name\"|4" \
    "$(sql main "SELECT relation, (SELECT count(*) FROM foreshard.shards) FROM foreshard.tables" third)"

# Transactions of other kinds.
sql main "DROP TABLE orders"
check_error "read only" "ERROR:  25006: cannot restore in a read-only transaction" main "BEGIN READ ONLY; $restore"
check_error "planning stores its plan" "ERROR:  25006: cannot plan a restore in a read-only transaction" main \
    "BEGIN READ ONLY; SELECT * FROM foreshard.plan_restore('public.orders', '$backup', '$config')"
check "explaining does not" "t" "$(sql main "BEGIN READ ONLY; SELECT foreshard.explain(min(plan_id)) <> '' FROM foreshard.plans")"
check "serializable" 100000 "$(quiet "BEGIN ISOLATION LEVEL SERIALIZABLE; $restore; ROLLBACK" | head -n 1)"
quiet "BEGIN; $restore; PREPARE TRANSACTION 'restored'" >/dev/null
check "prepared: not there yet" "" "$(sql main "SELECT to_regclass('orders')")"
check_error "prepared: another is told" "ERROR:  55006: .*orders.* is being restored" main "$restore"
sql main "COMMIT PREPARED 'restored'"
check "prepared: there afterwards" "4|100000|t" \
    "$(sql main "SELECT count(*), sum(rows), bool_and(ok) FROM foreshard.verify_table('orders')")"
sql main "DROP TABLE orders"

# Two at once; the first one is held by its pg_restore.
piped=$(backups main)/piped.dump
piped_backup shop "$piped"
restore=${restore//$backup/$piped} hold load
check_error "the second of two is told at once" "ERROR:  55006: .*orders.* is being restored" main "SET statement_timeout = '60s'; $restore"
check_error "so is one who plans it" "ERROR:  55006: .*orders.* is being restored" main \
    "SET statement_timeout = '60s'; SELECT * FROM foreshard.plan_restore('public.orders', '$backup', '$config')"
check "another table is not concerned" 100 "$(quiet "SET statement_timeout = '60s';
    SELECT rows FROM restore_table('public.other', '$backup', '{\"query_log\": \"off\", \"source\": \"public.\\\"Odd.Name\\\"\"}')")"
release
wait $victim || true
check_match "the first one wins" '^100000$' "$(cat "$work/victim.out")"
check_error "afterwards it exists" "ERROR:  42P07: relation \"public.orders\" already exists" main "$restore"
check "whole" "4|100000|t" "$(sql main "SELECT count(*), sum(rows), bool_and(ok) FROM foreshard.verify_table('orders')")"
sql main "DROP TABLE orders"
for i in 1 2 3 4; do
    (sql main "SET client_min_messages = error; $restore" >"$work/rival.$i" 2>&1 || true) &
done
wait
check "of four rivals one wins" 1 "$(cat "$work"/rival.* | grep -c '^100000$')"
check "and three get a clear error" 3 "$(cat "$work"/rival.* | grep -cE 'is being restored|already exists')"
check "one table is in the ledger" "4|100000|t" \
    "$(sql main "SELECT count(*), sum(rows), bool_and(ok) FROM foreshard.verify_table('orders')")"
check "plans do not stand in each other's way" "" "$(for i in 1 2; do
    (sql main "SET client_min_messages = error; SELECT 1 FROM foreshard.plan_restore('public.fresh', '$backup',
        '{\"query_log\": \"off\", \"source\": \"public.orders\"}')" 2>&1 >/dev/null || true) & done; wait)"

# A standby reads, and says why it does not restore.
install -d -m 700 "$work/standby"
[ "$(server_user)" = "$(id -un)" ] || chown "$(server_user)" "$work/standby"
as_server mkdir "$work/standby/socket"
as_server cp "$work/main/password" "$work/standby/password"
free_port | as_server tee "$work/standby/port" >/dev/null
as_server "$(pg_bindir)/pg_basebackup" -h "$(socket main)" -p "$(port main)" -U postgres -D "$work/standby/data" -R -X stream -c fast
echo "unix_socket_directories = '$work/standby/socket'" | as_server tee -a "$work/standby/data/postgresql.conf" >/dev/null
start standby
check "the standby is one" t "$(sql standby "SELECT pg_is_in_recovery()")"
check_error "a standby does not restore" "ERROR:  25006: cannot restore in a read-only transaction" standby "$restore"
check_error "and says why" "DETAIL:  This server is a standby" standby "$restore"
check "but it knows the ledger" "4|100000|t" \
    "$(sql standby "SELECT count(*), sum(rows), bool_and(ok) FROM foreshard.verify_table('orders')")"
