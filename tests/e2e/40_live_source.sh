#!/usr/bin/env bash
# A table that lives is restored like one of a backup: with all that pg_dump would have said of it, locked against writers, read
# with the caller's rights; and one of another server through a foreign table, whose password is nowhere to be seen.
. "$(dirname -- "$0")/lib.sh"
fixtures=$(cd -- "$(dirname -- "$0")" && pwd)/fixtures
original='"Shop ü"."Order ü"'

server main --preload pg_stat_statements --conf 'wal_level = logical'
server far --tcp
sql main "CREATE TABLESPACE elsewhere LOCATION '$(tablespace main elsewhere)'"
sql main "CREATE DATABASE shop"
on main psql -Xq -v ON_ERROR_STOP=1 -d shop -f "$fixtures/features_around.sql" -c 'CREATE EXTENSION foreshard'
on main psql -Xq -v ON_ERROR_STOP=1 -v VERBOSITY=terse -d shop -f "$fixtures/features_table.sql" 2>/dev/null

# What is expected is what 20_features expects of the table's backup: neither more nor less.
describe() { on main psql -XAtq -v ON_ERROR_STOP=1 -d shop -v table="$1" -v called="$2" -f "$fixtures/describe.sql"; }
contents() { sql main "SET row_security = off; SELECT count(*), sum(hashtextextended(t::text, 0)) FROM $1 AS t" shop; }
before=$(describe "$original" 'Order ü')
contents=$(contents "$original")
# carried NAME TABLE CONFIG
carried() {
    local notes differences
    notes=$(sql main "SET client_min_messages = error;
        SELECT concat_ws(' | ', n ->> 'kind', n ->> 'object', n ->> 'what', n ->> 'because', n ->> 'remedy')
        FROM restore_table(\$x\$$2\$x\$, \$x\$table:$original\$x\$, \$x\$$3\$x\$) AS r, jsonb_array_elements(r.notes) AS n" shop | LC_ALL=C sort)
    differences=$(diff <(printf '%s\n' "$before") <(describe "$2" 'Order ü') | grep '^[<>]' || true)
    # pg_dump sorts by name, the notes follow.
    check "$1: notes as from a backup" "$(sed '1d; /^differences:/,$d' "$fixtures/$1.expected" | LC_ALL=C sort)" "$notes"
    check "$1: differences as from a backup" "$(sed '1,/^differences:/d' "$fixtures/$1.expected")" "$differences"
    check "$1: contents" "$contents" "$(contents "$2")"
    check "$1: every row in its shard" "500|0|t" \
        "$(sql main "SELECT sum(rows), sum(misplaced_rows), bool_and(ok) FROM foreshard.verify_table(\$x\$$2\$x\$)" shop)"
    check "$1: the source is as it was" "$before" "$(describe "$original" 'Order ü')"
}
carried features_plain_copy '"Shop ü"."Copy ü"' '{"method": "none"}'
carried features_sharded_copy '"Shop ü"."Other ü"' '{"method": "hash", "shard_key": ["region"], "shard_count": 3}'

# Every type, under settings that change how values are written.
on main psql -Xq -v ON_ERROR_STOP=1 -d shop -f "$fixtures/types.sql"
binary() { sql main "SELECT md5(string_agg(md5(record_send(t)), '' ORDER BY id)), count(*) FROM $1 AS t" shop; }
hash='"method": "hash", "shard_key": ["id"], "shard_count": 3'
check "every type: restored" 311 "$(sql main "SET client_min_messages = error; SET DateStyle = 'German, DMY'; SET TimeZone = 'America/New_York'; SET IntervalStyle = 'iso_8601';
    SET bytea_output = 'escape'; SET extra_float_digits = -15; SET search_path = '';
    SELECT rows FROM public.restore_table('public.copy', 'table:public.edge', '{$hash}')" shop)"
check "every type: contents" "$(binary edge)" "$(binary copy)"
sql main "DROP TABLE copy" shop

# Readers go on, writers wait, until the end of the transaction; then the source may even be dropped.
sql main "CREATE EXTENSION foreshard; CREATE EXTENSION pg_stat_statements; CREATE SCHEMA old;
    CREATE TABLE old.orders (id bigserial PRIMARY KEY, customer int NOT NULL, note text);
    INSERT INTO old.orders (customer, note) SELECT n % 97, md5(n::text) FROM generate_series(1, 20000) n"
config='{"query_log": "off", "shard_key": ["customer"], "shard_count": 4}'
restore="SELECT rows FROM restore_table('public.orders', 'table:old.orders', '$config')"
cat >"$work/locks.sql" <<SQL
\set QUIET on
BEGIN;
SET LOCAL client_min_messages = error;
$restore;
\! psql -XAtq -c "SELECT count(*) FROM old.orders"
\! psql -XAtq -c "SET lock_timeout = '100ms'; INSERT INTO old.orders (customer) VALUES (1)" 2>&1 | head -n 1
DROP TABLE old.orders CASCADE;
SELECT count(*) FROM orders;
ROLLBACK;
SQL
check "readers go on, writers wait, and the source can be dropped" "20000
20000
ERROR:  canceling statement due to lock timeout
20000" "$(on main psql -XAt -f "$work/locks.sql")"
check "after a rollback nothing is left but the source" "20000|" "$(sql main "SELECT (SELECT count(*) FROM old.orders), to_regclass('public.orders')")"

# A writer who has not committed is waited for; a plan does not wait.
mkfifo "$work/writer"
on main psql -XAtq <"$work/writer" >"$work/writer.out" 2>&1 &
exec 7>"$work/writer"
echo "BEGIN; INSERT INTO old.orders (customer) VALUES (1000); SELECT 'written';" >&7
until grep -q written "$work/writer.out"; do sleep 0.05; done
check_error "a writer is waited for" '55P03: canceling statement due to lock timeout' main "SET lock_timeout = '200ms'; $restore"
check "a plan does not wait" "hash|4" "$(sql main "SET lock_timeout = '200ms'; SET client_min_messages = error;
    SELECT method, shard_count FROM foreshard.plan_restore('public.orders', 'table:old.orders', '$config') WHERE chosen")"
on main psql -XAtq -c "SET client_min_messages = error" -c "$restore" >"$work/restored" 2>&1 &
wait_until 60 main "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'old.orders'::regclass AND mode = 'ShareLock' AND NOT granted)"
echo "COMMIT;" >&7
exec 7>&-
wait
check "and what was written is in the copy" "20001|1" "$(cat "$work/restored")|$(sql main "SELECT count(*) FROM orders WHERE customer = 1000")"
check "the copy is the source" 0 "$(sql main "SELECT count(*) FROM (TABLE old.orders EXCEPT ALL TABLE orders) x")"
check "the copy has a sequence of its own, which goes on" "20002|20002" \
    "$(sql main "INSERT INTO orders (customer) VALUES (1) RETURNING id")|$(sql main "INSERT INTO old.orders (customer) VALUES (1) RETURNING id")"
sql main "DROP TABLE orders"

# Statements of the log are replayed on a sample of it, and a stored plan is executed with it.
sql main "SELECT pg_stat_statements_reset()" >/dev/null
for _ in 1 2 3; do sql main "SELECT count(*) FROM old.orders WHERE customer = 7" >/dev/null; done
check_match "a replay reads it" '^10\|' "$(sql main "SET client_min_messages = error; SELECT runs, shards
    FROM foreshard.plan_restore('public.orders', 'table:old.orders', '{\"shard_key\": [\"customer\"], \"shard_count\": 4}') p, foreshard.replay(p.plan_id) r
    WHERE p.chosen AND r.rank = 1 AND query LIKE '%customer = %'")"
plan=$(sql main "SELECT max(plan_id) FROM foreshard.plans")
check "the plan is executed" 20002 "$(sql main "SET client_min_messages = error; SELECT rows FROM restore_table('public.orders', 'table:old.orders', '{\"plan\": $plan}')")"
sql main "DROP TABLE orders"

# Stopped while it reads, in either pass.
sql main "CREATE TABLE old.large WITH (autovacuum_enabled = off) AS SELECT n AS id, md5(n::text) AS note FROM generate_series(1, 1500000) n"
traces() { sql main "SELECT (SELECT count(*) FROM pg_class), (SELECT count(*) FROM foreshard._jobs), (SELECT count(*) FROM foreshard._plans)"; }
before=$(traces)
for phase in profiling loading; do
    on main psql -XAtq -v VERBOSITY=verbose -c "SET client_min_messages = error" \
        -c "SELECT rows FROM restore_table('public.large', 'table:old.large', '{\"query_log\": \"off\", \"shard_key\": [\"id\"], \"shard_count\": 4}')" >"$work/cancelled" 2>&1 &
    wait_until 240 main "SELECT count(*) = 1 FROM foreshard.jobs WHERE state = 'running' AND phase = '$phase'"
    sql main "SELECT pg_cancel_backend(pid) FROM foreshard.jobs WHERE state = 'running'" >/dev/null
    wait
    check_match "cancelled while $phase" 'ERROR:  57014: canceling statement due to user request' "$(cat "$work/cancelled")"
    check "cancelled while $phase: nothing is left" "$before" "$(traces)"
    check "cancelled while $phase: the source is free" "" "$(sql main "SET lock_timeout = '100ms'; INSERT INTO old.large VALUES (0, 'x'); DELETE FROM old.large WHERE id = 0")"
done

# Another server's table, under a password that only the user mapping knows. Its statistics, keys and indexes are its own.
sql far "CREATE TABLE public.sold (id bigint PRIMARY KEY, customer int NOT NULL, note text, at timestamptz DEFAULT now(), gone int);
    ALTER TABLE public.sold DROP COLUMN gone;
    INSERT INTO public.sold SELECT n, n % 97, CASE n % 3 WHEN 0 THEN E'tab\there \\\\ nl\n' WHEN 1 THEN md5(n::text) END, '2024-06-01 UTC'::timestamptz + n * interval '1 min'
    FROM generate_series(1, 20000) n"
secret=$(password far)
{
    echo "CREATE EXTENSION postgres_fdw; CREATE SCHEMA far;"
    echo "CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '$(port far)', dbname 'postgres');"
    echo "CREATE USER MAPPING FOR postgres SERVER far OPTIONS (user 'postgres', password '$secret');"
    echo "CREATE FOREIGN TABLE far.sold (id bigint NOT NULL, customer int NOT NULL, note text, at timestamptz DEFAULT now()) SERVER far OPTIONS (schema_name 'public');"
    echo "COMMENT ON FOREIGN TABLE far.sold IS 'sold elsewhere'"
} >"$work/far.sql"
on main psql -Xq -v ON_ERROR_STOP=1 -f "$work/far.sql"
sql main "SELECT pg_stat_statements_reset()" >/dev/null
restore="SELECT rows, shard_count, notes FROM restore_table('public.sold', 'table:far.sold', '{\"query_log\": \"off\", \"shard_key\": [\"customer\"], \"shard_count\": 4}')"
on main psql -XAtq -c "$restore" >"$work/sold" 2>&1 || true
check_match "a foreign table is restored" '^20000\|4\|' "$(cat "$work/sold")"
check_match "and the notes say what it does not bring" 'foreign table: its keys and indexes are the other server' "$(cat "$work/sold")"
check "with all rows" 0 "$(sql main "SELECT count(*) FROM (TABLE far.sold EXCEPT ALL TABLE sold) x")"
check "with columns, NOT NULL, defaults and comments" "id|t|
customer|t|
note|f|
at|f|now()
sold elsewhere" "$(sql main "SELECT attname, attnotnull, pg_get_expr(adbin, adrelid) FROM pg_attribute LEFT JOIN pg_attrdef ON (adrelid, adnum) = (attrelid, attnum)
    WHERE attrelid = 'sold'::regclass AND attnum > 0 ORDER BY attnum; SELECT obj_description('sold'::regclass)")"
check "every row in its shard" "20000|0|t" "$(sql main "SELECT sum(rows), sum(misplaced_rows), bool_and(ok) FROM foreshard.verify_table('sold')")"
check "the ledger keeps the name" "table:far.sold|restored from table:far.sold" \
    "$(sql main "SELECT backup, message FROM foreshard.tables JOIN foreshard.jobs USING (job_id) WHERE relation = 'sold'::regclass")"
sql main "DROP TABLE sold"

# A table with parts on both servers.
sql main "CREATE TABLE old.both (id bigint, customer int, note text, at timestamptz) PARTITION BY RANGE (id);
    ALTER FOREIGN TABLE far.sold ALTER id DROP NOT NULL, ALTER customer DROP NOT NULL, ALTER at DROP DEFAULT;
    ALTER TABLE old.both ATTACH PARTITION far.sold FOR VALUES FROM (1) TO (20001);
    CREATE TABLE old.both_here PARTITION OF old.both FOR VALUES FROM (20001) TO (30001);
    INSERT INTO old.both SELECT n, n % 97, NULL, now() FROM generate_series(20001, 30000) n"
check "a table with parts on both servers" "30000
0" "$(sql main "SET client_min_messages = error; SELECT rows FROM restore_table('public.sold', 'table:old.both', '{\"query_log\": \"off\", \"shard_key\": [\"id\"], \"shard_count\": 2}')"
    sql main "SELECT count(*) FROM (TABLE old.both EXCEPT ALL TABLE sold) x")"
sql main "DROP TABLE sold; ALTER TABLE old.both DETACH PARTITION far.sold"

# What goes wrong there is said, and nothing is left here.
before=$(traces)
sql main "ALTER FOREIGN TABLE far.sold ADD COLUMN absent int"
check_error "a column that the other server does not have" '42703: column "absent" does not exist' main "$restore"
sql main "ALTER FOREIGN TABLE far.sold DROP COLUMN absent, ALTER note SET NOT NULL"
check_error "a NOT NULL that does not hold there" '23502: null value in column "note"' main "$restore"
sql main "ALTER FOREIGN TABLE far.sold ALTER note DROP NOT NULL; ALTER USER MAPPING FOR postgres SERVER far OPTIONS (SET password 'wrong$secret')"
check_error "a wrong password" '08001: could not connect to server "far"' main "$restore"
sql main "DROP USER MAPPING FOR postgres SERVER far"
check_error "no user mapping" '42704: user mapping not found' main "$restore"
check "errors leave nothing" "$before" "$(traces)"
on main psql -XAtq -c "TABLE foreshard._plans" -c "TABLE foreshard._jobs" -c "TABLE foreshard._tables" -c "SELECT foreshard.explain(plan_id) FROM foreshard.plans" \
    -c "SELECT query FROM pg_stat_statements WHERE query !~ 'USER MAPPING'" >"$work/kept"
check "what was kept says nothing of the password" "" "$(grep -lF "$secret" "$work/kept" "$work/sold" || true)"
check "nor does the log" "" "$(grep -vE 'STATEMENT:.*USER MAPPING' "$work/main/log" | grep -F "$secret" || true)"
check_match "though there is something to look through" 'far.sold' "$(cat "$work/kept")"
