#!/usr/bin/env bash
# Pages that threads made of the rows, against those that the server makes of the same rows with COPY: the same tuples to the byte, in
# the same shards, on pages that amcheck finds sound and whose checksums hold, after a crash as before it.
. "$(dirname -- "$0")/lib.sh"

rows=${ROWS:-60000}
server main --preload pg_stat_statements --conf "synchronous_commit = on" --conf "full_page_writes = on"
stop main
as_server "$(pg_bindir)/pg_checksums" -D "$work/main/data" --enable >/dev/null
start main
sql main "CREATE DATABASE shop" && sql main "CREATE EXTENSION foreshard; CREATE EXTENSION pageinspect; CREATE EXTENSION amcheck; CREATE SCHEMA pages; CREATE SCHEMA copied" shop
sql main "CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s fine')" shop

# Every type that is understood, with NULLs, with values at the edges of its range and of its stored forms, and some that only
# the server understands or that are stored apart.
sql main "
    CREATE TABLE types (id bigint NOT NULL, s smallint, i integer, o oid, b boolean, c \"char\", r real, d double precision, u uuid, day date,
        t timestamp, t3 timestamp(3), tz timestamptz, nm name, tx text NOT NULL, vc varchar(20), bp character(7), raw bytea, num numeric, amount numeric(12,2),
        js json, m mood, plain text);
    ALTER TABLE types ALTER plain SET STORAGE plain;
    INSERT INTO types
    SELECT n, (n % 65536 - 32768)::smallint, hashint8(n), abs(hashint8(n))::bigint::oid, n % 3 = 0, chr(33 + (n % 90)::int)::\"char\", (n * 0.37)::real, sqrt(n) * (-1) ^ n,
        md5(n::text)::uuid, date '2000-01-01' + (n % 20000)::int - 10000, timestamp '1999-12-31 23:59:59.999999' + n * interval '12345.678901 s',
        timestamp(3) '2020-01-01' + n * interval '1.234 s', timestamptz '2020-06-01 UTC' - n * interval '98.7 s', ('name_' || n)::name,
        CASE n % 5 WHEN 0 THEN '' WHEN 1 THEN repeat('x', (n % 300)::int) WHEN 2 THEN E'tab\there, \\\\ and\nnew line ' || n WHEN 3 THEN 'größe ✓ 𝄞 ' || n ELSE repeat('w', 120 + (n % 14)::int) END,
        left('größer als ' || n, 20), left(n::text, 7), decode(md5(n::text), 'hex'), (n - 30000) * 10.0 ^ (n % 60 - 30)::int, (n - 30000) / 7.0,
        json_build_object('n', n, 'a', ARRAY[1.5, n]), (ARRAY['sad', 'ok', 'it''s fine']::mood[])[1 + n % 3], 'plain ' || n
    FROM generate_series(1, $rows) n;
    UPDATE types SET s = NULL, d = NULL, nm = NULL, num = NULL WHERE id % 7 = 0;
    UPDATE types SET i = NULL, u = NULL, vc = NULL, raw = NULL, js = NULL, m = NULL, plain = NULL, tz = NULL WHERE id % 11 = 0;
    UPDATE types SET num = v::numeric FROM (VALUES (1, '0'), (2, '0.000'), (3, '-0.00012'), (4, '9999'), (5, '10000'), (6, '-123456789012345678901234567890.123456789'),
        (8, 'NaN'), (9, 'Infinity'), (10, '1e300'), (12, '1e-200'), (13, '0.' || repeat('0', 70) || '1'), (15, '100000000')) AS e (id, v) WHERE types.id = e.id;
    UPDATE types SET r = 'NaN', d = '-0', day = 'infinity', t = '-infinity', tz = '4000-01-01 BC' WHERE id = 16;
    UPDATE types SET r = '-Infinity', d = 5e-324, day = '4713-01-01 BC', t = '294276-12-31 23:59:59.999999', tz = 'infinity' WHERE id = 17;
    UPDATE types SET r = 1.17549435e-38, d = 1.7976931348623157e308, raw = '', s = -32768, i = -2147483648 WHERE id = 18;
    UPDATE types SET tx = (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 100) i) WHERE id % 5000 = 19;
    UPDATE types SET tx = repeat('long and dull ', 1000) WHERE id % 5000 = 20;
    UPDATE types SET tx = repeat('m', 2100) WHERE id % 5000 = 21;
    CREATE INDEX ON types (s); CREATE INDEX ON types (b); CREATE INDEX ON types (u); CREATE INDEX ON types (t); CREATE INDEX ON types (day, s);
    CREATE INDEX ON types (tz); CREATE INDEX ON types (o, c); CREATE INDEX ON types (left(tx, 100)); CREATE INDEX ON types (vc); CREATE INDEX ON types (num) WHERE b; CREATE INDEX ON types (i DESC); CREATE INDEX ON types (t3) INCLUDE (i);
    CREATE INDEX ON types ((id + 1)); CREATE INDEX ON types USING brin (id); CREATE INDEX ON types (id) WITH (fillfactor = 50)" shop
