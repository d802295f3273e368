#!/usr/bin/env bash
# Each built-in type alone beside a bigint key, as whoever reads it by itself would have it, and all of them in one table:
# dumped, restored, dumped again. Then each as the shard key, and values of a hundred megabytes.
. "$(dirname -- "$0")/lib.sh"
fixtures=$(cd -- "$(dirname -- "$0")" && pwd)/fixtures

server main --preload pg_stat_statements
sql main "CREATE DATABASE shop"
sql main "CREATE EXTENSION foreshard" shop
on main psql -Xq -v ON_ERROR_STOP=1 -d shop -f "$fixtures/types.sql" -f "$fixtures/each_type.sql"
dir=$(backups main)
on main pg_dump -d shop -Fc -Z1 -f "$dir/types.dump"
tables="SELECT relname AS name, obj_description(oid) AS type FROM pg_class WHERE relnamespace = 'alone'::regnamespace AND relkind = 'r'"

# Binary, so that no output function hides a difference: -0 is not 0.
sql main "CREATE SCHEMA copies; CREATE FUNCTION contents(relation text, OUT rows bigint, OUT sum text) LANGUAGE plpgsql AS \$\$
    BEGIN EXECUTE format('SELECT count(*), md5(string_agg(md5(record_send(t)), '''' ORDER BY id)) FROM %s AS t', relation) INTO rows, sum; END \$\$" shop
originals=$(sql main "SELECT name, type, c.* FROM ($tables) AS t, contents('alone.' || name) AS c ORDER BY name" shop)
check_match "there are tables enough" '^1[0-9][0-9]$' "$(wc -l <<<"$originals")"

# restore_each CONDITION KEY CONFIG: one statement for each table; what went wrong is its output.
restore_each() {
    on main psql -XAtq -d shop -v VERBOSITY=verbose 2>&1 <<SQL | grep -v '^rows: [0-9]*$' || true
SET client_min_messages = error;
SELECT format('SELECT ''rows: '' || rows FROM restore_table(%L, %L, %L)', 'copies.' || name, '$dir/types.dump', jsonb_build_object(
    'source', 'alone.' || name, 'query_log', 'off', 'method', 'hash', 'shard_count', 3) || '$2') FROM ($tables) AS t WHERE $1 ORDER BY name
\gexec
SQL
}
verified() {
    sql main "SELECT name, type, v.* FROM ($tables) AS t, LATERAL (SELECT sum(rows), sum(misplaced_rows), bool_and(ok)
        FROM foreshard.verify_table('copies.' || name)) AS v (rows, misplaced, ok)
        WHERE to_regclass('copies.' || name) IS NOT NULL AND (misplaced <> 0 OR NOT ok OR rows <> (SELECT rows FROM contents('alone.' || name)))" shop
}
check "each type alone: restored" "" "$(restore_each true '{"shard_key": ["id"]}')"
check "each type alone: contents" "$originals" \
    "$(sql main "SELECT name, type, c.* FROM ($tables) AS t, contents('copies.' || name) AS c ORDER BY name" shop)"
check "each type alone: verified" "" "$(verified)"
# Their dump again, as one table each: the same rows and the same definitions of them.
rows_of() { on main pg_dump -d shop --data-only --load-via-partition-root -n "$1" | sed "s/^COPY $1\./COPY x./" | awk '/^COPY /{ table = $2 } /\t/{ print table "\t" $0 }' | LC_ALL=C sort | md5sum; }
check "each type alone: the dump again has the same rows" "$(rows_of alone)" "$(rows_of copies)"
sql main "SET client_min_messages = error; DROP SCHEMA copies CASCADE; CREATE SCHEMA copies" shop

# Each as the shard key, routed as the server routes it; what it cannot hash is refused by its name.
sql main "SET client_min_messages = error; DROP SCHEMA copies CASCADE; CREATE SCHEMA copies" shop
refused=$(restore_each "type <> 'everything'" '{"shard_key": ["v"], "unique": "per_shard", "profile": "off", "verify": "count"}' | grep -v '^LOCATION')
check "each type as the key: only one that has no hash operator class is refused" "\
bit varying
bit varying(5)
bit(1)
bit(4)
bit(64)
box
box[]
circle
json
jsonpath
line
lseg
money
path
pg_snapshot
point
point[]
polygon
refcursor
tsquery
tsvector
txid_snapshot
xml" "$(sed -n 's/^DETAIL:  Its type \(.*\) has no hash operator class\.$/\1/p; /^ERROR/{ /42P16: column "v" cannot be partitioned by hash/!p }' <<<"$refused" | LC_ALL=C sort)"
check "each type as the key: verified, each row in its shard" "" "$(verified)"

# Large values: several megabytes, and a row whose text is above a hundred.
sql main "CREATE TABLE alone.large (id bigint PRIMARY KEY, a text, b bytea, c jsonb);
    ALTER TABLE alone.large ALTER a SET STORAGE EXTERNAL;
    INSERT INTO alone.large SELECT n, repeat(E'line\n\\\\' || n, 1000000 * n), decode(repeat('0a5cff' || to_char(n, 'FM00'), 500000 * n), 'hex'),
        jsonb_build_object('a', repeat('é', 1000000)) FROM generate_series(1, 3) AS n;
    INSERT INTO alone.large VALUES (4, repeat(E'hundred\t', 13500000), NULL, NULL), (5, 'small', NULL, 'null'), (6, NULL, '', '{}')" shop
on main pg_dump -d shop -Fc -Z1 -t alone.large -f "$dir/large.dump"
check "large values: restored" 6 "$(sql main "SET client_min_messages = error; SELECT rows FROM restore_table('copies.large', '$dir/large.dump',
    '{\"source\": \"alone.large\", \"profile\": \"off\", \"method\": \"hash\", \"shard_key\": [\"id\"], \"shard_count\": 3}')" shop)"
large() { sql main "SELECT id, octet_length(a), md5(a), md5(b), md5(c::text) FROM $1 ORDER BY id" shop; }
check "large values: contents" "$(large alone.large)" "$(large copies.large)"
