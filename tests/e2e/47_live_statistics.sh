#!/usr/bin/env bash
# A live table is planned by what its server knows of it, without reading a row, while that is fresh; and the plan is that of the rows.
. "$(dirname -- "$0")/lib.sh"
. "$(dirname -- "$0")/corpus.sh"

server main --preload pg_stat_statements --conf 'autovacuum = off'
# What was chosen, and by what kind of profile.
chosen="SELECT method, shard_key, within -> 'key', shard_count"
# plan DATABASE TABLE CONFIG
plan() {
    sql main "SET client_min_messages = error; $chosen FROM foreshard.plan_restore('new.${2#*.}', 'table:$2', '$3') WHERE chosen" "$1"
}
last() { sql main "SELECT $2 FROM foreshard._plans ORDER BY id DESC LIMIT 1" "$1"; }

# The tables of some workloads, by all rows and by statistics alone.
for name in tpcc tenants billing readings queue; do
    corpus_prepare "$name"
    sql main "CREATE EXTENSION foreshard; CREATE SCHEMA new; ANALYZE" "$name"
    while read -r table key; do
        [ "$key" != - ] || continue
        by_rows=$(plan "$name" "public.$table" "${corpus_config%\}}, \"profile\": \"whole\"}")
        check "$name: $table is planned alike by its statistics" "$by_rows" "$(plan "$name" "public.$table" "${corpus_config%\}}, \"profile\": \"statistics\"}")"
        check "$name: $table: and no row was read" statistics "$(last "$name" "plan -> 'profile' ->> 'kind'")"
    done < <(corpus_keys "$name")
done

# A table of 140 MB.
sql main "CREATE DATABASE shop"
sql main "CREATE EXTENSION foreshard; CREATE SCHEMA new;
    CREATE TABLE sale (id bigint PRIMARY KEY, customer integer, day date, state text, body text) WITH (fillfactor = 50);
    INSERT INTO sale SELECT i, abs(hashint8(i)) % 20000, date '2026-01-01' + (i / 3000)::integer, 's' || abs(hashint8(i + 1)) % 4, repeat(md5(i::text), 10) FROM generate_series(1, 200000) AS i;
    CREATE TABLE query_log (query text, calls bigint, total_exec_time float8, rows bigint);
    INSERT INTO query_log VALUES ('SELECT * FROM sale WHERE customer = \$1', 50000, 5000, 450000);
    CREATE TABLE by_day AS SELECT 'SELECT * FROM sale WHERE day > \$1'::text AS query, 50000::bigint AS calls, 50000::float8 AS total_exec_time, 100000000::bigint AS rows;
    CREATE TABLE small (id bigint PRIMARY KEY, customer integer); INSERT INTO small SELECT i, i % 100 FROM generate_series(1, 1000) AS i" shop
config='{"query_log": "public.query_log", "shard_count": 4}'
why="plan -> 'profile' ->> 'kind', plan -> 'profile' ->> 'because'"
plan shop public.sale "$config" >/dev/null
check "a table that was never analysed is read" "whole" "$(last shop "plan -> 'profile' ->> 'kind'")"
check_error "statistics that are not there" '55000: the server has no statistics of "public.sale"' main \
    "SELECT foreshard.plan_restore('new.sale', 'table:public.sale', '{\"profile\": \"statistics\"}')" shop
by_rows=$(plan shop public.sale "${config%\}}, \"profile\": \"whole\"}")
sql main "ANALYZE" shop
check "a large table is planned alike by its statistics" "$by_rows" "$(plan shop public.sale "$config")"
check "which it says" "statistics|No row was read: the statistics of the table are fresh, with 0 rows changed since." "$(last shop "$why")"
check "with rows and values as they are" "t|t" "$(last shop "(plan ->> 'rows')::float8 / 200000 BETWEEN 0.97 AND 1.03,
    (SELECT (c -> 'evidence' ->> 'distinct')::float8 / 20000 BETWEEN 0.9 AND 1.1 FROM jsonb_array_elements(plan -> 'candidates') c WHERE c -> 'key' = '[\"customer\"]' LIMIT 1)")"
check_match "and so does the explanation" 'about 200,000 rows, .* on disk, by the statistics of the table' \
    "$(sql main "SELECT foreshard.explain(max(plan_id)) FROM foreshard.plans" shop)"
