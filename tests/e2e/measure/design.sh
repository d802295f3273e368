# shellcheck shell=bash
# Designs of a workload's tables, and their really sharded tables; for tests that source lib.sh and corpus.sh first.
#
#   plan_all NAME            plans every table of the workload in its own database, into measure_plans there
#   design NAME KIND         of `chosen`, `primary` or `runner-up`: a config for each table, one `table|config` a line, in the
#                            order of their references
#   build NAME DATABASE DESIGN   restores the tables so in a new database, with the probe in it
#   measure NAME DATABASE    runs the instrumented scripts there; each weighs as often as it ran when the query log was made
measure=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

# Runs of each script, by one client. A question of an analyst reads whole tables and does not depend on chance.
measure_runs() { case $1 in tpch) echo 2 ;; tpcc) echo 40 ;; *) echo 200 ;; esac; }

plan_all() {
    sql main "CREATE EXTENSION foreshard; CREATE SCHEMA new; CREATE TABLE log.plans (name text, level integer, plan_id bigint);
        INSERT INTO log.plans (name, level)
        WITH RECURSIVE above AS (
            SELECT c.oid, 0 AS level FROM pg_class c WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND NOT EXISTS (
                SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
            UNION SELECT f.conrelid, level + 1 FROM above JOIN pg_constraint f ON f.contype = 'f' AND f.confrelid = above.oid AND f.conrelid <> f.confrelid)
        SELECT oid::regclass::text, max(level) FROM above GROUP BY 1;
        UPDATE log.plans SET plan_id = (SELECT min(p.plan_id) FROM foreshard.plan_restore('new.' || name, '$(corpus_backup "$1")',
            '$corpus_config'::jsonb || jsonb_build_object('source', 'public.' || name)) AS p)" "$1"
}

# The main table is the one with most of the load. The tables other than it keep the layout that was chosen for them.
design() {
    sql main "
        CREATE OR REPLACE FUNCTION pg_temp.levels(c jsonb) RETURNS jsonb LANGUAGE sql RETURN
            jsonb_build_object('method', c -> 'method', 'shard_key', c -> 'key') || CASE WHEN c ? 'within' THEN jsonb_build_object('within',
                jsonb_build_object('method', c #> '{within,method}', 'shard_key', c #> '{within,key}', 'shard_count', c #> '{within,count}')) ELSE '{}' END;
        WITH candidate AS (
            SELECT name, level, (n - 1)::text = plan ->> 'chosen' AS chosen, n, c, c ->> 'method' IN ('hash', 'range', 'list') AS sharded
            FROM log.plans JOIN foreshard._plans ON id = plan_id, jsonb_array_elements(plan -> 'candidates') WITH ORDINALITY AS a (c, n)
            WHERE c ->> 'rejected' IS NULL OR (n - 1)::text = plan ->> 'chosen'),
        main AS (
            SELECT name FROM candidate WHERE chosen AND sharded
            ORDER BY (c #>> '{evidence,calls}')::float8 + (c #>> '{evidence,insert_calls}')::float8 DESC, name LIMIT 1),
        runner_up AS (
            SELECT DISTINCT ON (name) * FROM candidate JOIN main USING (name) WHERE sharded AND NOT chosen ORDER BY name, n),
        keyed AS (
            SELECT conrelid::regclass::text AS name, jsonb_build_object('method', 'hash', 'shard_key', jsonb_agg(attname ORDER BY n)) AS config
            FROM pg_constraint, unnest(conkey) WITH ORDINALITY AS k (num, n), pg_attribute
            WHERE contype = 'p' AND attrelid = conrelid AND attnum = num GROUP BY conrelid)
        SELECT chosen.name || '|' || (jsonb_build_object('growth', 100, 'query_log', 'log.statements')
            || CASE WHEN '$2' = 'primary' AND keyed.config IS NOT NULL THEN keyed.config
                    WHEN '$2' = 'runner-up' AND runner_up.c IS NOT NULL THEN pg_temp.levels(runner_up.c)
                    WHEN sharded.sharded THEN pg_temp.levels(chosen.c)
                    ELSE jsonb_build_object('method', chosen.c -> 'method') END)
        FROM candidate AS chosen LEFT JOIN keyed USING (name) LEFT JOIN runner_up USING (name), LATERAL (SELECT chosen.sharded) AS sharded
        WHERE chosen.chosen ORDER BY chosen.level, chosen.name" "$1"
}

build() {
    local name=$1 database=$2 table config
    sql main "CREATE DATABASE $database"
    on main bash -c "pg_dump -t log.statements $name | psql -Xq -v ON_ERROR_STOP=1 -d $database -c 'CREATE SCHEMA log' -f -" >/dev/null
    sql main "CREATE EXTENSION foreshard" "$database"
    while IFS='|' read -r table config; do
        sql main "SET client_min_messages = warning; SELECT FROM restore_table('public.$table', '$(corpus_backup "$name")', '$config')" "$database" >/dev/null
    done <<<"$3"
    # Views are not restored with a table, and the scripts may read them.
    sql main "SELECT format('CREATE VIEW public.%I AS %s', relname, pg_get_viewdef(oid)) FROM pg_class v
              WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace AND NOT EXISTS (
                  SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = v.oid AND deptype = 'e') ORDER BY oid" "$name" |
        on main psql -Xq -v ON_ERROR_STOP=1 -d "$database"
    on main psql -Xq -v ON_ERROR_STOP=1 -d "$database" -f "$measure/probe.sql" -f "$measure/compare.sql"
    sql main "CALL measure.find_leaves()" "$database"
    # A plan says of the tables that are not restored yet what would suit it: only now do plans know the whole design.
    while IFS='|' read -r table config; do
        sql main "SET client_min_messages = warning;
            INSERT INTO measure.whole SELECT DISTINCT plan_id FROM foreshard.plan_restore('public.${table}_again', '$(corpus_backup "$name")',
                '$config'::jsonb || jsonb_build_object('source', 'public.$table'))" "$database"
    done <<<"$3"
}

measure() {
    local name=$1 database=$2 script weight out
    out=$work/$database
    mkdir "$out"
    while read -r script weight; do
        awk -v script="$script" -v list="$out/list" -f "$measure/instrument.awk" "$workloads/$name/$script" "$workloads/$name/$script" >"$out/script.sql"
        sql main "INSERT INTO measure.scripts VALUES ('$script', $weight)" "$database"
        on main pgbench -n -M simple -c 1 -t "$(measure_runs "$name")" --random-seed=20250102 -D clients=1 -D warehouses="$WAREHOUSES" -D customers=30 -D items=1000 \
            -f "$out/script.sql" "$database" >"$out/log" 2>&1 || { cat "$out/log"; return 1; }
        grep -q '^number of failed transactions: 0 ' "$out/log" || { cat "$out/log"; return 1; }
    done <"$work/$name.mix"
    on main psql -Xq -d "$database" -c "\\copy measure.statements FROM '$out/list'"
}
