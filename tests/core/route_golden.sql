-- Asks a server for the answers that tests/core/route_golden.rs holds the Rust code to, and prints them:
--
--     psql -XqAt -v n=7 -f tests/core/route_golden.sql > tests/core/route_golden.tsv
--
-- n is the number of generated values per type beside the edge values: small for the committed file, thousands for a
-- comparison with a live server (ROUTE_GOLDEN=/path/to/large.tsv cargo test -p foreshard-core route_golden).
-- Lines, in COPY text format:
--     value      type  text  hash                  PostgreSQL's extended hash under the partition seed
--     input      type  text  hash or \N            the same for text as people write it; \N where the server refuses it
--     row        modulus  remainder  type  text …  where satisfies_hash_partition says the row belongs
--     range      type  bounds  text  ordinal       how many of the sorted bounds (comma-separated) are <= the value
-- Needs a superuser and a UTF8 database. Nothing is left behind.

\set ON_ERROR_STOP on
\set seed 8816678312871386365
SET client_encoding = 'UTF8';
SET datestyle = 'ISO';
SET extra_float_digits = 3;
SET bytea_output = 'hex';
SET timezone = 'UTC';
SET client_min_messages = warning;

-- Values that look random and are the same on every run.
CREATE FUNCTION pg_temp.noise(i int, salt text) RETURNS bigint IMMUTABLE LANGUAGE sql
    AS $$ SELECT ('x' || substr(md5(salt || i), 1, 16))::bit(64)::bigint $$;
-- The same with every number of bits from 1 to 64, so that small values come as often as large ones.
CREATE FUNCTION pg_temp.spread(i int, salt text) RETURNS bigint IMMUTABLE LANGUAGE sql
    AS $$ SELECT pg_temp.noise(i, salt) >> (63 - (i * 37) % 64) $$;

-- What the operator classes of these types call by another type's name.
CREATE FUNCTION pg_temp.hash(bytea, bigint) RETURNS bigint IMMUTABLE STRICT LANGUAGE internal AS 'hashvarlenaextended';
CREATE FUNCTION pg_temp.hash(date, bigint) RETURNS bigint IMMUTABLE STRICT LANGUAGE internal AS 'hashint4extended';
CREATE FUNCTION pg_temp.hash(bool, bigint) RETURNS bigint IMMUTABLE STRICT LANGUAGE internal AS 'hashcharextended';
CREATE FUNCTION pg_temp.hash(timestamptz, bigint) RETURNS bigint IMMUTABLE STRICT LANGUAGE internal AS 'timestamp_hash_extended';

CREATE TEMP TABLE n AS SELECT i FROM generate_series(1, :n) AS i;

CREATE TEMP TABLE v_int2 AS SELECT unnest('{0,1,-1,255,256,32767,-32768}'::int2[]) AS v
    UNION SELECT (pg_temp.noise(i, 'int2') >> 48)::int2 FROM n;
CREATE TEMP TABLE v_int4 AS SELECT unnest('{0,1,-1,65535,65536,2147483647,-2147483648}'::int4[]) AS v
    UNION SELECT (pg_temp.spread(i, 'int4') >> 32)::int4 FROM n;
CREATE TEMP TABLE v_int8 AS SELECT unnest('{0,1,-1,2147483647,2147483648,-2147483648,-2147483649,4294967295,4294967296,
    -4294967296,9223372036854775807,-9223372036854775808}'::int8[]) AS v
    UNION SELECT pg_temp.spread(i, 'int8') FROM n;
CREATE TEMP TABLE v_oid AS SELECT unnest('{0,1,2147483647,2147483648,4294967295}'::oid[]) AS v
    UNION SELECT (pg_temp.noise(i, 'oid') & 4294967295)::oid FROM n;
CREATE TEMP TABLE v_bool AS SELECT unnest('{t,f}'::bool[]) AS v;
CREATE TEMP TABLE v_char AS SELECT i::"char" AS v FROM generate_series(0, 127) AS i WHERE i % greatest(1, 40 / :n) = 0;