# A key that is NULL in some rows can be in no primary key.
on main pg_dump -Fc -Z1 -t types -f "$(backups main)/types.dump" shop
sql main "ALTER TABLE types ADD PRIMARY KEY (id); CREATE UNIQUE INDEX ON types (i, id)" shop
on main pg_dump -Fc -Z1 -t types -f "$(backups main)/types_id.dump" shop

restore() {
    sql main "SET foreshard.load_threads = $2; SET client_min_messages = warning;
        SELECT rows FROM restore_table('$1.types', '$(backups main)/$([ "$4" = id ] && echo types_id || echo types).dump', '{\"query_log\": \"off\", \"source\": \"public.types\", \"method\": \"$3\", \"shard_key\": [\"$4\"], \"shard_count\": $5}')" shop
}
# Every b-tree, against all rows of its table, from the root as well.
trees() {
    sql main "SELECT count(bt_index_parent_check(c.oid, true, true) IS NULL) || ' of ' || count(*) FROM pg_class c JOIN pg_am a ON a.oid = relam
        WHERE relkind = 'i' AND amname = 'btree' AND relnamespace = '$1'::regnamespace" shop
}
indexes() { sql main "SELECT count(*), bool_and(indisvalid AND indisready) FROM pg_index JOIN pg_class c ON c.oid = indrelid WHERE relnamespace = '$1'::regnamespace" shop; }
# All tuples of a table without what differs with the way that they came: transaction, place, hints.
tuples() {
    sql main "SELECT md5(string_agg(tuple, ' ' ORDER BY tuple)) FROM (
        SELECT format('%s %s %s %s %s %s', split_part(relid::regclass::text, '.', 2), t_infomask2 & 2047, t_infomask & 7, t_hoff, t_bits, CASE WHEN t_infomask & 4 = 0 THEN t_data END) AS tuple
        FROM pg_partition_tree('$1.types'), generate_series(0, pg_relation_size(relid) / 8192 - 1) AS block,
             LATERAL heap_page_items(get_raw_page(relid::regclass::text, block::int))
        WHERE isleaf AND t_data IS NOT NULL) AS all_of_them" shop
}

