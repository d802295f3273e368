#!/usr/bin/env bash
# Statistics that a restore makes while it reads the rows back, against those that the server's ANALYZE then makes of the same tables.
# Where a sample is the whole table they are the same, field by field; where it is not, both lead to the same estimates.
. "$(dirname -- "$0")/lib.sh"

# A collation that has rules of its own: the system may have none, so that one is made here, from the C library's sources.
if ! command -v localedef >/dev/null || [ ! -e /usr/share/i18n/locales/en_US ]; then
    die "no localedef, or no sources of locales: install the package \"locales\""
fi
mkdir "$work/locales"
localedef -i en_US -f UTF-8 "$work/locales/en_US.UTF-8"
chmod -R a+rX "$work" && chmod a+rx "$work"
export LOCPATH=$work/locales

server main --preload pg_stat_statements
sql main "CREATE DATABASE shop"
sql main "CREATE DATABASE english TEMPLATE template0 LC_COLLATE 'en_US.UTF-8' LC_CTYPE 'en_US.UTF-8'"

# Every type that is understood, with few values and many, NULLs, values that are too wide to be looked at, compressed and stored apart.
fixture="
    CREATE COLLATION english (provider = libc, locale = 'en_US.UTF-8');
    CREATE TABLE types (id bigint NOT NULL, s smallint, i integer, o oid, b boolean, c \"char\", r real, d double precision, u uuid, day date,
        t timestamp, t3 timestamp(3), tz timestamptz, nm name, tx text NOT NULL, vc varchar(20), bp character(7), raw bytea, num numeric, amount numeric(12,2),
        js json, m mood, plain text, few text, none integer, byte text COLLATE \"C\", en text COLLATE english, en_bp character(9) COLLATE english, icu text COLLATE \"en-x-icu\",
        wide text, untold text, told integer, word text);
    ALTER TABLE types ALTER plain SET STORAGE plain, ALTER few SET STATISTICS 3, ALTER untold SET STATISTICS 0, ALTER i SET STATISTICS 20, ALTER u SET (n_distinct = -0.5),
        ALTER told SET (n_distinct = 7, n_distinct_inherited = 77);
    INSERT INTO types
    SELECT n, (n % 65536 - 32768)::smallint, hashint8(n) % 5000, abs(hashint8(n))::bigint::oid, n % 3 = 0, chr(33 + (n % 90)::int)::\"char\", (n % 700 * 0.37 - 100)::real, sqrt(n) * (-1) ^ n,
        md5(n::text)::uuid, date '2000-01-01' + (n % 2000)::int - 1000, timestamp '1999-12-31 23:59:59.999999' + n * interval '12345.678901 s',
        timestamp(3) '2020-01-01' + n * interval '1.234 s', timestamptz '2020-06-01 UTC' - n * interval '98.7 s', ('name_' || n % 4000)::name,
        CASE n % 5 WHEN 0 THEN '' WHEN 1 THEN repeat('x', (n % 300)::int) WHEN 2 THEN E'tab\there, \\\\ and\nnew line ' || n WHEN 3 THEN 'größe ✓ 𝄞 ' || n ELSE repeat('w', 120 + (n % 14)::int) END,
        left('größer als ' || n, 20), left(n::text, 7), decode(md5((n % 6000)::text), 'hex'), (n - 6000) * 10.0 ^ (n % 60 - 30)::int, (n - 6000) / 7.0,
        json_build_object('n', n, 'a', ARRAY[1.5, n]), (ARRAY['sad', 'ok', 'it''s fine', 'happy']::mood[])[1 + least(n % 9, 3)], 'plain ' || n,
        (ARRAY['red', 'green', 'Blue', 'blue', 'black'])[1 + sqrt(n)::int % 5], NULL, md5((n % 3000)::text), w.word || n % 2500, left(w.word || n, 9), w.word || n % 2500,
        CASE WHEN n % 10 < 3 THEN repeat(md5(n::text), 20 + (n % 30)::int) WHEN n % 10 < 6 THEN repeat('short ', (n % 9)::int) END, 'untold', (n % 50)::int, w.word
    FROM generate_series(1, 12000) n,
         LATERAL (SELECT (ARRAY['co-op', 'coop', 'CO-OP', 'Café', 'cafe', 'Zebra', 'zebra', 'élan', 'a b', 'ab', 'a-c', '¡hola', 'straße', 'strasse'])[1 + (hashint8(n)::bigint + 2147483648) % 14] AS word) AS w;
    UPDATE types SET s = NULL, d = NULL, nm = NULL, num = NULL WHERE id % 7 = 0;
    UPDATE types SET i = NULL, u = NULL, vc = NULL, raw = NULL, js = NULL, m = NULL, plain = NULL, tz = NULL, en = NULL WHERE id % 11 = 0;
    UPDATE types SET num = v::numeric FROM (VALUES (1, '0'), (2, '0.000'), (3, '-0.00012'), (4, '9999'), (5, '10000'), (6, '-123456789012345678901234567890.123456789'),
        (8, 'NaN'), (9, 'Infinity'), (10, '1e300'), (12, '1e-200'), (13, '0.' || repeat('0', 70) || '1'), (15, '100000000'), (16, '-Infinity'), (17, '10000.00'), (18, '-1'), (19, '-1.00000001'),
        (20, '-1.0001'), (21, '1.00010000'), (22, '1.0001'), (23, '-1e300'), (24, '-1e-200')) AS e (id, v) WHERE types.id = e.id;
    UPDATE types SET r = 'NaN', d = '-0', day = 'infinity', t = '-infinity', tz = '4000-01-01 BC' WHERE id IN (16, 26);
    UPDATE types SET r = '-Infinity', d = 0, day = '4713-01-01 BC', t = '294276-12-31 23:59:59.999999', tz = 'infinity' WHERE id IN (17, 27);
    UPDATE types SET r = 1.17549435e-38, d = 1.7976931348623157e308, raw = '', s = -32768, i = -2147483648 WHERE id = 18;
    UPDATE types SET d = 'NaN', raw = '\\x00' WHERE id IN (30, 31);
    UPDATE types SET raw = '\\x0000' WHERE id = 32;
    UPDATE types SET tx = (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 100) i) WHERE id % 500 = 19;
    UPDATE types SET tx = repeat('long and dull ', 1000) WHERE id % 500 = 20;
    UPDATE types SET tx = repeat('m', 1019 + (id / 500)::int % 4) WHERE id % 500 = 21;
    UPDATE types SET tx = repeat('ab', 480), wide = repeat('cd', 490), plain = repeat('e', 900) WHERE id % 500 = 22;
    CREATE INDEX ON types (s); CREATE INDEX ON types (vc); CREATE INDEX ON types (id) WHERE b; CREATE INDEX ON types USING brin (id); CREATE UNIQUE INDEX ON types (u, id)"
