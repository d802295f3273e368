#!/usr/bin/env bash
# Rows travel to nodes in COPY's binary format where threads understand them, and as text where they do not: each of the types that are
# understood, with the values at its edges, arrives as it was. The nodes' logs say in which format that was.
. "$(dirname -- "$0")/lib.sh"
. "$(dirname -- "$0")/nodes.sh"
fixtures=$(cd -- "$(dirname -- "$0")" && pwd)/fixtures

server main
sql main "CREATE DATABASE shop"
on main psql -Xq -v ON_ERROR_STOP=1 -d shop -f "$fixtures/types.sql"
sql main "CREATE EXTENSION foreshard"
mood="CREATE TYPE mood AS ENUM ('it''s \"quoted\"', 'with, comma', 'sad')"
sql main "$mood"
for node in n1 n2; do
    node $node --conf "log_statement = 'all'"
    # Its numbers and their order are others than those of the source: only labels mean the same.
    sql $node "CREATE TYPE filler AS ENUM ('x'); $mood" shards
    register $node
done

# What is understood of the fixture, and more of the same among what only the server reads: NaN, infinite and very long numerics, values that
# look like NULL or the end. The second table has no such rows.
columns='"bool", "int2", "int4", "int8", "float4", "float8", "numeric", num92, "text", "varchar", "char", "name", "inner char", "bytea", "date", "timestamp", "timestamptz", seconds, "json", "uuid", "oid", "mood"'
sql main "CREATE TABLE mixed AS SELECT id, $columns FROM edge;
    INSERT INTO mixed (id, \"int4\", \"numeric\", num92, \"text\", \"date\", \"mood\")
        SELECT 10000 + n, -n, CASE n % 5 WHEN 0 THEN 'NaN' WHEN 1 THEN 0 WHEN 2 THEN -n WHEN 3 THEN n / 7.0 ELSE -1e-9 * n END, -n / 100.0,
               CASE n % 3 WHEN 0 THEN '' WHEN 1 THEN 'té ' || n END, CASE n % 4 WHEN 0 THEN 'infinity' WHEN 1 THEN '-infinity' WHEN 2 THEN date '2000-01-01' - n END,
               (enum_range(NULL::mood))[n % 4] FROM generate_series(1, 20000) n;
    CREATE TABLE plain AS SELECT * FROM mixed WHERE \"numeric\" IS NULL OR \"numeric\" NOT IN ('NaN', 'infinity', '-infinity') AND length(\"numeric\"::text) < 1000" shop
sql main "ALTER TABLE mixed ADD PRIMARY KEY (id); ALTER TABLE plain ADD PRIMARY KEY (id)" shop
backup=$(backups main)/types.dump
on main pg_dump -d shop -Fc -t mixed -t plain -f "$backup"

# Binary, so that no output function hides a difference: -0 is not 0. An enum has another number in each database.
contents() {
    on main psql -XAtq -v ON_ERROR_STOP=1 -d "$2" -c "SELECT count(*), md5(string_agg(md5(record_send(t)), '' ORDER BY id)) FROM (SELECT id, ${columns/%\"mood\"/mood::text} FROM $1) AS t"
}
copies() { for node in n1 n2; do grep -o 'COPY [^ ]* (.*) FROM STDIN.*' "$work/$node/log"; done | sed 's/.* FROM STDIN//' | sort | uniq -c | xargs; }
forget() { for node in n1 n2; do as_server truncate -s 0 "$work/$node/log"; done; }

for table in plain mixed; do
    for verify in checksum count; do
        forget
        check "$table, verified by $verify: restored" "$(sql main "SELECT count(*) FROM $table" shop)" "$(sql main "SET client_min_messages = error; DROP TABLE IF EXISTS $table;
            SELECT rows FROM restore_table('public.$table', '$backup', '{\"query_log\": \"off\", \"method\": \"hash\", \"shard_key\": [\"id\"], \"shard_count\": 4, \"verify\": \"$verify\"}')")"
        case $table in
            plain) check "$table, verified by $verify: all as binary" "2 (FORMAT binary)" "$(copies)" ;;
            # Whatever is in between, a node's COPYs are of both forms.
            mixed) check_match "$table, verified by $verify: as text and as binary" '^[2-9] [2-9] \(FORMAT binary\)$' "$(copies)" ;;
        esac
        check "$table, verified by $verify: contents" "$(contents $table shop)" "$(contents $table postgres)"
        check "$table, verified by $verify: belong" "0|t" "$(sql main "SELECT sum(misplaced_rows), bool_and(ok) FROM foreshard.verify_table('$table')")"
    done
done

# Rows that are binary, while part of the table is here and its rows become pages.
sql main "SET client_min_messages = error; DROP TABLE mixed; SELECT foreshard.add_node('here', tablespace => 'pg_default')" >/dev/null
check "part here: restored" "$(sql main "SELECT count(*) FROM mixed" shop)" "$(sql main "SET client_min_messages = error;
    SELECT rows FROM restore_table('public.mixed', '$backup', '{\"query_log\": \"off\", \"method\": \"hash\", \"shard_key\": [\"id\"], \"shard_count\": 6}')")"
check "part here: contents" "$(contents mixed shop)" "$(contents mixed postgres)"
