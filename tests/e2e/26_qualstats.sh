#!/usr/bin/env bash
# pg_qualstats: real constants show what is hot by load though it has no more rows than the others, and joins that no text
# shows; live, as a copy with names, and as what is no such thing.
. "$(dirname -- "$0")/lib.sh"

server main --preload pg_stat_statements,pg_qualstats --conf 'pg_qualstats.sample_rate = 1' --conf 'pg_stat_statements.track = all'
sql main "CREATE DATABASE shop"
sql main "CREATE DATABASE other"
sql main "CREATE EXTENSION foreshard; CREATE EXTENSION pg_stat_statements; CREATE EXTENSION pg_qualstats; CREATE SCHEMA copies;
    CREATE TABLE account (id integer PRIMARY KEY, region integer, note text);
    CREATE TABLE part (account_id integer, kind text) PARTITION BY HASH (account_id);
    CREATE TABLE part_0 PARTITION OF part FOR VALUES WITH (MODULUS 1, REMAINDER 0);
    INSERT INTO account SELECT i, i % 500, md5(i::text) FROM generate_series(1, 20000) AS i;
    INSERT INTO part SELECT i, 'k' || i % 7 FROM generate_series(1, 20000) AS i;
    CREATE INDEX ON account (region); ANALYZE account, part" shop
# 300 look-ups by region, 240 of them of one; 300 by id, all different. Equal in rows.
on main pg_dump -Fc -d shop -t account -t part -t part_0 -f "$(backups main)/shop.dump"
sql main "SELECT pg_stat_statements_reset(), pg_qualstats_reset()" shop >/dev/null
{
    for i in $(seq 60); do echo "SELECT count(*) FROM account WHERE region = $i;"; done
    for i in $(seq 240); do echo "SELECT count(*) FROM account WHERE region = 7;"; done
    for i in $(seq 300); do echo "SELECT note FROM account WHERE id = $i;"; done
    for i in $(seq 20); do echo "SELECT kind FROM part WHERE account_id = ANY ('{$i,$((i + 1)),$((i + 2)),$((i + 3)),$((i + 4)),$((i + 5))}'::integer[]);"; done
} | on main psql -XAtq -d shop >/dev/null

plan() {
    sql main "SET client_min_messages = error; SELECT plan_id FROM foreshard.plan_restore('copies.account', '$(backups main)/shop.dump',
        '{\"source\": \"public.account\", \"shard_count\": 8$1}') WHERE chosen" "${2:-shop}"
}
evidence() { # evidence PLAN COLUMN [database]
    sql main "SELECT round((e ->> 'hottest_value')::numeric, 3), round((e ->> 'hottest_load')::numeric, 1), round((e ->> 'load_skew')::numeric)
        FROM foreshard._plans, jsonb_array_elements(plan -> 'candidates') AS c, LATERAL (SELECT c -> 'evidence' AS e) AS x
        WHERE id = $1 AND c -> 'key' = '[\"$2\"]'" "${3:-shop}"
}
live=$(plan "")
check "a region is hot by load, though it has as many rows as the others" "0.002|0.8|6" "$(evidence "$live" region)"
check "no account is" "0.000|0.0|1" "$(evidence "$live" id)"
check_match "the plan stands on what was watched" "^query log pg_stat_statements, [0-9]+ watched predicates of public.pg_qualstats" \
    "$(sql main "SELECT plan ->> 'basis' FROM foreshard._plans WHERE id = $live" shop)"
check "so the account is the key" '["id"]' "$(sql main "SELECT plan #> '{layout,key}' FROM foreshard._plans WHERE id = $live" shop)"
because=$(sql main "SELECT c ->> 'because' FROM foreshard._plans, jsonb_array_elements(plan -> 'candidates') AS c WHERE id = $live AND c -> 'key' = '[\"region\"]'" shop)
check_match "and the reason says which figure counts" "By load, at least 7[0-9] % of the look-ups that were watched are of one value: .* more than by rows, so that this counts" "$because"
check "no constant is in the plan" 0 "$(sql main "SELECT count(*) FROM foreshard._plans WHERE id = $live AND plan::text LIKE '%::integer%'" shop)"
off=$(plan ', "qualstats": "off"')
check "without it nothing is known of the load" "0.002||" "$(evidence "$off" region)"

