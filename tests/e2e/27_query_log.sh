#!/usr/bin/env bash
# What a real query log says besides plain statements: views, statements inside functions, and what was counted between two
# copies of it.
. "$(dirname -- "$0")/lib.sh"

server main --preload pg_stat_statements --conf 'pg_stat_statements.track = all'
sql main "CREATE DATABASE shop"
sql main "CREATE EXTENSION foreshard; CREATE EXTENSION pg_stat_statements; CREATE SCHEMA copies; CREATE SCHEMA ops;
    CREATE TABLE sale (id integer PRIMARY KEY, customer integer, amount numeric, day date);
    CREATE TABLE customer (id integer PRIMARY KEY, region integer);
    INSERT INTO customer SELECT i, i % 10 FROM generate_series(1, 100) AS i;
    INSERT INTO sale SELECT i, 1 + i % 100, i, '2024-01-01'::date + i % 90 FROM generate_series(1, 2000) AS i;
    CREATE VIEW sales_of AS SELECT s.customer AS who, s.id AS number, c.region FROM sale AS s JOIN customer AS c ON c.id = s.customer;
    CREATE VIEW big_sales AS SELECT who, number FROM sales_of WHERE region > 3;
    CREATE FUNCTION total(wanted integer) RETURNS numeric LANGUAGE plpgsql AS \$\$
        DECLARE found numeric; other sale;
        BEGIN
            found := (SELECT sum(amount) FROM sale WHERE customer = wanted);
            SELECT * INTO other FROM sale WHERE id = wanted;
            IF EXISTS (SELECT FROM customer WHERE id = other.customer) THEN UPDATE sale SET amount = other.amount WHERE id = other.id; END IF;
            RETURN found;
        END \$\$" shop
backups=$(backups main)
on main pg_dump -Fc -d shop -f "$backups/shop.dump"
on main pg_dump -Fc -d shop -t sale -f "$backups/sale.dump"
reset() { sql main "SELECT pg_stat_statements_reset()" shop >/dev/null; }
times() { for _ in $(seq "$1"); do echo "$2"; done | on main psql -XAtq -d shop >/dev/null; }
# The target's reads and writes under a key, by kind of statement: what was understood of them.
plan() {
    sql main "SET client_min_messages = error; SELECT plan_id FROM foreshard.plan_restore('copies.sale', '$backups/$1',
        '{\"source\": \"public.sale\", \"shard_count\": 4$2}') WHERE chosen" shop
}
figures() {
    sql main "SELECT round((e ->> 'calls')::numeric), e -> 'reads' ->> 'single', e -> 'writes' ->> 'single' FROM foreshard._plans,
        jsonb_array_elements(plan -> 'candidates') AS c, LATERAL (SELECT c -> 'evidence' AS e) AS x WHERE id = $1 AND c -> 'key' = '[\"$2\"]' LIMIT 1" shop
}

reset
times 30 "SELECT * FROM big_sales WHERE who = 7;"
times 10 "SELECT * FROM sales_of WHERE number = 7;"
check "views on views pin what they stand for" "40|0.75|0.0" "$(figures "$(plan shop.dump "")" customer)"
check "a backup of one table has no views; this database has" "40|0.25|0.0" "$(figures "$(plan sale.dump "")" id)"

reset
times 20 "SELECT total(5);"
# One assignment, one SELECT INTO and one UPDATE per call: found once each, not again by the call of the function.
check "statements inside functions are read, variables and all" "60|0.5|1.0" "$(figures "$(plan shop.dump "")" id)"
check "nothing of it is not understood" "[]" "$(sql main "SELECT plan #> '{coverage,not_understood}' FROM foreshard._plans ORDER BY id DESC LIMIT 1" shop)"
reset
times 5 "EXPLAIN (ANALYZE) SELECT * FROM sale WHERE id = 3;"
check "what EXPLAIN runs is not counted twice" "5|1.0|0.0" "$(figures "$(plan shop.dump "")" id)"

# A window between two copies.
reset
times 50 "SELECT * FROM sale WHERE day = '2024-01-01';"
sql main "CREATE TABLE ops.monday AS TABLE pg_stat_statements" shop
times 8 "SELECT * FROM sale WHERE customer = 3;"
sql main "CREATE TABLE ops.friday AS TABLE pg_stat_statements" shop
check "all that the log has" "58|0.1379|0.0" "$(figures "$(plan shop.dump ', "query_log": "ops.friday"')" customer)"
window=$(plan shop.dump ', "query_log": "ops.friday", "since": "ops.monday"')
check "only what came between two copies" "8|1.0|0.0" "$(figures "$window" customer)"
check_match "and the plan says which" "^query log ops.friday since ops.monday" "$(sql main "SELECT plan ->> 'basis' FROM foreshard._plans WHERE id = $window" shop)"
check "the live view since a copy" "8|1.0|0.0" "$(figures "$(plan shop.dump ', "since": "ops.monday"')" customer)"
reset
times 3 "SELECT * FROM sale WHERE day = '2024-01-01';"
check "after a reset counters count from zero" "3|1.0|0.0" "$(figures "$(plan shop.dump ', "since": "ops.monday"')" day)"
refused() { check_error "$1" "$2" main "SELECT foreshard.plan_restore('copies.sale', '$backups/shop.dump', '{\"source\": \"public.sale\", $3}')" shop; }
refused "a window needs a log" '22023.*\\?"since\\?" goes with a query log' '"query_log": "off", "since": "ops.monday"'
refused "and a copy that exists" '42P01.*query log .*ops.sunday.* does not exist' '"since": "ops.sunday"'
refused "and has the columns" '42703.*public.sale.* is no query log' '"since": "public.sale"'

# What min_calls leaves out is told.
explained() { sql main "SELECT regexp_replace(foreshard.explain($1), '\s+', ' ', 'g')" shop; }
some=$(plan shop.dump ', "query_log": "ops.friday", "min_calls": 20')
check_match "min_calls says what it left out" "statements with [0-9]+ calls, [0-9]+ of them \([0-9]+ calls\) left out by min_calls, of which 100 %" "$(explained "$some")"
none=$(plan shop.dump ', "query_log": "ops.friday", "min_calls": 1000')
check_match "and that nothing was left" "left out by min_calls, so that none was read; treated as" "$(explained "$none")"
