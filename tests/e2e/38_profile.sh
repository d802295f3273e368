#!/usr/bin/env bash
# How many rows are read before planning: a sample of a large table in every format that tells its size, all rows where it does
# not, or where the layout stands on their values; and what the sample tells is near what all rows tell.
. "$(dirname -- "$0")/lib.sh"

server main
sql main "CREATE DATABASE shop"
# 176 MB of text: the first 64 MB are 36 % of it. Customers come again and again, days do not.
sql main "CREATE EXTENSION foreshard; CREATE SCHEMA copies;
    CREATE TABLE sale (id bigint PRIMARY KEY, customer integer, day date, state text, body text);
    INSERT INTO sale SELECT i, abs(hashint8(i)) % 20000, date '2026-01-01' + (i / 3000)::integer, 's' || abs(hashint8(i + 1)) % 4,
        repeat(md5(i::text), 30) FROM generate_series(1, 180000) AS i;
    CREATE TABLE small (id bigint PRIMARY KEY, customer integer);
    INSERT INTO small SELECT i, i % 100 FROM generate_series(1, 1000) AS i;
    CREATE TABLE query_log (query text, calls bigint, total_exec_time float8, rows bigint);
    INSERT INTO query_log VALUES ('SELECT * FROM sale WHERE customer = \$1', 50000, 5000, 450000), ('SELECT * FROM small WHERE id = \$1', 5000, 500, 5000);
    CREATE TABLE by_day AS SELECT * FROM query_log;
    INSERT INTO by_day VALUES ('SELECT * FROM sale WHERE customer = \$1 AND day > \$2', 100, 10, 100)" shop
dir=$(backups main)
dump() { on main pg_dump -d shop "$@"; }
dump -Fc -Z1 -f "$dir/custom.dump"
dump -Fd -Z1 -f "$dir/directory"
dump -Ft -f "$dir/tar.dump"
dump -f "$dir/plain.sql"
gzip -1 -c "$dir/plain.sql" >"$dir/plain.sql.gz"
dump -Fc -Z1 | cat >"$dir/piped.dump"
on main psql -XAtq -d shop -c "COPY sale TO STDOUT (FORMAT csv)" | gzip -1 >"$dir/rows-1.csv.gz"
on main psql -XAtq -d shop -c "COPY (SELECT -id, customer, day, state, body FROM sale LIMIT 10) TO STDOUT (FORMAT csv)" | gzip -1 >"$dir/rows-2.csv.gz"
chmod -R a+rX "$dir"

# plan PATH CONFIG: what it says of the rows
plan() {
    sql main "SET client_min_messages = error; SELECT foreshard.plan_restore('copies.sale', '$1', '{\"query_log\": \"public.query_log\", \"shard_count\": 4}'::jsonb || '${2:-{\}}')" shop >/dev/null
    last "plan -> 'profile' ->> 'kind'"
}
last() { sql main "SELECT $1 FROM foreshard._plans ORDER BY id DESC LIMIT 1" shop; }
# Rows within 3 %, the share of them, distinct customers within a twentieth, and the layout.
told="(plan ->> 'rows')::float8 / 180000 BETWEEN 0.97 AND 1.03, (plan -> 'profile' ->> 'share')::float8 BETWEEN 0.35 AND 0.38,
    (SELECT (c -> 'evidence' ->> 'distinct')::float8 / 20000 BETWEEN 0.95 AND 1.05 FROM jsonb_array_elements(plan -> 'candidates') AS c WHERE c -> 'key' = '[\"customer\"]' LIMIT 1),
    plan -> 'layout' ->> 'method', plan -> 'layout' ->> 'key'"
source='{"source": "public.sale"}'
for backup in custom.dump directory tar.dump plain.sql plain.sql.gz; do
    check "$backup: the first rows are read" sample "$(plan "$dir/$backup" "$source")"
    check "$backup: they tell of all" 't|t|t|hash|["customer"]' "$(last "$told")"
