#!/usr/bin/env bash
# Load histories of a real server: copies of pg_stat_statements taken while it works and is reset, and more rows than are read.
. "$(dirname -- "$0")/lib.sh"

server main --preload pg_stat_statements
sql main "CREATE DATABASE shop"
sql main "CREATE EXTENSION foreshard; CREATE EXTENSION pg_stat_statements; CREATE SCHEMA copies; CREATE SCHEMA ops;
    CREATE TABLE sale (id integer PRIMARY KEY, customer integer, amount numeric);
    CREATE TABLE customer (id integer PRIMARY KEY, region integer);
    INSERT INTO sale SELECT i, 1 + i % 100, i FROM generate_series(1, 2000) AS i;
    CREATE TABLE ops.log AS SELECT now() AS taken, * FROM pg_stat_statements WITH NO DATA" shop
backups=$(backups main)
on main pg_dump -Fc -d shop -t sale -t customer -f "$backups/shop.dump"
reset() { sql main "SELECT pg_stat_statements_reset()" shop >/dev/null; }
times() { for _ in $(seq "$1"); do echo "$2"; done | on main psql -XAtq -d shop >/dev/null; }
# A copy as one of the hour $1: nobody waits here for hours.
copy() { sql main "INSERT INTO ops.log SELECT timestamptz '2026-03-02 00:00 UTC' + $1 * interval '1 hour', * FROM pg_stat_statements" shop; }
plan() {
    sql main "SET client_min_messages = error; SELECT plan_id FROM foreshard.plan_restore('copies.sale', '$backups/shop.dump',
        '{\"source\": \"public.sale\", \"query_log\": \"off\", \"history\": $1}') WHERE chosen" shop
}
plan_says() { sql main "SELECT plan #>> '{$2}' FROM foreshard._plans WHERE id = $1" shop; }

