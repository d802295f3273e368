-- A table of this database as what is restored: its names, what it brings along, who may, and what is refused.
\set ECHO none
\getenv tests PG_ABS_SRCDIR
\i :tests/fixtures/helpers.sql
SET client_min_messages = warning;
CREATE SCHEMA old;
CREATE SCHEMA shop;
CREATE SCHEMA "Odd";
CREATE FUNCTION test.live(target text, source text, config jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
    SELECT regexp_replace(test.refused(target, '$table:' || source, '{"query_log": "off"}' || config), 'pg_temp_\d+', 'pg_temp_N', 'g')
$$;
CREATE TABLE old.orders (
    id bigserial PRIMARY KEY,
    gone int,
    customer_id bigint NOT NULL,
    status text NOT NULL DEFAULT 'new' CHECK (status IN ('new', 'paid')),
    twice bigint GENERATED ALWAYS AS (customer_id * 2) STORED,
    note text
);
ALTER TABLE old.orders DROP COLUMN gone, ALTER note SET STORAGE EXTERNAL;
CREATE INDEX orders_customer ON old.orders (customer_id) WITH (fillfactor = 80);
COMMENT ON TABLE old.orders IS 'what was ordered';
COMMENT ON INDEX old.orders_customer IS 'by whom';
INSERT INTO old.orders (customer_id, status, note)
    SELECT n % 50, CASE n % 2 WHEN 0 THEN 'new' ELSE 'paid' END, CASE n % 4 WHEN 0 THEN E'tab\t, back\\slash,\nnew line' WHEN 1 THEN '\.' WHEN 2 THEN '' END
    FROM generate_series(1, 1000) AS n;
CREATE TABLE old.items (order_id bigint REFERENCES old.orders, line int, PRIMARY KEY (order_id, line));
CREATE TABLE "Odd"."Na me" (id int PRIMARY KEY);
INSERT INTO "Odd"."Na me" SELECT generate_series(1, 10);
CREATE TABLE old.parts (id int, at date) PARTITION BY RANGE (at);
CREATE TABLE old.parts_2024 PARTITION OF old.parts FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE old.parts_rest PARTITION OF old.parts DEFAULT;
INSERT INTO old.parts SELECT n, date '2023-07-01' + n FROM generate_series(1, 700) AS n;
CREATE TABLE old.parent (id int);
CREATE TABLE old.child (extra int) INHERITS (old.parent);
INSERT INTO old.parent VALUES (1);
INSERT INTO old.child VALUES (2, 3);
CREATE TABLE old.hollow ();
INSERT INTO old.hollow DEFAULT VALUES;
CREATE TYPE old.kind AS (id int, note text);
CREATE TABLE old.typed OF old.kind (id NOT NULL DEFAULT 7);
INSERT INTO old.typed VALUES (1, 'x');
CREATE VIEW old.seen AS SELECT 1 AS id;
CREATE MATERIALIZED VIEW old.kept AS SELECT 1 AS id;
CREATE TEMP TABLE fleeting (id int);
CREATE TABLE shop.orders_s0001 (id int);
\set config '{"query_log": "off", "shard_key": ["customer_id"], "shard_count": 2}'
\set ECHO all
\pset format unaligned
\pset tuples_only on

-- Planned and restored like a backup.
SELECT rank, chosen, method, shard_key, shard_count FROM foreshard.plan_restore('shop.sales', 'table:old.orders', :'config') WHERE chosen;
SELECT relation, method, shard_key, shard_count, rows, jsonb_pretty(notes) FROM restore_table('shop.sales', 'table:old.orders', :'config');
SELECT test.differences('old.orders', 'shop.sales');
SELECT count(*), sum(rows), sum(misplaced_rows), bool_and(ok) FROM foreshard.verify_table('shop.sales');
SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid IN ('shop.sales'::regclass, 'shop.sales_s0001'::regclass) ORDER BY indexrelid::regclass::text;
SELECT obj_description('shop.sales'::regclass), obj_description('shop.sales_customer'::regclass);
INSERT INTO shop.sales (customer_id) VALUES (7) RETURNING id, status, twice;
INSERT INTO shop.sales (customer_id, status) VALUES (7, 'lost');
SELECT backup FROM foreshard.tables;
SELECT message FROM foreshard.jobs;
SELECT DISTINCT backup FROM foreshard.plans;
-- The source is as it was.
SELECT count(*), max(id), nextval('old.orders_id_seq') FROM old.orders;
-- What was restored is a table like any other.
SELECT method, shard_key, shard_count, rows FROM restore_table('shop.again', 'table:shop.sales', '{"query_log": "off", "method": "range", "shard_key": ["id"], "shard_count": 3}');
SELECT test.differences('shop.again', 'shop.sales');

-- Names are written as in SQL, and looked up in the caller's schema.
SELECT rows FROM restore_table('shop.odd', 'table:"Odd"."Na me"', '{"query_log": "off"}');
SET search_path = "Odd", public;
SELECT rows FROM restore_table('shop.odd_too', 'table:"Na me"', '{"query_log": "off"}');
RESET search_path;
-- All partitions' rows, the table's own rows, no column at all.
SELECT rows, jsonb_path_query_array(notes, '$[*].what') FROM restore_table('shop.parts', 'table:old.parts', '{"query_log": "off", "shard_key": ["id"], "shard_count": 2}');
SELECT test.differences('old.parts', 'shop.parts');
SELECT rows FROM restore_table('shop.parent', 'table:old.parent', '{"query_log": "off"}');
SELECT rows FROM restore_table('shop.hollow', 'table:old.hollow', '{"query_log": "off"}');
-- What is lost is said.
SELECT rows, notes FROM restore_table('shop.typed', 'table:old.typed', '{"query_log": "off"}');
INSERT INTO shop.typed (note) VALUES ('y') RETURNING *;

-- What is refused.
SELECT test.live('shop.x', 'old.nothing');
SELECT test.live('shop.x', 'nothing');
SELECT test.live('shop.x', 'old.');
SELECT test.live('shop.x', '');
SELECT test.live('shop.x', 'old.seen');
SELECT test.live('shop.x', 'old.kept');
SELECT test.live('shop.x', 'old.orders_id_seq');
SELECT test.live('shop.x', 'old.orders_pkey');
SELECT test.live('shop.x', 'old.parts_2024');
SELECT test.live('shop.x', 'old.child');
SELECT test.live('shop.x', 'pg_catalog.pg_class');
SELECT test.live('shop.x', pg_my_temp_schema()::regnamespace || '.fleeting');
-- The copy needs a name of its own, and its shards as well.
SELECT test.live('old.orders', 'old.orders');
SELECT test.live('shop.orders', 'old.orders', :'config');
SELECT test.live('shop.orders', 'shop.orders_s0001', '{"shard_key": ["id"], "shard_count": 2}');
SELECT test.live('shop.sales', 'old.orders');
-- What is said of files.
SELECT test.live('shop.x', 'old.orders', '{"source": "old.orders", "format": "csv", "like": "old.items", "copy": {"header": true}}');
SELECT test.live('shop.x', 'old.orders', '{"shard_key": ["absent"]}');
-- Everything at once.
SELECT test.live('nowhere.x', 'old.nothing', '{"nodes": ["none"]}');

-- SELECT is enough, and is needed; files are not touched, so that no right to read them is.
\set ECHO none
CREATE ROLE regress_reader;
GRANT USAGE ON SCHEMA foreshard, test TO regress_reader;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA foreshard, test TO regress_reader;
GRANT EXECUTE ON FUNCTION restore_table TO regress_reader;
ALTER FUNCTION test.traces() SECURITY DEFINER;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA foreshard TO regress_reader;
GRANT CREATE, USAGE ON SCHEMA shop TO regress_reader;
\set ECHO all
\set mine '{"no_owner": true, "no_privileges": true}'
SET ROLE regress_reader;
SELECT test.live('shop.x', 'old.orders', :'mine');
RESET ROLE;
GRANT USAGE ON SCHEMA old TO regress_reader;
SET ROLE regress_reader;
SELECT test.live('shop.x', 'old.orders', :'mine');
RESET ROLE;
GRANT SELECT (id, customer_id, status) ON old.orders TO regress_reader;
SET ROLE regress_reader;
SELECT test.live('shop.x', 'old.orders', :'mine');
RESET ROLE;
GRANT SELECT (note) ON old.orders TO regress_reader;
SET ROLE regress_reader;
SELECT test.live('shop.x', 'old.orders', :'mine');
RESET ROLE;
GRANT SELECT ON SEQUENCE old.orders_id_seq TO regress_reader;
SET ROLE regress_reader;
SELECT test.live('shop.x', 'old.orders');
SET client_min_messages = notice;
SELECT rows FROM restore_table('shop.mine', 'table:old.orders', jsonb '{"query_log": "off"}' || :'mine');
SET client_min_messages = warning;
RESET ROLE;
SELECT pg_get_userbyid(relowner), test.differences('old.orders', 'shop.mine') FROM pg_class WHERE oid = 'shop.mine'::regclass;
-- Rows that a policy hides would be missing.
ALTER TABLE old.orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON old.orders TO regress_reader USING (customer_id = 1);
SET ROLE regress_reader;
SELECT test.live('shop.x', 'old.orders', :'mine');
RESET ROLE;
SELECT rows, polname FROM restore_table('shop.policed', 'table:old.orders', :'config'), pg_policy WHERE polrelid = 'old.orders'::regclass;
SELECT polname FROM pg_policy WHERE polrelid = 'shop.policed'::regclass;

\set ECHO none
DROP EXTENSION foreshard;
DROP SCHEMA test, shop, old, "Odd" CASCADE;
DROP OWNED BY regress_reader;
DROP ROLE regress_reader;
