-- Restoring into every layout, and what is known of the table afterwards.
\set ECHO none
\getenv tests PG_ABS_SRCDIR
\i :tests/fixtures/helpers.sql
\i :tests/fixtures/shop.sql
-- The sum over the shards does not depend on the layout: rows, and a checksum of all their values.
CREATE FUNCTION test.content(t regclass) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', 'rows', sum(rows), 'misplaced', sum(misplaced_rows), 'ok', bool_and(ok), 'shards', count(*)) FROM foreshard.verify_table(t)
$$;
CREATE FUNCTION test.checksum(t regclass) RETURNS text LANGUAGE sql AS $$ SELECT min(checksum) FROM foreshard.verify_table(t) $$;
\set ECHO all
\pset null -

-- By what the query log says: hash. What changes is announced and returned.
SELECT relation, method, shard_key, shard_count, rows, seconds > 0 AS took_time, jsonb_array_length(notes) AS notes
FROM restore_table('shop.orders', test.backup('shop.dump'), '{"query_log": "test.query_log", "growth": 2}');
\d+ shop.orders
\d shop.orders_s0002
SELECT obj_description('shop.orders'::regclass);
SELECT shard, node, bound, rows, bytes > 0 AS has_size FROM foreshard.shards ORDER BY shard::text;
SELECT relation, method, shard_key, shard_count, test.masked(backup) AS backup, length(checksum) AS checksum FROM foreshard.tables;
SELECT kind, target, state, j.plan_id = t.plan_id AS same_plan, started_by = current_user AS mine, finished_at >= started_at AS finished, rows, bytes, test.masked(message) AS message
FROM foreshard.jobs j JOIN foreshard.tables t USING (job_id);
SELECT target, p.method, p.shard_key, p.shard_count FROM foreshard.plans p JOIN foreshard.tables USING (plan_id);
SELECT shard, node, rows, misplaced_rows, ok FROM foreshard.verify_table('shop.orders');
SELECT test.differences('original.orders', 'shop.orders');
-- The next row gets the next number, and the constraints hold.
INSERT INTO shop.orders (customer_id, total, placed_at) VALUES (7, 1, '2025-01-01') RETURNING id, status, tableoid::regclass;
INSERT INTO shop.orders (customer_id, total, placed_at) VALUES (7, -1, '2025-01-01');
INSERT INTO shop.orders VALUES (5001, 7, 'new', 1, '2025-01-01');
EXPLAIN (COSTS OFF) SELECT * FROM shop.orders WHERE customer_id = 7;
DELETE FROM shop.orders WHERE id = 5001;
-- A shard that is detached is none any more; one that comes back is.
SELECT pg_get_expr(relpartbound, oid) AS bound, pg_get_partition_constraintdef(oid) AS condition FROM pg_class WHERE oid = 'shop.orders_s0002'::regclass \gset
ALTER TABLE shop.orders DETACH PARTITION shop.orders_s0002;
SELECT shard FROM foreshard.shards ORDER BY shard::text;
SELECT shard_count FROM foreshard.tables;
SELECT shard FROM foreshard.verify_table('shop.orders');
-- Rows in the wrong shard are found: they come in behind a constraint that lies.
INSERT INTO shop.orders_s0002 SELECT 100000 + id, customer_id, status, total, placed_at, note FROM shop.orders ORDER BY id LIMIT 3;
ALTER TABLE shop.orders_s0002 ADD CONSTRAINT lie CHECK (:condition) NOT VALID;
UPDATE pg_constraint SET convalidated = true WHERE conname = 'lie';
ALTER TABLE shop.orders ATTACH PARTITION shop.orders_s0002 :bound;
SELECT shard, node, rows, misplaced_rows, ok FROM foreshard.verify_table('shop.orders');
SELECT shard, rows, misplaced_rows, ok FROM foreshard.verify_table('shop.orders_s0002');
DROP TABLE shop.orders_s0001;
SELECT shard FROM foreshard.shards ORDER BY shard::text;
SELECT shard_count FROM foreshard.tables;
DROP TABLE shop.orders;

-- Dropped: nothing of it is shown any more, and the next restore under the name starts anew.
SELECT * FROM foreshard.tables;
SELECT * FROM foreshard.shards;
SELECT kind, target, state FROM foreshard.jobs;
SELECT count(*) > 0 AS until_the_next_restore FROM foreshard._tables;
SET client_min_messages = warning;