for database in shop english; do
    sql main "CREATE EXTENSION foreshard; CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s fine')" $database
    sql main "ALTER TYPE mood ADD VALUE 'happy' BEFORE 'sad'" $database
    sql main "$fixture" $database
done

# name, database, rows, config
restore() { sql main "SET client_min_messages = debug1; SELECT rows FROM restore_table('new.$1', '$(backups main)/$2.dump', '{\"query_log\": \"off\", \"source\": \"public.$1\", $3}')" "$2" 2>&1 | grep -oE '^[0-9]+$|statistics of [0-9]+ columns.*'; }
# All that ANALYZE stores of a table and its partitions, under the partition's number.
stored="SELECT r.n, r.relid::regclass, a.attname, s.stainherit, s.stanullfrac, s.stawidth, s.stadistinct, s.stakind1, s.stakind2, s.stakind3, s.stakind4, s.stakind5, s.staop1, s.staop2, s.staop3, s.staop4, s.staop5,
        s.stacoll1, s.stacoll2, s.stacoll3, s.stacoll4, s.stacoll5, s.stanumbers1, s.stanumbers2, s.stanumbers3, s.stanumbers4, s.stanumbers5,
        s.stavalues1::text, s.stavalues2::text, s.stavalues3::text, s.stavalues4::text, s.stavalues5::text
    FROM (SELECT relid, n FROM pg_partition_tree('TABLE') WITH ORDINALITY AS t (relid, parent, leaf, level, n) UNION SELECT 'TABLE'::regclass, 1) AS r
    JOIN pg_statistic s ON s.starelid = r.relid JOIN pg_attribute a ON a.attrelid = r.relid AND a.attnum = s.staattnum"
