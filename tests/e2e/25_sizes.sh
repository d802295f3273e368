#!/usr/bin/env bash
# The sizes of a backup's other tables, by every format, without their rows being read: a large table that is only looked up is
# not taken for a reference table, a small one is.
. "$(dirname -- "$0")/lib.sh"

server main
sql main "CREATE DATABASE shop"
# "sale" is restored. "product" and "document" are looked up by their keys alone; the texts of "document" take 75 MB.
sql main "CREATE EXTENSION foreshard; CREATE SCHEMA copies;
    CREATE TABLE product (id integer PRIMARY KEY, name text);
    CREATE TABLE document (id integer PRIMARY KEY, body text);
    CREATE TABLE sale (id integer PRIMARY KEY, customer_id integer, product_id integer REFERENCES product, document_id integer REFERENCES document, code text);
    INSERT INTO product SELECT i, 'product ' || i FROM generate_series(1, 200) AS i;
    INSERT INTO document SELECT i, (SELECT string_agg(md5(i::text || '.' || j), ' ') FROM generate_series(1, 450) AS j) FROM generate_series(1, 5000) AS i;
    INSERT INTO sale SELECT i, i % 3000, 1 + i % 200, 1 + i % 5000, md5(i::text) FROM generate_series(1, 60000) AS i;
    CREATE TABLE archive_2023 (id integer, note text) PARTITION BY RANGE (id);
    CREATE TABLE archive_2023_a PARTITION OF archive_2023 FOR VALUES FROM (0) TO (100);
    CREATE TABLE archive_2023_b PARTITION OF archive_2023 FOR VALUES FROM (100) TO (20000);
    INSERT INTO archive_2023 SELECT i, md5(i::text) FROM generate_series(0, 9999) AS i;
    CREATE TABLE query_log (query text, calls bigint, total_exec_time float8, rows bigint);
    INSERT INTO query_log VALUES
        ('SELECT * FROM sale WHERE customer_id = \$1', 5000, 500, 100000),
        ('SELECT s.id, p.name FROM sale s JOIN product p ON p.id = s.product_id WHERE s.customer_id = \$1', 3000, 300, 60000),
        ('SELECT d.body FROM sale s JOIN document d ON d.id = s.document_id WHERE s.customer_id = \$1', 2000, 200, 40000),
        ('SELECT count(*) FROM sale s JOIN archive_2023 a ON a.id = s.id WHERE s.customer_id = \$1', 10, 10, 10)" shop
dir=$(backups main)
dump() { on main pg_dump -d shop "$@"; }

# plan PATH: what the plan says of the other tables: name, method, size in MB
plan() {
    sql main "SET client_min_messages = error; SELECT foreshard.plan_restore('copies.sale', '$1', '{\"source\": \"public.sale\", \"query_log\": \"public.query_log\", \"shard_key\": [\"customer_id\"], \"shard_count\": 4}')" shop >/dev/null
    sql main "SELECT t ->> 'method' AS method, t -> 'table' ->> 'name', round((t ->> 'bytes')::numeric / 1000000, 1) FROM
        (SELECT plan FROM foreshard._plans ORDER BY id DESC LIMIT 1) AS p, jsonb_array_elements(plan -> 'joint' -> 'tables') AS t ORDER BY 2" shop
}
stands_on() { sql main "SELECT plan ->> 'basis' FROM foreshard._plans ORDER BY id DESC LIMIT 1" shop; }

exact="\
none|archive_2023|0.4
none|document|74.3
reference|product|0.0"
dump -f "$dir/plain.sql"
check "plain: the rows are counted" "$exact" "$(plan "$dir/plain.sql")"
check "and the plan says so" "query log public.query_log, sizes of 4 other tables by the backup" "$(stands_on)"
dump -Ft -f "$dir/tar.dump"
check "tar: the members' sizes" "$exact" "$(plan "$dir/tar.dump")"
dump -Fd -Z0 -f "$dir/directory0"
chmod -R a+rX "$dir/directory0"
check "directory, not compressed: the files' sizes" "$exact" "$(plan "$dir/directory0")"
dump -Fc -Z0 -f "$dir/custom0.dump"
check "custom, not compressed: from one place to the next" "$exact" "$(plan "$dir/custom0.dump")"

# Compressed: the table that is read shows by how much, so that the others come out near what they are.
near="\
none\|archive_2023\|0\.[345]
none\|document\|(6[89]|[78][0-9])\.[0-9]
reference\|product\|0\.0"
near() { check "$1" yes "$([[ $(wc -l <<<"$2") = 3 ]] && ! paste -d '\n' <(cat <<<"$2") /dev/null | grep -vqE "^($(paste -sd'|' <<<"$near")|)$" && echo yes || echo "$2")"; }
dump -Fc -f "$dir/custom.dump"
near "custom: with the ratio that the table shows" "$(plan "$dir/custom.dump")"
dump -Fd -j 2 -f "$dir/directory"
chmod -R a+rX "$dir/directory"
near "directory: with the ratio that the table shows" "$(plan "$dir/directory")"

# Without a place in the archive the large table is taken for a small one, by what its foreign key lets guess.
dump -Fc | cat >"$dir/piped.dump"
check "an archive from a pipe does not tell, and joins let guess" "\
none|archive_2023|
reference|document|0.3
reference|product|0.0" "$(plan "$dir/piped.dump" | sed -E 's/^(none\|archive_2023\|).*/\1/')"
check "then nothing is said of sizes" "query log public.query_log" "$(stands_on)"

check "without a profile the table's own size is told too" t "$(sql main "SET client_min_messages = error;
    SELECT because LIKE 'It is small: %MB of text%' FROM foreshard.plan_restore('copies.sale', '$dir/tar.dump',
        '{\"source\": \"public.sale\", \"query_log\": \"public.query_log\", \"profile\": \"off\"}') WHERE method = 'none'" shop)"