plan shop public.small "$config" >/dev/null
check "a small table is read" "whole" "$(last shop "plan -> 'profile' ->> 'kind'")"

# Ranges may be cut by a histogram; a list names all values, and these the rows have.
ranges="{\"query_log\": \"public.by_day\", \"method\": \"range\", \"shard_key\": [\"day\"], \"shard_count\": 4}"
plan shop public.sale "$ranges" >/dev/null
check "ranges are cut by the histogram" statistics "$(last shop "plan -> 'profile' ->> 'kind'")"
check "restored" 200000 "$(sql main "SET client_min_messages = error; SELECT rows FROM restore_table('new.sale', 'table:public.sale', '$ranges')" shop)"
check "and are nearly even" t "$(sql main "SELECT max(rows)::float8 / avg(rows) < 1.1 FROM foreshard.verify_table('new.sale')" shop)"
sql main "SET client_min_messages = error; DROP TABLE new.sale" shop
plan shop public.sale '{"query_log": "off", "method": "list", "shard_key": ["state"], "shard_count": 5}' >/dev/null
check "a list needs the rows" "whole|A list of state names all its values." "$(last shop "$why")"
sql main "ALTER TABLE sale ALTER customer SET STATISTICS 0; ANALYZE sale; DELETE FROM pg_statistic WHERE starelid = 'sale'::regclass AND staattnum = 2" shop
plan shop public.sale "$config" >/dev/null
check "so does a key without statistics" "whole|The statistics tell too little of customer, which may be a key." "$(last shop "$why")"
sql main "ALTER TABLE sale ALTER customer SET STATISTICS -1; ANALYZE sale" shop

# Columns together, where CREATE STATISTICS has counted them.
sql main "CREATE TABLE paired AS SELECT i % 100 AS a, i % 100 AS b, i AS c FROM generate_series(1, 20000) i; CREATE STATISTICS paired_ab (ndistinct) ON a, b FROM paired; ANALYZE paired" shop
together() { sql main "SET client_min_messages = error; SELECT evidence ->> 'distinct' FROM foreshard.plan_restore('new.paired', 'table:public.paired', '{\"query_log\": \"off\", \"shard_key\": [\"a\", \"b\"], \"profile\": \"$1\"}') WHERE chosen" shop; }
check "as independent of each other they would have as many values as pairs" 10000 "$(together whole)"
check "together they have fewer" 100 "$(together statistics)"

# Statistics age.
changed() { sql main "SELECT n_mod_since_analyze FROM pg_stat_user_tables WHERE relid = 'sale'::regclass" shop; }
sql main "UPDATE sale SET state = state WHERE id <= 10000" shop
until [ "$(changed)" -ge 10000 ]; do sleep 0.1; done
plan shop public.sale "$config" >/dev/null
check "a few changes do not matter" "statistics|No row was read: the statistics of the table are fresh, with 10,000 rows changed since." "$(last shop "$why")"
sql main "UPDATE sale SET state = state WHERE id <= 20000" shop
until [ "$(changed)" -ge 30000 ]; do sleep 0.1; done
plan shop public.sale "$config" >/dev/null
check "many do" "whole|15 % of its rows have changed since it was analysed." "$(last shop "$why")"
plan shop public.sale "${config%\}}, \"profile\": \"statistics\"}" >/dev/null
check "unless the config insists" "statistics|No row was read: the config asks for the statistics of the table. 15 % of its rows have changed since it was analysed." "$(last shop "$why")"
on main pg_dump -Fc -f "$(backups main)/shop.dump" shop
check_error "a backup has no statistics" '22023: there are no statistics of the rows of a backup' main \
    "SELECT foreshard.plan_restore('new.sale', '$(backups main)/shop.dump', '{\"source\": \"public.sale\", \"profile\": \"statistics\"}')" shop

# With the caller's rights.
sql main "ANALYZE sale; CREATE ROLE reader; GRANT ALL ON SCHEMA foreshard, new TO reader; GRANT ALL ON ALL TABLES IN SCHEMA foreshard, new TO reader; GRANT ALL ON ALL SEQUENCES IN SCHEMA foreshard TO reader;
    GRANT ALL ON ALL FUNCTIONS IN SCHEMA foreshard TO reader; GRANT SELECT ON query_log TO reader" shop
check_error "without the right to read the table" '42501: permission denied for table' main "SET ROLE reader; SELECT foreshard.plan_restore('new.sale', 'table:public.sale', '$config')" shop