sizes="SELECT c.oid::regclass, c.relpages, c.reltuples, c.relallvisible, c.relhasindex
    FROM (SELECT relid FROM pg_partition_tree('TABLE') UNION SELECT 'TABLE'::regclass) AS r
    JOIN pg_class c ON c.oid = r.relid OR c.oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = r.relid)"
differences() {
    local what=$1 database=$2 table=$3
    sql main "CREATE TEMP TABLE ours AS ${what//TABLE/$table}; ANALYZE $table; CREATE TEMP TABLE theirs AS ${what//TABLE/$table};
        SELECT 'ours', d.* FROM (TABLE ours EXCEPT ALL TABLE theirs) AS d UNION ALL SELECT 'theirs', d.* FROM (TABLE theirs EXCEPT ALL TABLE ours) AS d ORDER BY 2, 3, 4" "$database"
}

for database in shop english; do
    on main pg_dump -Fc -Z1 -t types -f "$(backups main)/$database.dump" "$database"
    sql main "CREATE SCHEMA new" "$database"
    for layout in '"method": "hash", "shard_key": ["id"], "shard_count": 4' '"method": "range", "shard_key": ["day"], "shard_count": 3' '"method": "list", "shard_key": ["b"], "shard_count": 2' '"method": "none"' \
        '"method": "range", "shard_key": ["day"], "shard_count": 4, "within": {"method": "hash", "shard_key": ["id"], "shard_count": 2}'; do
        made=$(restore types $database "$layout")
        tables=$(sql main "SELECT greatest(1, count(*)) FROM pg_partition_tree('new.types')" $database)
        check "$database, $layout: threads make the statistics of all columns but one" "statistics of 32 columns of $tables tables are made of the rows that were read back
12000" "$made"
        check "$database, $layout: there are statistics of every table with rows" "t" \
            "$(sql main "SELECT count(DISTINCT s.starelid) = count(DISTINCT c.oid) FROM pg_class c LEFT JOIN pg_statistic s ON s.starelid = c.oid WHERE relnamespace = 'new'::regnamespace AND relkind IN ('r', 'p') AND reltuples > 0" $database)"
        check "$database, $layout: autovacuum finds little to do" "0" \
            "$(sql main "SELECT count(*) FROM pg_stat_user_tables WHERE schemaname = 'new' AND (n_mod_since_analyze > 50 + 0.1 * n_live_tup OR last_analyze IS NULL)" $database)"
        check "$database, $layout: sizes are the server's" "" "$(differences "$sizes" $database new.types)"
        check "$database, $layout: statistics are the server's" "" "$(differences "$stored" $database new.types | cut -c 1-600)"
        sql main "SET client_min_messages = warning; DROP TABLE new.types" $database
    done
done

# What is the server's: the whole table, where a sample takes too much memory, and where there are statistics of more than columns.
restored() { restore types shop '"method": "hash", "shard_key": ["id"], "shard_count": 4' || true; }
sql main "ALTER DATABASE shop SET maintenance_work_mem = '1MB'"
check "with little memory the server analyzes" 12000 "$(restored)"
check "all columns of all tables" "5|32" "$(sql main "SELECT count(DISTINCT starelid), count(DISTINCT staattnum) FROM pg_statistic WHERE starelid::regclass::text ~ '^new.types'" shop)"
sql main "ALTER DATABASE shop RESET maintenance_work_mem; SET client_min_messages = warning; DROP TABLE new.types; CREATE STATISTICS public.more (ndistinct) ON b, c FROM types" shop
on main pg_dump -Fc -Z1 -n public -f "$(backups main)/shop.dump" shop
check "with statistics of several columns as well" 12000 "$(restored)"
check "which are there" "5" "$(sql main "SELECT count(stxdndistinct) FROM pg_statistic_ext s JOIN pg_statistic_ext_data ON stxoid = s.oid WHERE stxnamespace = 'new'::regnamespace" shop)"
sql main "SET client_min_messages = warning; DROP TABLE new.types; DROP STATISTICS public.more; CREATE INDEX ON types (lower(vc))" shop
on main pg_dump -Fc -Z1 -t types -f "$(backups main)/shop.dump" shop
check "and with an index of an expression" 12000 "$(restored)"
check "of which there are statistics" "4" "$(sql main "SELECT count(*) FROM pg_statistic s JOIN pg_index i ON i.indexrelid = s.starelid JOIN pg_class c ON c.oid = i.indrelid WHERE c.relnamespace = 'new'::regnamespace" shop)"