-- Range.
SELECT method, shard_key, shard_count, rows FROM restore_table('shop.orders', test.backup('shop.dump'), '{"query_log": "off", "shard_key": ["placed_at"], "method": "range", "shard_count": 4}');
SELECT shard, bound, rows FROM foreshard.shards ORDER BY shard::text;
SELECT test.content('shop.orders'), test.differences('original.orders', 'shop.orders');
DROP TABLE shop.orders;
-- List.
SELECT method, shard_key, shard_count, rows FROM restore_table('shop.orders', test.backup('shop.dump'), '{"query_log": "off", "shard_key": ["status"], "method": "list", "shard_count": 3}');
SELECT shard, bound, rows FROM foreshard.shards ORDER BY shard::text;
SELECT test.content('shop.orders'), test.differences('original.orders', 'shop.orders');
DROP TABLE shop.orders;
-- List on a column with NULLs.
SELECT method, shard_key, shard_count, rows FROM restore_table('shop.orders', test.backup('shop.dump'), '{"query_log": "off", "shard_key": ["note"], "method": "list", "shard_count": 3, "unique": "per_shard"}');
SELECT shard, bound, rows FROM foreshard.shards ORDER BY shard::text;
SELECT test.content('shop.orders'), test.differences('original.orders', 'shop.orders');
DROP TABLE shop.orders;
-- Hash on two columns, one of which has NULLs.
SELECT method, shard_key, shard_count, rows FROM restore_table('shop.orders', test.backup('shop.dump'), '{"query_log": "off", "shard_key": ["note", "customer_id"], "shard_count": 3, "unique": "per_shard"}');
SELECT shard, bound, rows > 0 AS has_rows FROM foreshard.shards ORDER BY shard::text;
SELECT test.content('shop.orders'), test.differences('original.orders', 'shop.orders');
DROP TABLE shop.orders;
-- A reference table, and one that is not cut: plain tables, known all the same.
SELECT method, shard_key, shard_count, rows, notes FROM restore_table('shop.countries', test.backup('shop.dump'), '{"query_log": "test.query_log", "growth": 2}');
SELECT method, shard_key, shard_count, rows, notes FROM restore_table('shop.customers', test.backup('shop.dump'), '{"method": "none", "query_log": "off"}');
SELECT relation, method, shard_key, shard_count FROM foreshard.tables ORDER BY relation::text;
SELECT * FROM foreshard.shards;
SELECT test.content('shop.countries'), test.content('shop.customers');
SELECT test.differences('original.countries', 'shop.countries'), test.differences('original.customers', 'shop.customers');
\d shop.customers
-- A table that refers to tables that are there now, under another schema of shards.
SELECT method, shard_key, shard_count, rows, notes FROM restore_table('shop.orders', test.backup('shop.dump'), '{"query_log": "off", "shard_key": ["id"], "shard_count": 2}');
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'shop.orders'::regclass ORDER BY conname;

-- Every format of backup gives the same content.
DROP TABLE shop.orders;
SELECT rows FROM restore_table('shop.orders', test.backup('shop.sql'), '{"method": "none", "query_log": "off"}');
SELECT test.checksum('shop.orders') AS plain \gset
DROP TABLE shop.orders;
SELECT rows FROM restore_table('shop.orders', test.backup('shop.dir'), '{"method": "none", "query_log": "off"}');
SELECT test.checksum('shop.orders') = :'plain' AS directory_as_plain;
DROP TABLE shop.orders;
SELECT rows FROM restore_table('shop.orders', test.backup('shop.tar'), '{"method": "none", "query_log": "off", "verify": "count"}');
SELECT test.checksum('shop.orders') = :'plain' AS tar_as_plain;
SELECT checksum FROM foreshard.tables WHERE relation = 'shop.orders'::regclass;
DROP TABLE shop.orders;
-- Rows alone, with the definition of a live table.
COPY original.orders TO STDOUT CSV HEADER \g :backups/shop.csv
COPY original.orders (placed_at, id, total, note, status, customer_id) TO STDOUT \g :backups/shop.rows
SELECT rows FROM restore_table('shop.orders', test.backup('shop.csv'), '{"method": "none", "query_log": "off", "format": "csv", "like": "original.orders", "copy": {"header": true}}');
SELECT test.checksum('shop.orders') = :'plain' AS csv_as_plain;
DROP TABLE shop.orders;
SELECT rows, shard_count FROM restore_table('shop.orders', test.backup('shop.rows'),
    '{"shard_key": ["id"], "shard_count": 3, "query_log": "off", "format": "text", "like": "original.orders", "copy": {"columns": ["placed_at", "id", "total", "note", "status", "customer_id"]}}');
SELECT test.content('shop.orders'), test.differences('original.orders', 'shop.orders');
DROP TABLE shop.orders;

-- Under another name, into another schema; the backup's table is named by "source".
CREATE SCHEMA test_else;
SELECT relation, rows FROM restore_table('test_else.bestellungen', test.backup('shop.dump'), '{"source": "shop.orders", "query_log": "test.query_log", "growth": 2}');
SELECT shard FROM foreshard.shards ORDER BY shard::text;
SELECT test.differences('original.orders', 'test_else.bestellungen');
SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'test_else.bestellungen'::regclass ORDER BY 1;
SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'test_else.bestellungen'::regclass AND adnum = 1;
-- Without a schema: the first of search_path, as for CREATE TABLE.
SET search_path = test_else, public;
SELECT relation FROM restore_table('events', test.backup('shop.dump'), '{"source": "shop.events", "query_log": "off", "growth": 2}');
RESET search_path;
DROP SCHEMA test_else CASCADE;