# In another database OIDs mean nothing; names do.
sql main "CREATE EXTENSION foreshard; CREATE SCHEMA copies; CREATE SCHEMA ops" other
copy() { on main psql -XAtq -d shop -c "COPY ($1) TO STDOUT" | on main psql -XAtq -d other -c "COPY $2 FROM STDIN"; }
sql main "CREATE TABLE ops.log (queryid bigint, query text, calls bigint, total_exec_time float8, rows bigint);
    CREATE TABLE ops.numbers (lrelid oid, lattnum smallint, opno oid, rrelid oid, rattnum smallint, dbid oid, queryid bigint, constvalue text, occurences bigint, execution_count bigint, nbfiltered bigint, eval_type \"char\");
    CREATE TABLE ops.quals (lrelname text, lattname text, opname text, rrelname text, rattname text, queryid bigint, constvalue text, occurences bigint, execution_count bigint, nbfiltered bigint, eval_type \"char\")" other
copy "SELECT queryid, query, calls, total_exec_time, rows FROM pg_stat_statements JOIN pg_database d ON d.oid = dbid WHERE datname = 'shop'" ops.log
copy "SELECT lrelid, lattnum, opno, rrelid, rattnum, dbid, queryid, constvalue, occurences, execution_count, nbfiltered, eval_type FROM pg_qualstats" ops.numbers
# The statement is the reference's own.
sql main "CREATE SCHEMA ops; $(sed -n '/^CREATE TABLE ops.quals AS/,/;$/p' "$(dirname -- "$0")/../../docs/reference.md")" shop
copy "SELECT lrelname, lattname, opname, rrelname, rattname, queryid, constvalue, occurences, execution_count, nbfiltered, eval_type FROM ops.quals" ops.quals
named=$(plan ', "query_log": "ops.log", "qualstats": "ops.quals"' other)
check "a copy with names tells the same" "$(evidence "$live" region)" "$(evidence "$named" region other)"
check_error "a copy by OID is refused" '22023.*ops.numbers.* speaks of another database' main \
    "SELECT foreshard.plan_restore('copies.account', '$(backups main)/shop.dump', '{\"source\": \"public.account\", \"qualstats\": \"ops.numbers\"}')" other
check_error "what is no such relation is named with what it lacks" '42703.*ops.log.* is no relation of watched predicates' main \
    "SELECT foreshard.plan_restore('copies.account', '$(backups main)/shop.dump', '{\"source\": \"public.account\", \"qualstats\": \"ops.log\"}')" other
check_error "and what does not exist, too" '42P01.*ops.nothing' main \
    "SELECT foreshard.plan_restore('copies.account', '$(backups main)/shop.dump', '{\"source\": \"public.account\", \"qualstats\": \"ops.nothing\"}')" other

# A partition is filed under the table that statements name. Its lists are one parameter to the log; they have six items, which
# fall on 16 (1 - (15/16)^6) = 5.1 shards.
sql main "SET client_min_messages = error; SELECT foreshard.plan_restore('copies.part', '$(backups main)/shop.dump', '{\"source\": \"public.part\", \"shard_key\": [\"account_id\"], \"shard_count\": 16}')" shop >/dev/null
check "lists of six items visit four further shards, at half a statement each" "2.1" "$(sql main "SELECT round((p ->> 1)::numeric, 1) FROM
    (SELECT plan FROM foreshard._plans ORDER BY id DESC LIMIT 1) AS x, jsonb_array_elements(plan #> '{candidates,0,evidence,cost_parts}') AS p WHERE p ->> 0 = 'reads on further shards'" shop)"