# A larger table, of which the samples are a small part: what is estimated is compared with what the server's own samples lead to.
sql main "SET client_min_messages = warning; DROP TABLE new.types, types; CREATE TABLE large (id bigint NOT NULL, customer integer, city text, status text, amount numeric(12,2), at timestamptz, note text COLLATE english)" shop
sql main "SELECT setseed(0.4); INSERT INTO large SELECT n, (random() ^ 3 * 40000)::int, 'city ' || (random() ^ 2 * 900)::int, (ARRAY['paid', 'open', 'gone'])[1 + (random() ^ 6 * 2.99)::int], (random() * 10000)::numeric(12,2),
        timestamptz '2024-01-01 UTC' + n * interval '13 s', CASE WHEN random() < 0.3 THEN md5((random() * 100000)::int::text) END FROM generate_series(1, 400000) n; CREATE INDEX ON large (customer)" shop >/dev/null
on main pg_dump -Fc -Z1 -t large -f "$(backups main)/shop.dump" shop
check "large: threads make all statistics" "statistics of 7 columns of 5 tables are made of the rows that were read back
400000" "$(restore large shop '"method": "hash", "shard_key": ["id"], "shard_count": 4')"
# The rows that are expected by each query, and how many there are, to a factor: of the planner's estimate over the truth.
queries=("customer = 0" "customer = 20000" "customer < 1000" "city = 'city 3'" "city > 'city 5'" "status = 'gone'" "status <> 'paid'" "amount < 1234" "at < '2024-01-20'" "note IS NULL" "note < '8'" "customer < 500 AND status = 'open'")
estimates() {
    local query
    for query in "${queries[@]}"; do
        sql main "EXPLAIN (FORMAT json) SELECT FROM new.large WHERE $query" shop | tr -d '\n' | grep -oE '"Plan Rows": [0-9]+' | head -n 1 | cut -d' ' -f3
    done
    sql main "EXPLAIN (FORMAT json) SELECT note FROM new.large GROUP BY note" shop | grep -oE '"Plan Rows": [0-9]+' | head -n 1 | grep -oE '[0-9]+'
}
figures="SELECT starelid::regclass, staattnum, stadistinct, stanullfrac, stawidth, coalesce(cardinality(stanumbers1), 0) AS common FROM pg_statistic WHERE starelid::regclass::text ~ '^new.large'"
sql main "CREATE TABLE ours AS $figures" shop
ours=$(estimates)
sql main "ANALYZE new.large; CREATE TABLE theirs AS $figures" shop
theirs=$(estimates)
# Estimates of two independent samples: both are within 25 % of the truth, but for the rarest values.
check "large: estimates are the server's, more or less" "" "$(paste <(printf '%s\n' "$ours") <(printf '%s\n' "$theirs") | awk '{ ratio = ($1 + 200) / ($2 + 200); if (ratio > 1.25 || ratio < 0.8) print NR, $0 }')"
check "large: the same figures are there, and near the server's" "35|0" "$(sql main "
    SELECT count(*), count(*) FILTER (WHERE abs(a.stanullfrac - b.stanullfrac) > 0.02 OR abs(a.stawidth - b.stawidth) > 1 OR sign(a.stadistinct) <> sign(b.stadistinct)
        OR a.stadistinct / b.stadistinct NOT BETWEEN 0.6 AND 1.6 OR staattnum IN (2, 3, 4) AND abs(a.common - b.common) > 20 + 0.4 * b.common)
    FROM ours a FULL JOIN theirs b USING (starelid, staattnum)" shop)"