for layout in "hash id 8" "hash u 4" "hash tx 3" "hash tz 4" "hash num 4" "hash m 3" "range id 6" "list b 2"; do
    read -r method key count <<<"$layout"
    check "$layout: threads load all rows" "$rows" "$(restore pages 3 "$method" "$key" "$count")"
    check "$layout: so does COPY" "$rows" "$(restore copied 0 "$method" "$key" "$count")"
    check "$layout: each shard has the same rows" "t" "$(sql main "
        SELECT bool_and(a.rows = b.rows AND a.checksum = b.checksum AND a.misplaced_rows = 0 AND a.ok) AND count(*) > 1 FROM foreshard.verify_table('pages.types') a
        FULL JOIN foreshard.verify_table('copied.types') b ON split_part(a.shard::regclass::text, '.', 2) = split_part(b.shard::regclass::text, '.', 2)" shop)"
    check "$layout: nothing is different" "0" "$(sql main "SELECT count(*) FROM
        (SELECT whole::text FROM pages.types whole EXCEPT ALL SELECT whole::text FROM copied.types whole) AS d" shop)"
    check "$layout: amcheck finds the pages sound" "" "$(sql main "SELECT relid, v FROM pg_partition_tree('pages.types'), verify_heapam(relid) AS v WHERE isleaf" shop)"
    check "$layout: as many indexes" "$(indexes copied)" "$(indexes pages)"
    count=$(sql main "SELECT count(*) FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE relkind = 'i' AND amname = 'btree' AND relnamespace = 'pages'::regnamespace" shop)
    check "$layout: amcheck finds every b-tree sound" "$count of $count" "$(trees pages)"
    if [ "$layout" = "hash id 8" ]; then
        check "an index finds what a scan finds" "t|t|t|t" "$(sql main "
            CREATE TEMP TABLE scanned AS SELECT (SELECT count(*) FROM pages.types WHERE s IS NULL) AS a, (SELECT sum(id) FROM pages.types WHERE s BETWEEN -5 AND 5) AS b,
                (SELECT array_agg(id ORDER BY id) FROM pages.types WHERE u = md5('78')::uuid) AS c, (SELECT sum(id) FROM pages.types WHERE day = 'infinity') AS d;
            SET enable_seqscan = off; SET enable_bitmapscan = off;
            SELECT a = (SELECT count(*) FROM pages.types WHERE s IS NULL), b = (SELECT sum(id) FROM pages.types WHERE s BETWEEN -5 AND 5),
                c = (SELECT array_agg(id ORDER BY id) FROM pages.types WHERE u = md5('78')::uuid), d = (SELECT sum(id) FROM pages.types WHERE day = 'infinity') FROM scanned" shop)"
        check "the tuples are the server's own" "$(tuples copied)" "$(tuples pages)"
        check "few rows were left to COPY" "t" "$(sql main "SELECT count(*) FILTER (WHERE t_infomask & 768 = 768) > 0.97 * count(*) FROM pg_partition_tree('pages.types'),
            generate_series(0, pg_relation_size(relid) / 8192 - 1) AS block, LATERAL heap_page_items(get_raw_page(relid::regclass::text, block::int)) WHERE isleaf" shop)"
        crash main && start main
        check "after a crash all rows are there" "t" "$(sql main "SELECT sum(rows) = $rows AND bool_and(ok) FROM foreshard.verify_table('pages.types')" shop)"
        check "after a crash nothing is different" "0" "$(sql main "SELECT count(*) FROM
            (SELECT whole::text FROM pages.types whole EXCEPT ALL SELECT whole::text FROM copied.types whole) AS d" shop)"
        check "it takes updates, deletes, inserts and VACUUM" "$rows" "$(sql main "
            UPDATE pages.types SET plain = 'changed' WHERE id % 3 = 0; DELETE FROM pages.types WHERE id <= 100;
            INSERT INTO pages.types SELECT * FROM copied.types WHERE id <= 100; SELECT count(*) FROM pages.types" shop)"
        on main psql -Xq -d shop -c "VACUUM pages.types"
        check "its b-trees too" "$count of $count" "$(trees pages)"
        check "and is sound afterwards" "" "$(sql main "SELECT relid, v FROM pg_partition_tree('pages.types'), verify_heapam(relid) AS v WHERE isleaf" shop)"
    fi
    sql main "SET client_min_messages = warning; DROP TABLE pages.types, copied.types" shop
done

# A row that the server refuses is named by its own line, wherever it was read.
{
    echo "CREATE TABLE public.plain (id bigint NOT NULL, day date NOT NULL, amount numeric(6,2));"
    echo "COPY public.plain (id, day, amount) FROM stdin;"
    awk -v rows="$rows" 'BEGIN { for (n = 1; n <= rows; n++) print n "\t2024-02-" (n == 41234 ? "30" : "28") "\t" (n % 1000 == 0 ? "1.005" : n % 7) }'
    printf '%s\n' '\.' ''
} >"$(backups main)/plain.sql"
refused() { echo "SET foreshard.load_threads = $1; SELECT FROM restore_table('pages.plain', '$(backups main)/plain.sql', '{\"query_log\": \"off\", \"source\": \"public.plain\", \"method\": \"hash\", \"shard_key\": [\"id\"], \"shard_count\": 4}')"; }
for threads in 0 2; do
    check_error "with $threads threads the bad row is named" 'line 41234, column day' main "$(refused $threads)" shop
