#!/usr/bin/env bash
# The same backup and the same query log give the same plan, with the same hash: in whatever order the log's rows lie, in
# databases of different collations, and whatever the session has set.
. "$(dirname -- "$0")/lib.sh"

server one --preload pg_stat_statements
server other --preload pg_stat_statements
sql one "CREATE DATABASE shop"
sql one "CREATE TYPE mood AS ENUM ('low', 'high');
         CREATE TABLE customers (id bigint PRIMARY KEY, name text UNIQUE);
         CREATE TABLE orders (id bigint PRIMARY KEY, customer bigint NOT NULL REFERENCES customers, at timestamptz NOT NULL, day date NOT NULL, price numeric(10, 2),
             weight float8, state text NOT NULL, mood mood, took interval, UNIQUE (customer, at), CHECK (price >= 0));
         CREATE TABLE items (order_id bigint REFERENCES orders, line int, amount float4, note text, PRIMARY KEY (order_id, line));
         INSERT INTO customers SELECT n, chr(97 + n % 26) || ' ' || CASE n % 3 WHEN 0 THEN 'Ä' WHEN 1 THEN 'a' ELSE 'Z' END || n FROM generate_series(1, 3000) n;
         INSERT INTO orders SELECT n, n * 7919 % 3000 + 1, timestamptz '2024-01-01 00:00:00.123+02' + n * interval '17 min', date '2024-01-01' + n % 700, n % 9999 / 7.0, random() / 3,
             (ARRAY['new', 'Paid', 'ärgerlich', 'zu', 'Zu'])[1 + n % 5], 'low', n * interval '1 min' FROM generate_series(1, 40000) n;
         INSERT INTO items SELECT n, l, n / 3.0, 'x' FROM generate_series(1, 20000) n, generate_series(1, 3) l" shop
on one pg_dump -Fc -f "$work/shop.dump" shop

sql other "CREATE DATABASE german TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'de-DE'"
sql other "ALTER DATABASE german SET datestyle = 'German, DMY'; ALTER DATABASE german SET timezone = 'Asia/Kathmandu'; ALTER DATABASE german SET extra_float_digits = -15;
           ALTER DATABASE german SET intervalstyle = 'sql_standard'; ALTER DATABASE german SET bytea_output = 'escape'; ALTER DATABASE german SET lc_numeric = 'C.UTF-8';
           ALTER DATABASE german SET enable_hashagg = off; ALTER DATABASE german SET enable_seqscan = off; ALTER DATABASE german SET quote_all_identifiers = on;
           ALTER DATABASE german SET search_path = public, pg_catalog; ALTER DATABASE german SET standard_conforming_strings = off;
           ALTER DATABASE german SET backslash_quote = on; ALTER DATABASE german SET client_encoding = 'LATIN1'"
# Numbers of objects that are not those of the first server.
sql other "SELECT lo_create(0) FROM generate_series(1, 5000)" german >/dev/null

log="SELECT * FROM (VALUES (1, 'SELECT * FROM orders WHERE customer = \$1 ORDER BY at', 5000.1, 900.3), (1, 'SELECT * FROM orders WHERE customer = \$1 ORDER BY at', 0.2, 1e-7),
        (1, 'SELECT * FROM orders WHERE customer', 3, 0.1), (2, 'SELECT * FROM orders WHERE id = \$1', 700, 30.7), (NULL, 'SELECT name FROM customers WHERE id = \$1', 300.3, 44.1),
        (4, 'SELECT * FROM items WHERE order_id = \$1', 5000.1, 900.3), (5, 'SELECT * FROM orders o JOIN items i ON i.order_id = o.id WHERE o.customer = \$1', 700, 900.3),
        (6, 'SELECT state, count(*) FROM orders WHERE at > \$1 GROUP BY state', 3, 70000.1), (7, 'SELECT * FROM customers c JOIN orders o ON o.customer = c.id WHERE c.name = \$1', 0.1, 0.1),
        (8, 'INSERT INTO orders VALUES (\$1)', 700, 3), (NULL, 'UPDATE orders SET state = \$1 WHERE id = \$2', 0.3, 0.3), (10, 'rubbish', 700, 1), (11, '', 700, 1), (12, NULL, 1, 1))
    v (queryid, query, calls, total_exec_time)"
sql one "CREATE TABLE log AS $log; CREATE EXTENSION foreshard; CREATE TYPE mood AS ENUM ('low', 'high')"
# The other way round, with a hole in it, and by the columns of a younger version.
sql other "CREATE TABLE log (rows bigint, total_exec_time numeric, calls numeric, gone text, query varchar COLLATE \"de-x-icu\", queryid numeric);
           INSERT INTO log SELECT 0, total_exec_time, calls, 'x', query, queryid FROM ($log) l ORDER BY md5(query || calls);
           ALTER TABLE log DROP COLUMN gone; DELETE FROM log WHERE queryid = 2; INSERT INTO log SELECT 0, total_exec_time, calls, query, queryid FROM ($log) l WHERE queryid = 2;
           CREATE TYPE mood AS ENUM ('low', 'high'); CREATE EXTENSION foreshard" german

# The whole document, so that a difference is seen.
plan() {
    cp "$work/shop.dump" "$(backups "$1")/shop.dump"
    sql "$1" "SET client_min_messages = error; SELECT count(*) > 0 FROM foreshard.plan_restore('public.$3', '$(backups "$1")/shop.dump', '{\"query_log\": \"public.log\", $4}')" "$2" >/dev/null
    sql "$1" "SET client_encoding = 'UTF8'; SELECT jsonb_pretty(plan) FROM foreshard._plans ORDER BY id DESC LIMIT 1" "$2"
}
same() {
    local first
    first=$(plan one postgres "$1" "$2")
    check_match "$1 with $2 is planned" '"hash": "[0-9a-f]{32}"' "$first"
    check "$1 with $2: the same plan" "$first" "$(plan other german "$1" "$2")"
}
for table in orders items customers; do same $table '"growth": 300'; done
for workload in oltp olap mixed; do same orders "\"workload\": \"$workload\""; done
same orders '"shard_key": ["at"], "method": "range", "shard_count": 5'
same orders '"shard_key": ["price"], "method": "range", "shard_count": 5'
same orders '"shard_key": ["weight"], "method": "range", "shard_count": 3'
same orders '"shard_key": ["day"], "method": "range", "shard_count": 4'
same orders '"shard_key": ["state"], "method": "list", "shard_count": 3'
same orders '"shard_key": ["state", "customer"], "unique": "per_shard"'
same customers '"shard_key": ["name"], "method": "range", "shard_count": 4'