-- {"plan": id} executes exactly that plan.
SELECT DISTINCT plan_id FROM foreshard.plan_restore('shop.orders', test.backup('shop.dump'), '{"query_log": "test.query_log", "growth": 2, "shard_count": 5}') \gset
SELECT plan_id = :plan_id AS that_plan, method, shard_key, shard_count FROM restore_table('shop.orders', test.backup('shop.dump'), jsonb_build_object('plan', :plan_id));
SELECT t.plan_id = :plan_id AS that_plan FROM foreshard.tables t WHERE relation = 'shop.orders'::regclass;
SELECT count(*) AS newer_plans FROM foreshard.plans WHERE plan_id > :plan_id;
DROP TABLE shop.orders;
SELECT plan_id = :plan_id AS that_plan, rank, chosen, shard_key FROM foreshard.plan_restore('shop.orders', test.backup('shop.dump'), jsonb_build_object('plan', :plan_id)) WHERE chosen;

-- A restore is part of its transaction, whatever else that does.
BEGIN;
CREATE TABLE shop.mine (i int);
SELECT rows FROM restore_table('shop.orders', test.backup('shop.dump'), '{"query_log": "off", "shard_count": 2, "shard_key": ["id"]}');
INSERT INTO shop.mine SELECT count(*) FROM shop.orders;
SELECT rows FROM restore_table('shop.items', test.backup('shop.dump'), '{"query_log": "off", "shard_count": 2, "shard_key": ["order_id"]}');
SELECT relation, shard FROM foreshard.shards ORDER BY shard::text;
SAVEPOINT before;
SELECT rows FROM restore_table('shop.events', test.backup('shop.dump'), '{"query_log": "off", "growth": 2}');
ROLLBACK TO before;
SELECT relation FROM foreshard.tables WHERE relation::text LIKE 'shop.%' ORDER BY relation::text;
COMMIT;
SELECT * FROM shop.mine;
SELECT test.differences('original.items', 'shop.items');
DROP TABLE shop.mine, shop.orders, shop.items;

-- Rolled back: nothing is left, neither in the catalog nor in the ledger.
CREATE TABLE test.before AS SELECT * FROM test.traces();
BEGIN;
SELECT rows FROM restore_table('shop.orders', test.backup('shop.dump'), '{"query_log": "off", "shard_count": 2, "shard_key": ["id"]}');
SELECT count(*) > 10 AS many_traces FROM (SELECT * FROM test.traces() EXCEPT SELECT * FROM test.before) t;
ROLLBACK;
SELECT * FROM test.traces() WHERE trace <> 'table test.before' EXCEPT SELECT * FROM test.before;
-- Two-phase commit is not in the way.
BEGIN;
SELECT rows FROM restore_table('shop.orders', test.backup('shop.dump'), '{"query_log": "off", "shard_count": 2, "shard_key": ["id"]}');
PREPARE TRANSACTION 'regress_restore';
COMMIT PREPARED 'regress_restore';
SELECT relation, shard_count FROM foreshard.tables WHERE relation = to_regclass('shop.orders');

-- verify_table takes any table; what is none has nothing to verify.
CREATE TABLE shop.plain (id int, note text);
INSERT INTO shop.plain VALUES (1, 'a'), (2, NULL), (2, NULL);
SELECT shard, node, rows, misplaced_rows, ok FROM foreshard.verify_table('shop.plain');
SELECT test.checksum('shop.plain') = (SELECT test.checksum(t) FROM (VALUES ('original.countries'::regclass)) v(t)) AS same_as_another;
TRUNCATE shop.plain;
SELECT rows, checksum FROM foreshard.verify_table('shop.plain');
SELECT * FROM foreshard.verify_table(NULL);
SELECT * FROM foreshard.verify_table('original.big_orders');
SELECT * FROM foreshard.verify_table('original.lone_seq');
SELECT * FROM foreshard.verify_table('original.orders_pkey');
SELECT * FROM foreshard.verify_table(0);
CREATE TABLE shop.hollow (id int) PARTITION BY HASH (id);
SELECT * FROM foreshard.verify_table('shop.hollow');

-- Without the extension the tables go on working.
DROP EXTENSION foreshard;
SELECT count(*), count(DISTINCT tableoid) FROM shop.orders;
INSERT INTO shop.orders (customer_id, total, placed_at) VALUES (7, 1, '2025-01-01') RETURNING id;
\set ECHO none
DROP SCHEMA test, original, shop CASCADE;