done
check "nothing is left of it" "" "$(sql main "SELECT relname FROM pg_class WHERE relname ~ '^plain'" shop)"

# Checks are made when the rows are there: they are the same as those that rows meet on their way in.
{
    echo "CREATE TABLE public.checked (id bigint NOT NULL, amount numeric CONSTRAINT not_much CHECK (amount < 1000), day date CHECK (day > '2000-01-01'), CHECK (id <> 0 OR amount IS NULL));"
    echo "COPY public.checked (id, amount, day) FROM stdin;"
    awk -v rows="$rows" 'BEGIN { for (n = 1; n <= rows; n++) print n "\t" (n % 9 ? n % 999 : "\\N") "\t2024-02-28" }'
    printf '%s\n' '\.' 'ALTER TABLE public.checked ADD CONSTRAINT later CHECK (length(day::text) = 10);' 'ALTER TABLE public.checked ADD CONSTRAINT untested CHECK (id < 0) NOT VALID;' \
        "COMMENT ON CONSTRAINT not_much ON public.checked IS 'a limit';"
} >"$(backups main)/checked.sql"
checked() { echo "SET foreshard.load_threads = $2; SELECT rows FROM restore_table('$1.checked', '$(backups main)/checked.sql', '{\"query_log\": \"off\", \"source\": \"public.checked\", \"method\": \"hash\", \"shard_key\": [\"id\"], \"shard_count\": 4}')"; }
constraints() {
    sql main "SELECT r.n, conname, pg_get_constraintdef(o.oid), convalidated, conislocal, coninhcount, connoinherit, obj_description(o.oid)
        FROM pg_partition_tree('$1.checked') WITH ORDINALITY AS r (relid, parent, leaf, level, n) JOIN pg_constraint o ON conrelid = relid ORDER BY 1, 2" shop
}
check "threads load a table with checks" "$rows" "$(sql main "$(checked pages 2)" shop)"
check "COPY does as well" "$rows" "$(sql main "$(checked copied 0)" shop)"
check "the checks are the same" "$(constraints copied)" "$(constraints pages)"
check "there are five on each table" 25 "$(constraints pages | wc -l)"
check "no row was left to COPY" "t" "$(sql main "SELECT bool_and(t_infomask & 768 = 768) FROM pg_partition_tree('pages.checked'),
    generate_series(0, pg_relation_size(relid) / 8192 - 1) AS block, LATERAL heap_page_items(get_raw_page(relid::regclass::text, block::int)) WHERE isleaf" shop)"
sql main "SET client_min_messages = warning; DROP TABLE pages.checked, copied.checked" shop
sed -i "s/^4321\t.*/4321\t5000\t2024-02-28/" "$(backups main)/checked.sql"
check_error "a row that breaks a check is shown" '23514: check constraint "not_much" of relation "checked_s000." is violated by some row' main "$(checked pages 2)" shop
check_error "with its values" 'DETAIL:  Failing row contains .4321,5000,2024-02-28.\.' main "$(checked pages 2)" shop
check_error "without threads by its line" 'At COPY checked, line 4321:' main "$(checked pages 0)" shop
check "nothing is left of it either" "" "$(sql main "SELECT relname FROM pg_class WHERE relname ~ '^checked'" shop)"