-- Every length of lookup3's tail several times over; blanks, controls and characters of two to four bytes.
CREATE TEMP TABLE v_text AS SELECT unnest(ARRAY['', ' ', '  ', 'a ', ' a', 'NULL', '\N', E'tab\tnew\nline\\', 'ä', 'žluťoučký kůň',
    '漢字かな', '😀', '😀😀😀😀😀😀', E'e\u0301', 'é']) AS v
    UNION SELECT left('The quick brown fox jumps over the lazy dog', i) FROM generate_series(1, 40) AS i
    UNION SELECT left(repeat(md5(i::text), 4), (i % 128) + 1) FROM n
    UNION SELECT repeat('x', 1000);
CREATE TEMP TABLE v_name AS SELECT v::name FROM v_text WHERE octet_length(v) <= 63;
CREATE TEMP TABLE v_bpchar AS SELECT v::character(30) FROM v_text WHERE length(v) % 3 = 0 OR v ~ ' $';
CREATE TEMP TABLE v_bytea AS SELECT unnest(ARRAY['\x', '\x00', '\xff', '\x000000', '\x0000000000000000000000ff']::bytea[]) AS v
    UNION SELECT decode(left(repeat(md5('bytea' || i), 2), 2 * (i % 33)), 'hex') FROM n;
CREATE TEMP TABLE v_uuid AS SELECT unnest('{00000000-0000-0000-0000-000000000000,ffffffff-ffff-ffff-ffff-ffffffffffff,
    018c2f3e-7a10-7000-8000-000000000001}'::uuid[]) AS v
    UNION SELECT md5('uuid' || i)::uuid FROM n;

CREATE TEMP TABLE v_date AS SELECT unnest('{infinity,-infinity,2000-01-01,1999-12-31,2000-02-29,1900-02-28,1900-03-01,
    1970-01-01,0001-01-01,0001-12-31 BC,0001-02-29 BC,0005-02-28 BC,0044-03-15 BC,4714-11-24 BC,9999-12-31,10000-01-01,
    294276-12-31,5874897-12-31}'::date[]) AS v
    UNION SELECT '2000-01-01'::date + (pg_temp.spread(i, 'date') % 2000000)::int FROM n
    UNION SELECT '2024-01-01'::date + i * 7 FROM n;
CREATE TEMP TABLE v_timestamp AS SELECT unnest('{infinity,-infinity,2000-01-01 00:00:00,1999-12-31 23:59:59.999999,
    2024-02-29 12:34:56.7,2024-02-29 12:34:56.000001,0001-01-01 00:00:00,0001-12-31 23:59:59 BC,0044-03-15 12:00:00.5 BC,
    4714-11-24 00:00:00 BC,294276-12-31 23:59:59.999999}'::timestamp[]) AS v
    UNION SELECT '2000-01-01'::timestamp + make_interval(secs => 1e-6 * (pg_temp.spread(i, 'timestamp') % 60000000000000000)) FROM n
    UNION SELECT '2024-01-01'::timestamp + make_interval(hours => i) FROM n;
CREATE TEMP TABLE v_timestamptz AS SELECT v AT TIME ZONE 'UTC' AS v FROM v_timestamp;

CREATE TEMP TABLE v_float4 AS SELECT unnest('{0,-0,1,-1,0.1,1.5,NaN,Infinity,-Infinity,3.4028235e38,-3.4028235e38,
    1.1754944e-38,1e-45,16777216}'::float4[]) AS v
    UNION ALL SELECT ((pg_temp.noise(i, 'float4') >> 20) * 10.0::float8 ^ (i % 60 - 40))::float4 FROM n;
CREATE TEMP TABLE v_float8 AS SELECT unnest('{0,-0,1,-1,0.1,1.5,NaN,Infinity,-Infinity,1.7976931348623157e308,
    -1.7976931348623157e308,2.2250738585072014e-308,5e-324,9007199254740993,0.30000000000000004}'::float8[]) AS v
    UNION ALL SELECT v::float8 FROM v_float4
    UNION ALL SELECT pg_temp.noise(i, 'float8') * 10.0::float8 ^ (i % 500 - 250) FROM n;
