-- Who may do what: nothing for PUBLIC, reading files only with pg_read_server_files, and no more rights than the caller's.
\set ECHO none
\getenv tests PG_ABS_SRCDIR
\i :tests/fixtures/helpers.sql
\i :tests/fixtures/shop.sql
SET client_min_messages = warning;
CREATE ROLE regress_nobody;
CREATE ROLE regress_restorer;
CREATE ROLE regress_watcher IN ROLE pg_monitor;
GRANT USAGE ON SCHEMA test TO PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA test TO PUBLIC;
-- Traces are looked at with the rights of the test, not of the role.
ALTER FUNCTION test.traces() SECURITY DEFINER;
\set ECHO all
\pset format unaligned
\pset tuples_only on
\set config '{"query_log": "off", "no_owner": true, "no_privileges": true, "shard_key": ["id"], "shard_count": 2}'

-- Without any right.
SET ROLE regress_nobody;
SELECT test.fails($$SELECT restore_table('shop.orders', test.backup('shop.dump'))$$);
SELECT test.fails($$SELECT foreshard.plan_restore('shop.orders', test.backup('shop.dump'))$$);
SELECT test.fails($$SELECT foreshard.explain(1)$$);
SELECT test.fails($$SELECT foreshard.verify_table('pg_class')$$);
SELECT test.fails($$SELECT foreshard.add_node('x')$$);
SELECT test.fails($$SELECT foreshard.calibrate('x')$$);
SELECT test.fails($$SELECT foreshard.forecast('pg_class')$$);
SELECT test.fails($$SELECT * FROM foreshard.nodes$$);
RESET ROLE;

-- What a watcher sees: the views, not the plans, which hold values of the data.
SET ROLE regress_watcher;
SELECT count(*) FROM foreshard.nodes;
SELECT count(*) FROM foreshard.jobs;
SELECT count(*) FROM foreshard.tables;
SELECT count(*) FROM foreshard.shards;
SELECT test.fails($$SELECT * FROM foreshard.plans$$);
SELECT test.fails($$SELECT * FROM foreshard._plans$$);
SELECT test.fails($$SELECT foreshard.explain(1)$$);
SELECT test.fails($$SELECT foreshard.remove_node('x')$$);
SELECT test.fails($$SELECT foreshard.calibrate('x')$$);
SELECT test.fails($$SELECT * FROM foreshard._calibrations$$);
RESET ROLE;

-- One right after the other; each error names the next.
GRANT EXECUTE ON FUNCTION restore_table TO regress_restorer;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA foreshard TO regress_restorer;
SET ROLE regress_restorer;
SELECT test.fails(format('SELECT restore_table(%L, test.backup(%L), %L)', 'shop.orders', 'shop.dump', :'config'));
RESET ROLE;
GRANT USAGE ON SCHEMA foreshard TO regress_restorer;
SET ROLE regress_restorer;
SELECT test.fails(format('SELECT restore_table(%L, test.backup(%L), %L)', 'shop.orders', 'shop.dump', :'config'));
RESET ROLE;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA foreshard TO regress_restorer;
SET ROLE regress_restorer;
SELECT test.fails(format('SELECT restore_table(%L, test.backup(%L), %L)', 'shop.orders', 'shop.dump', :'config'));
-- A file that is not there cannot be told from one that is.
SELECT test.fails(format('SELECT restore_table(%L, test.backup(%L), %L)', 'shop.orders', 'missing.dump', :'config'));
RESET ROLE;
GRANT pg_read_server_files TO regress_restorer;
SET ROLE regress_restorer;
SELECT test.fails(format('SELECT restore_table(%L, test.backup(%L), %L)', 'shop.orders', 'shop.dump', :'config'));
RESET ROLE;
GRANT USAGE, CREATE ON SCHEMA shop TO regress_restorer;
SET ROLE regress_restorer;
-- The query log is read with the caller's rights.
SELECT test.fails(format('SELECT restore_table(%L, test.backup(%L), %L)', 'shop.orders', 'shop.dump', :'config'::jsonb || '{"query_log": "test.query_log"}'));
-- So is the table that a file of rows is like.
SELECT test.fails(format('SELECT restore_table(%L, test.backup(%L), %L)', 'shop.orders', 'shop.dump', '{"query_log": "off", "format": "csv", "like": "original.orders"}'));
-- Only a superuser says which program reads archives.
SET foreshard.pg_restore = '/bin/true';
SELECT relation, rows, shard_count FROM restore_table('shop.orders', test.backup('shop.dump'), :'config');
SELECT bool_and(ok), sum(rows) FROM foreshard.verify_table('shop.orders');
RESET ROLE;
SELECT relname, relowner::regrole FROM pg_class WHERE relname LIKE 'orders%' AND relnamespace = 'shop'::regnamespace AND relkind IN ('r', 'p', 'S') ORDER BY relname;
SELECT target, started_by FROM foreshard.jobs;
-- The owner that the backup names must be one that the caller may give it to.
SET ROLE regress_restorer;
SELECT replace(test.fails(format('SELECT restore_table(%L, test.backup(%L), %L)', 'shop.items', 'shop.dump', '{"query_log": "off"}')), :'USER', 'SUPERUSER');
RESET ROLE;
-- Rows of others are not read by verifying them.
SET ROLE regress_watcher;
SELECT test.fails($$SELECT foreshard.verify_table('shop.orders')$$);
RESET ROLE;
GRANT EXECUTE ON FUNCTION foreshard.verify_table TO regress_nobody;
GRANT USAGE ON SCHEMA foreshard, shop TO regress_nobody;
GRANT SELECT ON foreshard._shards TO regress_nobody;
SET ROLE regress_nobody;
SELECT test.fails($$SELECT foreshard.verify_table('shop.orders')$$);
RESET ROLE;

\set ECHO none
DROP EXTENSION foreshard;
DROP SCHEMA test, original, shop CASCADE;
DROP OWNED BY regress_nobody, regress_restorer, regress_watcher;
DROP ROLE regress_nobody, regress_restorer, regress_watcher;