done
hashes() { sql main "SELECT count(DISTINCT plan ->> 'hash') FROM (SELECT plan FROM foreshard._plans ORDER BY id DESC LIMIT 3) AS p" shop; }
plan "$dir/custom.dump" "$source" >/dev/null
(while kill -0 $$ 2>/dev/null && [ ! -e "$dir/quiet" ]; do :; done) &
plan "$dir/custom.dump" "$source" >/dev/null
(while kill -0 $$ 2>/dev/null && [ ! -e "$dir/quiet" ]; do :; done) &
plan "$dir/custom.dump" "$source" >/dev/null
touch "$dir/quiet"
check "a sample is the same in every run, however busy the machine" 1 "$(hashes)"
check "a file of rows: the first ones" sample "$(plan "$dir/rows-1.csv.gz" '{"format": "csv", "like": "public.sale"}')"
check "and they tell of all" 't|t|t|hash|["customer"]' "$(last "$told")"

why="plan ->> 'rows', plan -> 'profile' ->> 'because'"
check "an archive from a pipe does not tell its size" whole "$(plan "$dir/piped.dump" "$source")"
check "so that all rows are read" "180000|The backup does not tell how many there are." "$(last "$why")"
check "several files may be unlike each other" whole "$(plan "$dir/rows-*.csv.gz" '{"format": "csv", "like": "public.sale"}')"
check "so that all of them are read" "180010|They are in 2 parts, of which the first may be unlike the others." "$(last "$why")"
check "all rows where the config wants them" whole "$(plan "$dir/custom.dump" '{"source": "public.sale", "profile": "whole"}')"
check "and it says so" "180000|The config asks for all rows." "$(last "$why")"
check "none where it wants none" none "$(plan "$dir/custom.dump" '{"source": "public.sale", "profile": "off"}')"
check "ranges need all values" whole "$(plan "$dir/custom.dump" '{"source": "public.sale", "method": "range", "shard_key": ["id"]}')"
check "and it says so too" "180000|The layout that the config asks for is cut by values." "$(last "$why")"
check "the last range begins where the last quarter does" t "$(last "(plan #>> '{layout,shards,3,bound,range,from,0}')::bigint BETWEEN 130000 AND 140000")"
check "a key of which the first rows show too little" whole "$(plan "$dir/custom.dump" '{"source": "public.sale", "query_log": "public.by_day"}')"
check "is the reason" "180000|The first rows show too few values of day, which may be a key." "$(last "$why")"
check "a sample whatever the layout" sample "$(plan "$dir/custom.dump" '{"source": "public.sale", "query_log": "public.by_day", "profile": "sample"}')"
check_error "has no bounds for ranges" "ERROR:  22023: values of column \"id\" are not known well enough" main \
    "SELECT foreshard.plan_restore('copies.sale', '$dir/custom.dump', '{\"source\": \"public.sale\", \"method\": \"range\", \"shard_key\": [\"id\"], \"profile\": \"sample\"}')" shop
sql main "SET client_min_messages = error; SELECT foreshard.plan_restore('copies.small', '$dir/custom.dump', '{\"query_log\": \"public.query_log\", \"source\": \"public.small\"}')" shop >/dev/null
check "a small table is read whole" "1000|They have no more than 64 MB of text." "$(last "$why")"

check "a plan by a sample restores all rows" 180000 \
    "$(sql main "SET client_min_messages = error; SELECT rows FROM restore_table('copies.sale', '$dir/custom.dump', '{\"query_log\": \"public.query_log\", \"source\": \"public.sale\", \"shard_key\": [\"customer\"], \"shard_count\": 4}')" shop)"
check "the explanation says that it is a sample" 1 "$(sql main "SELECT foreshard.explain(max(id)) FROM foreshard._plans" shop | tr -s ' \n' ' ' | grep -c 'by the first 3[5678] % of them')"
