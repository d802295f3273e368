#!/usr/bin/env bash
# Statements are sampled for the values of the shard key: every way to ask for one is understood, what cannot be known is not guessed, others do not
# see values that are none of theirs, and a value that carries a shard is isolated by the monitor itself.
. "$(dirname -- "$0")/lib.sh"

server main --preload pg_stat_statements,foreshard --conf "foreshard.monitor_interval = '1s'" --conf "foreshard.sample_rate = 1"
sql main "CREATE EXTENSION foreshard; CREATE ROLE keeper LOGIN; GRANT CREATE ON SCHEMA public TO keeper; GRANT USAGE ON SCHEMA foreshard TO keeper;
    GRANT ALL ON ALL TABLES IN SCHEMA foreshard TO keeper; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA foreshard TO keeper; GRANT EXECUTE ON FUNCTION restore_table TO keeper"
sql main "SET ROLE keeper; CREATE TABLE orders (at date NOT NULL DEFAULT current_date, tenant int NOT NULL, id bigint NOT NULL, note text, PRIMARY KEY (tenant, id));
    INSERT INTO orders SELECT current_date, n % 500, n, 'x' FROM generate_series(1, 20000) n; CREATE INDEX ON orders (id);
    SET client_min_messages = error; SELECT restore_table('public.t', 'table:public.orders', '{\"shard_key\": [\"tenant\"], \"method\": \"hash\", \"shard_count\": 4, \"query_log\": \"off\"}')" >/dev/null
sampled() { sql main "SELECT EXISTS (SELECT FROM foreshard.sampled_keys WHERE relation = 't'::regclass)"; }
wait_until 60 main "SELECT EXISTS (SELECT FROM foreshard.sampled_keys WHERE relation = 't'::regclass)"
check "the table is sampled" t "$(sampled)"

# What the sampler holds of a value, or nothing: nobody else uses the table.
hot() { sql main "SELECT value || ' ' || (shard = (SELECT DISTINCT tableoid FROM t WHERE tenant = $1)) FROM foreshard.hot_values WHERE value = '$1'"; }
run() { # WHAT VALUE STATEMENT…: 30 times, and it is known where the value is.
    local what=$1 value=$2; shift 2
    { for _ in $(seq 30); do printf '%s;\n' "$@"; done; } | on main psql -XAtq -v ON_ERROR_STOP=1 >/dev/null
    check "$what" "$value true" "$(hot "$value")"
}
run "a constant" 11 "SELECT count(*) FROM t WHERE tenant = 11"
run "the other way round, of another type, with all else" 12 "SELECT note FROM t WHERE 12::bigint = tenant AND id > 0 ORDER BY id LIMIT 1"
run "no index" 13 "SET enable_indexscan = off; SET enable_bitmapscan = off; SELECT note FROM t WHERE tenant = 13"
run "by the index alone" 14 "SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT id FROM t WHERE tenant = 14"
run "a bitmap" 15 "SET enable_seqscan = off; SET enable_indexscan = off; SET enable_indexonlyscan = off; SELECT note FROM t WHERE tenant = 15"
run "an update" 16 "UPDATE t SET note = 'y' WHERE tenant = 16 AND id = 16"
run "a delete" 17 "DELETE FROM t WHERE tenant = 17 AND id = -1"
run "a join, and a view over it" 18 "SELECT count(*) FROM (SELECT a.id FROM t a JOIN t b USING (tenant) WHERE tenant = 18 LIMIT 1) AS s"
run "a subquery" 19 "SELECT (SELECT max(id) FROM t WHERE tenant = 19)"
{ echo "SET plan_cache_mode = force_generic_plan; PREPARE q (int) AS SELECT note FROM t WHERE tenant = \$1 AND id = 20;"; for _ in $(seq 30); do echo "EXECUTE q (20);"; done; } | on main psql -XAtq >/dev/null
check "a parameter of a generic plan" "20 true" "$(hot 20)"
{ echo "SET plan_cache_mode = force_custom_plan; PREPARE q (int) AS SELECT note FROM t WHERE tenant = \$1 AND id = 21;"; for _ in $(seq 30); do echo "EXECUTE q (21);"; done; } | on main psql -XAtq >/dev/null
check "of a custom one" "21 true" "$(hot 21)"
sql main "CREATE FUNCTION look(v int) RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT max(note) FROM t WHERE tenant = v); END'"
run "a variable of a function" 22 "SELECT look(22)"
n=100000
{ for _ in $(seq 30); do n=$((n + 1)); echo "INSERT INTO t (tenant, id, note) VALUES (23, $n, 'new');"; done; } | on main psql -XAtq >/dev/null
check "a new row" "23 true" "$(hot 23)"
{ for _ in $(seq 30); do n=$((n + 2)); echo "INSERT INTO t (tenant, id, note) VALUES (24, $n, 'new'), (24, $n + 1, 'new');"; done; } | on main psql -XAtq >/dev/null
check "new rows" "24 true" "$(hot 24)"
{ echo "PREPARE i (int, bigint) AS INSERT INTO t (tenant, id, note) VALUES (\$1, \$2, 'new');"; for _ in $(seq 30); do n=$((n + 1)); echo "EXECUTE i (25, $n);"; done; } | on main psql -XAtq >/dev/null
check "a new row by parameters" "25 true" "$(hot 25)"
{ for _ in $(seq 200); do echo "SELECT count(*) FROM t WHERE tenant IN (31, 32, 33, 34);"; done; } | on main psql -XAtq >/dev/null
check "a list: each of them" 4 "$(sql main "SELECT count(*) FROM foreshard.hot_values WHERE value IN ('31', '32', '33', '34')")"