# A key that is there twice.
{
    echo "CREATE TABLE public.twice (id bigint NOT NULL, other integer);"
    echo "COPY public.twice (id, other) FROM stdin;"
    awk -v rows="$rows" 'BEGIN { for (n = 1; n <= rows; n++) print n "\t" (n == 777 ? 5 : n) }'
    printf '%s\n' '\.' 'ALTER TABLE public.twice ADD CONSTRAINT twice_other UNIQUE (id, other);' 'CREATE UNIQUE INDEX only_other ON public.twice (other, id);'
} >"$(backups main)/twice.sql"
sed 's/^777\t5$/776\t776/' "$(backups main)/twice.sql" >"$(backups main)/really.sql"
twice() { echo "SELECT rows FROM restore_table('pages.twice', '$(backups main)/$1.sql', '{\"query_log\": \"off\", \"source\": \"public.twice\", \"method\": \"hash\", \"shard_key\": [\"id\"], \"shard_count\": 4}')"; }
check "a unique key of two columns is none of its first" "$rows" "$(sql main "$(twice twice)" shop)"
sql main "SET client_min_messages = warning; DROP TABLE pages.twice" shop
check_error "a key that is there twice is refused" '23505.*could not create unique index' main "$(twice really)" shop
# NULL counts as a value where an index says so.
printf '%s\n' "CREATE TABLE public.twice (id bigint NOT NULL, other integer);" "COPY public.twice (id, other) FROM stdin;" $'1\t5' $'2\t\\N' $'3\t\\N' '\.' \
    'CREATE UNIQUE INDEX one_null ON public.twice (other) NULLS NOT DISTINCT;' >"$(backups main)/nulls.sql"
sed 's/ NULLS NOT DISTINCT//' "$(backups main)/nulls.sql" >"$(backups main)/distinct.sql"
by_other() { twice "$1" | sed 's/"shard_key": \["id"\]/"shard_key": ["other"]/'; }
check_error "two NULLs that are not distinct are refused" '23505.*could not create unique index' main "$(by_other nulls)" shop
check "two that are distinct are not" 3 "$(sql main "$(by_other distinct)" shop)"
sql main "SET client_min_messages = warning; DROP TABLE pages.twice" shop
# Little memory: the server sorts on its disk.
check "with little memory the server builds the indexes" "$rows" "$(sql main "SET maintenance_work_mem = '1MB'; $(twice twice)" shop)"
check "and they are sound" "t" "$(sql main "SELECT count(bt_index_parent_check(c.oid, true, true) IS NULL) = count(*) FROM pg_class c JOIN pg_am a ON a.oid = relam
    WHERE relkind = 'i' AND amname = 'btree' AND relnamespace = 'pages'::regnamespace" shop)"
sql main "SET client_min_messages = warning; DROP TABLE pages.twice" shop

# What a thread does not see: rows are shown to logical decoding only by COPY.
stop main
echo "wal_level = logical" | as_server tee -a "$work/main/data/postgresql.conf" >/dev/null
start main
sql main "SELECT pg_create_logical_replication_slot('watch', 'test_decoding')" shop >/dev/null
restore pages 3 hash id 2 >/dev/null
check "with wal_level = logical every row can be decoded" "$rows" "$(sql main "SELECT count(*) FROM pg_logical_slot_get_changes('watch', NULL, NULL) WHERE data ~ '^table pages.types[^ ]*: INSERT'" shop)"

# Without a WAL for new tables their files are on the disk before the transaction ends.
sql main "SELECT pg_drop_replication_slot('watch')" shop >/dev/null
stop main
printf '%s\n' "wal_level = minimal" "max_wal_senders = 0" | as_server tee -a "$work/main/data/postgresql.conf" >/dev/null
start main
sql main "SET client_min_messages = warning; DROP TABLE pages.types" shop
restore pages 3 hash id 8 >/dev/null
crash main && start main
check "with wal_level = minimal all rows outlive a crash" "t" "$(sql main "SELECT sum(rows) = $rows AND bool_and(ok) FROM foreshard.verify_table('pages.types')" shop)"
check "and so do the indexes" "t" "$(sql main "SELECT count(bt_index_parent_check(c.oid, true, true) IS NULL) = count(*) FROM pg_class c JOIN pg_am a ON a.oid = relam
    WHERE relkind = 'i' AND amname = 'btree' AND relnamespace = 'pages'::regnamespace" shop)"

stop main
check_match "the checksums of all pages hold" 'Bad checksums:  0' "$(as_server "$(pg_bindir)/pg_checksums" -D "$work/main/data" --check)"
start main