CREATE TEMP TABLE v_numeric AS SELECT unnest('{0,0.0,0.000,1,-1,1.0,1.10,10,100,1000,9999,10000,10001,100000000,1e20,1e-20,0.1,0.01,
    0.001,0.0001,0.00001,-0.00001,12345678.87654321,123456789012345678901234567890.123456789,NaN,Infinity,-Infinity,
    1e131071,1e-16383}'::numeric[]) AS v
    UNION ALL SELECT pg_temp.spread(i, 'numeric') * 10.0 ^ (i % 40 - 20) FROM n
    UNION ALL SELECT (pg_temp.noise(i, 'digits') >> 40) * 10::numeric ^ (i % 9 - 4) FROM n
    UNION ALL SELECT round(pg_temp.noise(i, 'price') / 1e13, 2) FROM n;

-- The longest would fill the committed file.
DELETE FROM v_numeric WHERE :n < 100 AND length(v::text) > 1000;
DELETE FROM v_text WHERE :n < 100 AND length(v) > 200;

COPY (SELECT 'value', 'smallint', v, hashint2extended(v, :seed) FROM v_int2 ORDER BY v) TO STDOUT;
COPY (SELECT 'value', 'integer', v, hashint4extended(v, :seed) FROM v_int4 ORDER BY v) TO STDOUT;
COPY (SELECT 'value', 'bigint', v, hashint8extended(v, :seed) FROM v_int8 ORDER BY v) TO STDOUT;
COPY (SELECT 'value', 'oid', v, hashoidextended(v, :seed) FROM v_oid ORDER BY v) TO STDOUT;
COPY (SELECT 'value', 'boolean', v, pg_temp.hash(v, :seed) FROM v_bool ORDER BY v) TO STDOUT;
COPY (SELECT 'value', '"char"', v, hashcharextended(v, :seed) FROM v_char ORDER BY v) TO STDOUT;
COPY (SELECT 'value', 'text', v, hashtextextended(v, :seed) FROM v_text ORDER BY v COLLATE "C") TO STDOUT;
COPY (SELECT 'value', 'character varying(40)', v::varchar(40), hashtextextended(v::varchar(40), :seed)
    FROM v_text WHERE octet_length(v) BETWEEN 35 AND 40 ORDER BY v COLLATE "C") TO STDOUT;
COPY (SELECT 'value', 'name', v, hashnameextended(v, :seed) FROM v_name
    WHERE :n > 100 OR octet_length(v::text) % 9 = 0 ORDER BY v) TO STDOUT;
COPY (SELECT 'value', 'character(30)', v, hashbpcharextended(v, :seed) FROM v_bpchar ORDER BY v COLLATE "C") TO STDOUT;
COPY (SELECT 'value', 'bytea', v, pg_temp.hash(v, :seed) FROM v_bytea ORDER BY v) TO STDOUT;
COPY (SELECT 'value', 'uuid', v, uuid_hash_extended(v, :seed) FROM v_uuid ORDER BY v) TO STDOUT;
COPY (SELECT 'value', 'date', v, pg_temp.hash(v, :seed) FROM v_date ORDER BY v) TO STDOUT;
COPY (SELECT 'value', 'timestamp without time zone', v, timestamp_hash_extended(v, :seed) FROM v_timestamp ORDER BY v) TO STDOUT;
COPY (SELECT 'value', 'real', v, hashfloat4extended(v, :seed) FROM v_float4 ORDER BY v, v::text) TO STDOUT;
COPY (SELECT 'value', 'double precision', v, hashfloat8extended(v, :seed) FROM v_float8 ORDER BY v, v::text) TO STDOUT;
COPY (SELECT 'value', 'numeric', v, hash_numeric_extended(v, :seed) FROM v_numeric ORDER BY v, v::text) TO STDOUT;
COPY (SELECT 'value', 'numeric(14,2)', v::numeric(14,2), hash_numeric_extended(v::numeric(14,2), :seed)
    FROM v_numeric WHERE abs(v) < 1e12 AND v <> 'NaN' ORDER BY v, v::text) TO STDOUT;