# What is not asked for is not told.
{ for _ in $(seq 30); do echo "SELECT count(*) FROM t WHERE tenant > 41; SELECT count(*) FROM t WHERE tenant <> 42; SELECT count(*) FROM t WHERE id = 43; SELECT count(*) FROM t WHERE tenant = 44 OR id = 1;
    SELECT count(*) FROM t WHERE tenant IS NULL; EXPLAIN SELECT FROM t WHERE tenant = 45; SELECT count(*) FROM orders WHERE tenant = 46;"; done; } | on main psql -XAtq >/dev/null
check "comparisons that are none, columns that are not the key, plans that do not run" 0 "$(sql main "SELECT count(*) FROM foreshard.hot_values WHERE value IN ('41', '42', '43', '44', '45', '46')")"
check "their load is known to have no value" t "$(sql main "SELECT known_share < 1 FROM foreshard.sampled_keys")"
sql main "SET foreshard.sampler = off; $(for _ in $(seq 30); do echo "SELECT count(*) FROM t WHERE tenant = 47;"; done)" >/dev/null
check "off" 0 "$(sql main "SELECT count(*) FROM foreshard.hot_values WHERE value = '47'")"
{ for _ in $(seq 30); do echo "SELECT 1 / (tenant - 48) FROM t WHERE tenant = 48;"; done; } | on main psql -XAtq >/dev/null 2>&1 || true
check "statements that fail" 0 "$(sql main "SELECT count(*) FROM foreshard.hot_values WHERE value = '48'")"
check_error "errors are as they were" "23505.*duplicate key value violates unique constraint" main "INSERT INTO t (tenant, id) SELECT tenant, id FROM t LIMIT 1"
check_match "with all that belongs to them" "CONSTRAINT NAME:  t_s[0-9]+_pkey" \
    "$(on main psql -XAtq -v VERBOSITY=verbose -c "INSERT INTO t (tenant, id) SELECT tenant, id FROM t LIMIT 1" 2>&1 || true)"

# Whose values they are.
sql main "CREATE ROLE reader LOGIN; CREATE ROLE other LOGIN; GRANT pg_monitor TO reader; GRANT USAGE ON SCHEMA foreshard TO other;
    GRANT SELECT ON foreshard.hot_values, foreshard.sampled_keys, foreshard.decisions TO other; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA foreshard TO other"
check "seen by the owner" t "$(sql main "SET ROLE keeper; SELECT count(*) > 0 FROM foreshard.hot_values")"
check "by who may read all statistics" t "$(sql main "SET ROLE reader; SELECT count(*) > 0 FROM foreshard.hot_values")"
check "by nobody else" "0|0|0" "$(sql main "SET ROLE other; SELECT (SELECT count(*) FROM foreshard.hot_values), (SELECT count(*) FROM foreshard._hot_values()), (SELECT count(*) FROM foreshard.sampled_keys)")"

# New keys that increase.
sql main "SET client_min_messages = error; CREATE SEQUENCE numbers; CREATE TABLE log (id bigint PRIMARY KEY DEFAULT nextval('numbers'), v text); INSERT INTO log (v) SELECT 'x' FROM generate_series(1, 2000);
    SELECT restore_table('public.l', 'table:public.log', '{\"shard_key\": [\"id\"], \"method\": \"range\", \"shard_count\": 4, \"query_log\": \"off\"}'); ALTER TABLE l ALTER id SET DEFAULT nextval('numbers')" >/dev/null
wait_until 60 main "SELECT EXISTS (SELECT FROM foreshard.sampled_keys WHERE relation = 'l'::regclass)"
{ for _ in $(seq 30); do echo "INSERT INTO l (v) VALUES ('y');"; done; } | on main psql -XAtq >/dev/null
check "a sequence increases" increasing "$(sql main "SELECT direction FROM foreshard.sampled_keys WHERE relation = 'l'::regclass")"
check "a tenant's number does not" t "$(sql main "SELECT direction IS DISTINCT FROM 'increasing' FROM foreshard.sampled_keys WHERE relation = 't'::regclass")"

# The load of one value. It is isolated, by itself, while it is written to.
for setting in "auto_reshard = on" "sample_rate = 0.2"; do sql main "ALTER SYSTEM SET foreshard.$setting"; done
sql main "SELECT pg_reload_conf()" >/dev/null
cat >"$work/load.sql" <<'SQL'
\set any random(0, 499)
\set id random(1, 40) * 500 + 77
UPDATE t SET note = note || 'z' WHERE tenant = 77 AND id = :id;
SELECT note FROM t WHERE tenant = 77 AND id = :id;
SELECT max(note) FROM t WHERE tenant = :any AND id = :any;
SELECT note FROM t WHERE tenant = 77 AND id = :id;
SQL
home=$(sql main "SELECT DISTINCT tableoid::regclass FROM t WHERE tenant = 77")
(eval "$(cluster_env "$work/main")" && exec pgbench -n -c 2 -T 600 --max-tries 1 -f "$work/load.sql") >"$work/bench" 2>&1 &
bench=$!
wait_until 60 main "SELECT EXISTS (SELECT FROM foreshard.health WHERE verdict = 'hot value')" || sql main "SELECT * FROM foreshard.health; SELECT * FROM foreshard.hot_values"
check_match "the verdict says why a split is useless" "of the load is on shard $home, and [5-9][0-9] % of that is one value of the key: splitting is useless" "$(sql main "SELECT because FROM foreshard.health WHERE relation = 't'::regclass")"
wait_until 90 main "SELECT EXISTS (SELECT FROM foreshard.decisions WHERE outcome = 'started')" || sql main "SELECT * FROM foreshard.health; SELECT * FROM foreshard.decisions"
check "what it began" "isolate|SELECT foreshard.isolate_value('public.t', '77');" "$(sql main "SELECT move, statement FROM foreshard.decisions WHERE outcome = 'started' ORDER BY decision_id LIMIT 1")"
check "the value is not for others" "isolate||f" "$(sql main "SET ROLE other; SELECT move, statement, forecast ? 'action' FROM foreshard.decisions WHERE outcome = 'started' ORDER BY decision_id LIMIT 1")"
job=$(sql main "SELECT job_id FROM foreshard.decisions WHERE outcome = 'started' ORDER BY decision_id LIMIT 1")
check "is done" done "$(sql main "SELECT foreshard.wait_job($job, '300 seconds')")"
check "the value has a shard of its own" 77 "$(sql main "SELECT string_agg(DISTINCT tenant::text, ',') FROM t WHERE tableoid = (SELECT DISTINCT tableoid FROM t WHERE tenant = 77)")"
wait_until 60 main "SELECT shard = (SELECT DISTINCT tableoid FROM t WHERE tenant = 77) FROM foreshard.hot_values WHERE value = '77'"
check "the sampler sees it there" 77 "$(hot 77 | cut -d' ' -f1)"
kill $bench 2>/dev/null || true
wait $bench 2>/dev/null || true
check "no client saw an error" "" "$(grep -iE "error|aborted|fatal" "$work/bench" || true)"
check "every row is where it belongs" "t|0" "$(sql main "SELECT bool_and(ok), sum(misplaced_rows) FROM foreshard.verify_table('t')")"

# A table that is gone gives up its place, and a crash forgets all.
sql main "DROP TABLE t"
wait_until 60 main "SELECT NOT EXISTS (SELECT FROM foreshard._sampled_keys() WHERE relation::regclass::text <> 'l')"
check "dropped" l "$(sql main "SELECT string_agg(relation::text, ' ') FROM foreshard.sampled_keys")"
crash main; start main
wait_until 60 main "SELECT EXISTS (SELECT FROM foreshard.sampled_keys WHERE relation = 'l'::regclass)"
check "after a crash" "l 0" "$(sql main "SELECT relation || ' ' || round(samples) FROM foreshard.sampled_keys")"

# Without preloading there is nothing to share.
server plain
check "not preloaded" "0|0" "$(sql plain "CREATE EXTENSION foreshard; SELECT (SELECT count(*) FROM foreshard.hot_values), (SELECT count(*) FROM foreshard.sampled_keys)")"