reset
times 5 "SELECT * FROM sale WHERE id = 3;"
copy 0
# 36 and 72 statements an hour on the table, and many more on another one; a reset; 18 more.
times 30 "SELECT * FROM sale WHERE id = 3;"; times 6 "UPDATE sale SET amount = amount WHERE id = 4;"; times 200 "SELECT * FROM customer WHERE id = 1;"
copy 1
times 72 "SELECT * FROM sale WHERE id = 3;"; times 200 "SELECT * FROM customer WHERE id = 1;"
copy 2
reset
times 18 "SELECT * FROM sale WHERE id = 3;"
copy 3
id=$(plan '"ops.log"')
check "calls a second of the table's statements, a reset among them" "rate|3|$(sql main "SELECT round((36 + 72 + 18) / 3 / 3600.0, 4)" shop)" \
    "$(sql main "SELECT s ->> 'metric', s ->> 'slots', s ->> 'now' FROM foreshard._plans, jsonb_array_elements(plan #> '{forecast,series}') AS s WHERE id = $id AND s ->> 'metric' = 'rate'" shop)"
check "concurrency follows from it" "t" \
    "$(sql main "SELECT bool_or(s ->> 'metric' = 'sessions') FROM foreshard._plans, jsonb_array_elements(plan #> '{forecast,series}') AS s WHERE id = $id" shop)"
check_match "the reset is told" "times a statement's counters fell" "$(plan_says "$id" forecast,notes)"
check_match "the statements that count are told" '^copies of the query log in ops.log, the 2 of [0-9]+ statements that touch public.sale$' "$(plan_says "$id" forecast,source)"
sql main "CREATE VIEW ops.others AS SELECT * FROM ops.log WHERE query LIKE '%customer%' AND query NOT LIKE '%sale%'" shop
check "none that touches the table is an answer" '["no statement of them touches public.sale"]' "$(plan_says "$(plan '"ops.others"')" forecast,notes)"

# Two days more, with 50 rows added and 10 taken away every six hours.
for hour in 9 15 21 27 33 39 45; do
    sql main "INSERT INTO sale SELECT i, 1, i FROM generate_series($hour * 1000, $hour * 1000 + 49) AS i; DELETE FROM sale WHERE id < $hour * 1000 + 10 AND id >= $hour * 1000" shop
    copy $hour
done
# What INSERT and DELETE changed is the growth: from the backup's 2,000 rows, 160 a day more.
id=$(plan '{"relation": "ops.log"}')
check "growth follows from the rows that were added and taken away" "rows inserted less deleted|2000.0|160.0" \
    "$(sql main "SELECT s ->> 'name', s ->> 'now', s ->> 'per_day' FROM foreshard._plans, jsonb_array_elements(plan #> '{forecast,series}') AS s WHERE id = $id AND s ->> 'metric' = 'rows'" shop)"
check "so few rows ask for no split for long" not_foreseen "$(plan_says "$id" next_split,due)"

# More rows than are read: the newest count. And it can be stopped.
sql main "CREATE TABLE ops.minutes AS SELECT t AS ts, 100 + extract(minute FROM t)::int AS rate
    FROM generate_series(timestamptz '2025-01-01 UTC', timestamptz '2026-01-03 UTC', '1 minute') AS t" shop
check_match "what is not read is told" 'only the newest 525,600 rows were read, from 2025-01-03 00:01 on' "$(plan_says "$(plan '"ops.minutes"')" forecast,notes)"
check_error "it can be stopped" '57014: canceling statement due to statement timeout' main \
    "SET statement_timeout = '20ms'; SELECT count(*) FROM foreshard.forecast('ops.minutes')" shop
# The time zone of who asks does not matter, nor where there is none in the relation.
sql main "CREATE TABLE ops.local AS SELECT ts AT TIME ZONE 'UTC' AS at, rate FROM ops.minutes WHERE ts > '2025-12-31 UTC'" shop
for zone in UTC Asia/Kolkata America/New_York; do
    check "a forecast asked for in $zone" "2026-01-03 00:01:00" "$(sql main "SET timezone = '$zone';
        SELECT min(time) AT TIME ZONE 'UTC' FROM foreshard.forecast('ops.local', '{\"horizon\": \"1 hour\"}')" shop | tail -1)"
done

# A restored table's own name is the name of what the monitor has stored of it. Three weeks of hours are put there: by day 40 statements a second, by night 4;
# two shards, of which one does three quarters of the work.
sql main "SET client_min_messages = error; SELECT restore_table('public.watched', 'table:public.sale', '{\"shard_key\": [\"id\"], \"method\": \"hash\", \"shard_count\": 2, \"query_log\": \"off\"}')" shop >/dev/null
check_error "nothing was stored yet: a relation like any other" '42703.*has no time|22023' main "SELECT foreshard.forecast('public.watched')" shop
sql main "INSERT INTO foreshard._load SELECT 'watched', s.shard, h, 3600, 3600, 3600 * (0.1 + 0.9 * day) * CASE s.ordinal WHEN 0 THEN 0.75 ELSE 0.25 END, 0, 3600 * (4 + 36 * day), 0, 0, 0, 0, 0, 0, 0, 1000 + n, 0, 1e6 + 1e3 * n, NULL
        FROM foreshard._shards s, generate_series(1, 21 * 24) n, LATERAL (SELECT date_trunc('hour', now(), 'UTC') - n * interval '1 hour' AS h) AS a,
        LATERAL (SELECT CASE WHEN extract(hour FROM h AT TIME ZONE 'UTC') BETWEEN 8 AND 19 THEN 1 ELSE 0 END AS day) AS b WHERE s.relation = 'watched'::regclass;
    INSERT INTO foreshard._statement_load SELECT 'watched', h, 3600, 3600, 3600 * (4 + 36 * day), 3600 * (4 + 36 * day) * 2
        FROM generate_series(1, 21 * 24) n, LATERAL (SELECT date_trunc('hour', now(), 'UTC') - n * interval '1 hour' AS h) AS a,
        LATERAL (SELECT CASE WHEN extract(hour FROM h AT TIME ZONE 'UTC') BETWEEN 8 AND 19 THEN 1 ELSE 0 END AS day) AS b" shop
check "its series" "bytes load mean_ms rate rate x mean_ms rows" "$(sql main "SELECT string_agg(DISTINCT series, ' ' ORDER BY series) FROM foreshard.forecast('public.watched', '{\"horizon\": \"1 day\"}')" shop)"
check "a day ahead: work by day and by night" "12 1.0|12 0.1" "$(sql main "SELECT string_agg(n || ' ' || e, '|' ORDER BY e DESC) FROM (SELECT round(expected::numeric, 1) AS e, count(*) AS n
    FROM foreshard.forecast('public.watched', '{\"horizon\": \"1 day\"}') WHERE series = 'load' GROUP BY 1) AS s" shop)"
check "statements a second" "12 40|12 4" "$(sql main "SELECT string_agg(n || ' ' || e, '|' ORDER BY e DESC) FROM (SELECT round(expected) AS e, count(*) AS n
    FROM foreshard.forecast('public.watched', '{\"horizon\": \"1 day\"}') WHERE series = 'rate' GROUP BY 1) AS s" shop)"
id=$(sql main "SET client_min_messages = error; SELECT plan_id FROM foreshard.plan_restore('public.anew', 'table:public.watched', '{\"query_log\": \"off\", \"history\": \"public.watched\"}') WHERE chosen" shop)
check "restored anew it is planned for that" "40" "$(sql main "SELECT round((s ->> 'peak')::numeric) FROM foreshard._plans, jsonb_array_elements(plan #> '{forecast,series}') AS s WHERE id = $id AND s ->> 'metric' = 'rate'" shop)"
sql main "CREATE ROLE stranger; GRANT USAGE ON SCHEMA foreshard TO stranger; GRANT EXECUTE ON FUNCTION foreshard.forecast TO stranger; GRANT SELECT ON foreshard.tables TO stranger" shop
check_error "who may not read the history is told of the table" '42703.*"public.watched" has no time' main "SET ROLE stranger; SELECT foreshard.forecast('public.watched')" shop