-- The offset is part of the text: whole hours, half hours, and seconds before zones were standardised.
COPY (SELECT 'value', 'timestamp with time zone', v, pg_temp.hash(v, :seed) FROM v_timestamptz ORDER BY v) TO STDOUT;
SET timezone = 'America/St_Johns';
COPY (SELECT 'value', 'timestamp with time zone', v, pg_temp.hash(v, :seed) FROM v_timestamptz WHERE :n > 100 OR extract(second FROM v) > 30 ORDER BY v) TO STDOUT;
SET timezone = 'Asia/Kolkata';
COPY (SELECT 'value', 'timestamp with time zone', v, pg_temp.hash(v, :seed) FROM v_timestamptz WHERE :n > 100 OR extract(second FROM v) > 40 ORDER BY v) TO STDOUT;
SET timezone = 'UTC';

-- Input in forms that no dump has: the server rounds it, cuts it, reads it by its settings, or refuses it. An assignment
-- does to it what COPY's input functions do.
CREATE FUNCTION pg_temp.answer(type text, hash text, input text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE answer bigint;
BEGIN
    EXECUTE format('CREATE TEMP TABLE IF NOT EXISTS %I (v %s)', 'in ' || type, type);
    EXECUTE format('INSERT INTO %I VALUES (%L) RETURNING %s(v, 8816678312871386365)', 'in ' || type, input, hash) INTO answer;
    RETURN answer;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
    RETURN NULL;
END $$;
CREATE TEMP TABLE input (type text, hash text, texts text[]);
INSERT INTO input VALUES
    ('smallint', 'hashint2extended', '{+5,007,-0,- 5,"", 5,5 ,32768,0x10,1_000}'),
    ('integer', 'hashint4extended', '{+5,007,2147483648,1.0,1e3}'),
    ('bigint', 'hashint8extended', '{+9223372036854775807,9223372036854775808,--1,+}'),
    ('oid', 'hashoidextended', '{-1,+7,4294967296}'),
    ('boolean', 'pg_temp.hash', '{true,TRUE,yes,1,off, t,tr,x}'),
    ('"char"', 'hashcharextended', '{é,ab,\\101,""}'),
    ('character varying(3)', 'hashtextextended', '{abc,"abc  ","ab ","éé ","ééé ",abcd,"a  "}'),
    ('character(3)', 'hashbpcharextended', '{abc,"abc  ","","é","éééé"}'),
    ('name', 'hashnameextended', '{"012345678901234567890123456789012345678901234567890123456789012345"}'),
    ('uuid', 'uuid_hash_extended', '{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11,a0eebc999c0b4ef8bb6d6bb9bd380a11,
        "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1,a0eebc999-c0b-4ef8-bb6d-6bb9bd380a11}'),
    ('bytea', 'pg_temp.hash', '{"\\xDEADbeef","\\xabc","\\x","a\\000b","\\x 00",abc}'),
    ('date', 'pg_temp.hash', '{00012-01-01,0012-01-01,012-01-01,12-01-01,0000-01-01,2023-02-29,2024-13-01,2024-1-1,20240101,
        4714-11-23 BC,5874898-01-01,2024-01-01 00:00:00,1900-02-29,2000-02-30,2024-01-01 AD,2024-01-01  BC,now,Infinity,2024-00-01}'),
    ('timestamp without time zone', 'timestamp_hash_extended', '{2024-01-01T00:00:00,2024-01-01 00:00,2024-01-01 24:00:00,2024-01-01 23:59:60,
        2024-01-01 00:00:00.1234567,2024-01-01 00:00:00+05,2024-01-01,2024-01-01 00:00:00.,294277-01-01 00:00:00,2024-01-01 00:60:00}'),
    ('timestamp(0) without time zone', 'timestamp_hash_extended', '{2024-01-01 00:00:00.5,2024-01-01 00:00:00.000,2024-01-01 00:00:01}'),
    ('timestamp(3) with time zone', 'pg_temp.hash', '{2024-01-01 00:00:00.1234Z,2024-01-01 00:00:00.120+00,2024-01-01 00:00:00.1235+00,
        2024-01-01T00:00:00-15:59:59,2024-01-01 00:00:00+16,2024-01-01 00:00:00+0530,2024-01-01 00:00:00,2024-01-01 00:00:00 CET,
        4714-11-24 00:00:00+01 BC,4714-11-23 20:00:00-05 BC,294276-12-31 23:00:00-02}'),
    ('real', 'hashfloat4extended', '{1e39,1e-46,16777217,0x1p3,inf,+1.,.5,.,1e,nan,0e99,-0.0}'),
    ('double precision', 'hashfloat8extended', '{1e309,1e-400,0.1e1,+Infinity,1d3,1e+05,-.5e-3,0.000000000000000000000000001e27}'),
    ('numeric', 'hash_numeric_extended', '{1e3,1.50e-3,+.5,5.,.,e5,1e,1e200000,1e-20000,1_000,0x1F,nan,inf,-0.0,12e+4,- 1,1..2,1.2.3}'),
    ('numeric(6,2)', 'hash_numeric_extended', '{1.005,1.500,1.004,99999,1.1e1,NaN,1e-3}'),
    ('numeric(4,0)', 'hash_numeric_extended', '{1.5,1.0,12345}'),
    ('numeric(3,-2)', 'hash_numeric_extended', '{1234,1200,50,1.2e4}'),
    ('numeric(2,4)', 'hash_numeric_extended', '{0.0012,0.00125}');
SET timezone = 'Asia/Kolkata';
COPY (SELECT 'input', type, t, pg_temp.answer(type, hash, t) FROM input, unnest(texts) AS t) TO STDOUT;
-- With many values: one character dropped, doubled or changed, anywhere.
COPY (SELECT 'input', type, t, pg_temp.answer(type, hash, t)
    FROM input, unnest(texts) WITH ORDINALITY AS _ (text, k), generate_series(101, :n) AS i,
        LATERAL (SELECT 1 + abs(pg_temp.noise(i, type || k) % (length(text) + 1))::int) AS p (at),
        LATERAL (SELECT left(text, at - 1) || (ARRAY['', repeat(substr(text, at, 1), 2), ' ', '0', '9', '-', '+', '.', 'e', ':', 'T', 'Z', E'\u00a0'])[1 + i % 13]
            || substr(text, at + 1)) AS _2 (t)) TO STDOUT;
SET timezone = 'UTC';

-- Whole keys, NULLs included.
CREATE TEMP TABLE k1 (a int8) PARTITION BY HASH (a);
CREATE TEMP TABLE k2 (a int4, b text) PARTITION BY HASH (a, b);
CREATE TEMP TABLE k3 (a uuid, b date, c numeric) PARTITION BY HASH (a, b, c);
CREATE TEMP TABLE k4 (a timestamptz, b bool, c char(6), d float8) PARTITION BY HASH (a, b, c, d);
CREATE TEMP TABLE m AS SELECT m, r FROM unnest('{3,16,1024}'::int[]) AS m, generate_series(0, m - 1) AS r;
COPY (SELECT 'row', m, r, 'bigint', a FROM m, (SELECT NULL::int8 AS a UNION SELECT pg_temp.spread(i, 'k1') FROM n) AS k
    WHERE satisfies_hash_partition('k1'::regclass, m, r, a) ORDER BY m, a) TO STDOUT;
COPY (SELECT 'row', m, r, 'integer', a, 'text', b FROM m, (VALUES (1, NULL), (NULL, '1'), (NULL, NULL), (1, ''), (0, 'a'), (1, '2'), (2, '1')
    UNION SELECT (pg_temp.spread(i, 'k2') >> 32)::int, left(md5(i::text), i % 32) FROM n) AS k (a, b)
    WHERE satisfies_hash_partition('k2'::regclass, m, r, a, b) ORDER BY m, a, b COLLATE "C") TO STDOUT;
COPY (SELECT 'row', m, r, 'uuid', a, 'date', b, 'numeric', c
    FROM m, (SELECT md5('k3' || i)::uuid, CASE WHEN i % 5 > 0 THEN '2024-01-01'::date + i END, CASE WHEN i % 3 > 0 THEN i * 1.10 END FROM n) AS k (a, b, c)
    WHERE satisfies_hash_partition('k3'::regclass, m, r, a, b, c) ORDER BY m, a) TO STDOUT;
COPY (SELECT 'row', m, r, 'timestamp with time zone', a, 'boolean', b, 'character(6)', c, 'double precision', d
    FROM m, (SELECT '2024-01-01'::timestamptz + make_interval(mins => i), i % 2 = 0, left(md5('k4' || i), i % 6)::char(6),
        CASE WHEN i % 4 > 0 THEN i / 7.0::float8 END FROM n) AS k (a, b, c, d)
    WHERE satisfies_hash_partition('k4'::regclass, m, r, a, b, c, d) ORDER BY m, a) TO STDOUT;

-- Order: a value's place among sorted bounds, by the type's own comparison.
COPY (SELECT 'range', 'smallint', b, v, width_bucket(v::int, b::int[]) FROM v_int2, (VALUES ('{-32768,-7,0,1,1000}')) AS _ (b) ORDER BY v) TO STDOUT;
COPY (SELECT 'range', 'bigint', b, v, width_bucket(v, b::int8[]) FROM v_int8, (VALUES ('{-5000000000,-1,0,10,4294967296,9223372036854775807}')) AS _ (b) ORDER BY v) TO STDOUT;
COPY (SELECT 'range', 'numeric', b, v, width_bucket(v, b::numeric[]) FROM v_numeric, (VALUES ('{-Infinity,-1e10,-10,-9.99,-0.0001,0,0.00001,0.01,0.1,1,1.1,10,99.5,10001,1e15,Infinity,NaN}')) AS _ (b) ORDER BY v, v::text) TO STDOUT;
COPY (SELECT 'range', 'double precision', b, v, width_bucket(v, b::float8[]) FROM v_float8, (VALUES ('{-Infinity,-1e10,-0.5,0,1e-300,0.1,1.5,1e100,Infinity,NaN}')) AS _ (b) ORDER BY v, v::text) TO STDOUT;
COPY (SELECT 'range', 'date', b, v, width_bucket(v, b::date[]) FROM v_date, (VALUES ('{-infinity,0044-03-15 BC,0001-01-01,1970-01-01,2000-01-01,2024-06-01,10000-01-01,infinity}')) AS _ (b) ORDER BY v) TO STDOUT;
SET timezone = 'Asia/Kolkata';
COPY (SELECT 'range', 'timestamp with time zone', b, v, width_bucket(v, b::timestamptz[]) FROM v_timestamptz,
    (VALUES ('{-infinity,0044-03-15 00:00:00+00 BC,2000-01-01 00:00:00+00,2024-01-01 03:00:00+00,2024-02-29 12:34:56.7Z,infinity}')) AS _ (b) ORDER BY v) TO STDOUT;
COPY (SELECT 'range', 'uuid', b, v, width_bucket(v, b::uuid[]) FROM v_uuid,
    (VALUES ('{018c2f3e-7a10-7000-8000-000000000001,40000000-0000-0000-0000-000000000000,7fffffff-ffff-ffff-ffff-ffffffffffff,c0000000-0000-0000-0000-000000000000}')) AS _ (b) ORDER BY v) TO STDOUT;
COPY (SELECT 'range', 'bytea', replace(b, '\\', '\'), v, width_bucket(v, b::bytea[]) FROM v_bytea,
    (VALUES ('{"\\x00","\\x0000","\\x4f","\\xb0b0b0"}')) AS _ (b) ORDER BY v) TO STDOUT;
