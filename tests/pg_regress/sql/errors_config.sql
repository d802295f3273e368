-- What is refused of the config, of the names, and of what stands in the way here: SQLSTATE, message, DETAIL and HINT.
\set ECHO none
\getenv tests PG_ABS_SRCDIR
\i :tests/fixtures/helpers.sql
\i :tests/fixtures/shop.sql
SET client_min_messages = warning;
\set ECHO all
\pset format unaligned
\pset tuples_only on

-- Unknown fields, wrong types, wrong values.
SELECT test.refused('shop.orders', 'shop.dump', '{"shard_cuont": 4}');
SELECT test.refused('shop.orders', 'shop.dump', '{"": 1}');
SELECT test.refused('shop.orders', 'shop.dump', '[]');
SELECT test.refused('shop.orders', 'shop.dump', '"shard_count"');
SELECT test.refused('shop.orders', 'shop.dump', 'null');
SELECT test.refused('shop.orders', 'shop.dump', '3');
SELECT test.refused('shop.orders', 'shop.dump', 'true');
SELECT test.refused('shop.orders', 'shop.dump', '{"shard_count": "four"}');
SELECT test.refused('shop.orders', 'shop.dump', '{"shard_count": 4.5}');
SELECT test.refused('shop.orders', 'shop.dump', '{"shard_count": -1}');
SELECT test.refused('shop.orders', 'shop.dump', '{"shard_count": 0}');
SELECT test.refused('shop.orders', 'shop.dump', '{"shard_count": 4097}');
SELECT test.refused('shop.orders', 'shop.dump', '{"shard_count": 1e99}');
SELECT test.refused('shop.orders', 'shop.dump', '{"method": "round-robin"}');
SELECT test.refused('shop.orders', 'shop.dump', '{"method": ["hash"]}');
SELECT test.refused('shop.orders', 'shop.dump', '{"shard_key": "id"}');
SELECT test.refused('shop.orders', 'shop.dump', '{"shard_key": []}');
SELECT test.refused('shop.orders', 'shop.dump', '{"shard_key": [1]}');
SELECT test.refused('shop.orders', 'shop.dump', '{"shard_key": ["id", null]}');
SELECT test.refused('shop.orders', 'shop.dump', jsonb_build_object('shard_key', array_fill('id'::text, '{33}')));
SELECT test.refused('shop.orders', 'shop.dump', '{"nodes": []}');
SELECT test.refused('shop.orders', 'shop.dump', '{"nodes": ["nowhere"]}');
SELECT test.refused('shop.orders', 'shop.dump', '{"target_shard_size": "10 bananas"}');
SELECT test.refused('shop.orders', 'shop.dump', '{"target_shard_size": 10}');
SELECT test.refused('shop.orders', 'shop.dump', '{"target_shard_size": "99999999999999TB"}');
SELECT test.refused('shop.orders', 'shop.dump', '{"target_shard_size": true}');
SELECT test.refused('shop.orders', 'shop.dump', '{"growth": 0}');
SELECT test.refused('shop.orders', 'shop.dump', '{"growth": "fast"}');
SELECT test.refused('shop.orders', 'shop.dump', '{"throughput": -5}');
SELECT test.refused('shop.orders', 'shop.dump', '{"concurrency": 0}');
SELECT test.refused('shop.orders', 'shop.dump', '{"min_calls": -1}');
SELECT test.refused('shop.orders', 'shop.dump', '{"unique": "maybe"}');
SELECT test.refused('shop.orders', 'shop.dump', '{"workload": "busy"}');
SELECT test.refused('shop.orders', 'shop.dump', '{"profile": true}');
SELECT test.refused('shop.orders', 'shop.dump', '{"verify": "maybe"}');
SELECT test.refused('shop.orders', 'shop.dump', '{"format": "zip"}');
SELECT test.refused('shop.orders', 'shop.dump', '{"no_owner": "yes"}');
SELECT test.refused('shop.orders', 'shop.dump', '{"copy": {"separator": ";"}}');
SELECT test.refused('shop.orders', 'shop.dump', '{"copy": true}');
SELECT test.refused('shop.orders', 'shop.dump', '{"plan": "the best"}');
SELECT test.refused('shop.orders', 'shop.dump', '{"plan": 0}');
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": 7}');
-- Several problems are told at once.
SELECT test.refused('shop.orders', 'shop.dump', '{"shard_cuont": 4, "method": 1, "growth": 2, "nodes": "a"}');
SELECT test.refused('shop.orders', 'shop.dump', '{"shard_count": 0, "growth": 0, "nodes": []}');
SELECT test.refused('a.b.c', 'shop.dump', '{"shard_cuont": 4}');
SELECT test.refused('nowhere.orders', '$relative.dump', '{"nodes": ["x", "y"], "query_log": "nowhere.log"}');
-- What contradicts itself.
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": "off", "method": "none", "shard_key": ["id"]}');
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": "off", "method": "reference", "shard_count": 4}');
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": "off", "like": "original.orders"}');
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": "off", "format": "plain"}');
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": "off", "format": "csv"}');
SELECT test.refused('shop.orders', 'shop.sql', '{"query_log": "off", "format": "csv", "like": "original.nothing"}');
SELECT test.refused('shop.orders', 'shop.sql', '{"query_log": "off", "format": "csv", "like": "original.big_orders"}');

-- What becomes of a failure.
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": "off", "on_failure": "wait"}');
SELECT test.refused('shop.orders', 'shop.dump', '{"resume": "all"}');
SELECT test.refused('shop.orders', 'shop.dump', '{"resume": 1, "plan": 1, "query_log": "off"}');
SELECT test.refused('shop.orders', 'shop.dump', '{"resume": 99999}');

-- The key: no such column, no such method for it, named twice, too few values.
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": "off", "shard_key": ["Customer_ID", "id", "total_"]}');
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": "off", "shard_key": ["id", "id"]}');
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": "off", "shard_key": ["id", "customer_id"], "method": "range"}');
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": "off", "shard_key": ["id", "customer_id"], "method": "list"}');
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": "off", "shard_key": ["status"], "method": "list", "shard_count": 9}');
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": "off", "shard_key": ["status"], "method": "range", "shard_count": 9}');
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": "off", "shard_key": ["note"], "method": "range"}');
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": "off", "profile": "off", "shard_key": ["id"], "method": "range"}');

-- The target: no name, not here, taken.
SELECT test.refused('', 'shop.dump', '{"query_log": "off"}');
SELECT test.refused('shop.', 'shop.dump', '{"query_log": "off"}');
SELECT test.refused('shop."orders', 'shop.dump', '{"query_log": "off"}');
SELECT test.refused('shop.or ders', 'shop.dump', '{"query_log": "off"}');
SELECT test.refused('db.shop.orders', 'shop.dump', '{"query_log": "off"}');
SELECT test.refused('nowhere.orders', 'shop.dump', '{"query_log": "off", "source": "shop.orders"}');
SELECT test.refused('original.orders', 'shop.dump', '{"query_log": "off", "source": "shop.orders"}');
SELECT test.refused('original.big_orders', 'shop.dump', '{"query_log": "off", "source": "shop.orders"}');
SELECT test.refused('original.lone_seq', 'shop.dump', '{"query_log": "off", "source": "shop.orders"}');
SELECT test.refused('original.orders_pkey', 'shop.dump', '{"query_log": "off", "source": "shop.orders"}');
CREATE TYPE shop.orders AS (a int);
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": "off"}');
DROP TYPE shop.orders;
CREATE DOMAIN shop.orders AS int;
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": "off"}');
DROP DOMAIN shop.orders;
SELECT test.refused('pg_catalog.orders', 'shop.dump', '{"query_log": "off", "source": "shop.orders"}');
-- Names of its indexes and shards that are taken.
CREATE TABLE shop.orders_pkey (i int);
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": "off"}');
DROP TABLE shop.orders_pkey;
CREATE TABLE shop.orders_s0001 (i int);
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": "off", "shard_key": ["id"], "shard_count": 2}');
DROP TABLE shop.orders_s0001;
CREATE SEQUENCE shop.orders_id_seq;
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": "off", "shard_key": ["id"], "shard_count": 2}');
DROP SEQUENCE shop.orders_id_seq;
-- No schema to create in.
SET search_path = '';
SELECT test.fails($$SELECT public.restore_table('orders', test.backup('shop.dump'), '{"query_log": "off"}')$$);
RESET search_path;

-- The table in the backup.
SELECT test.refused('shop.order', 'shop.dump', '{"query_log": "off"}');
SELECT test.refused('public.orders', 'shop.dump', '{"query_log": "off"}');
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": "off", "source": "shop.\"Orders\""}');
SELECT test.refused('shop.big_orders', 'shop.dump', '{"query_log": "off"}');
SELECT test.refused('shop.lone_seq', 'shop.dump', '{"query_log": "off"}');
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": "off", "source": "shop.orders_id_seq"}');
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": "off", "source": "shop.orders_pkey"}');
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": "off", "source": ""}');

-- The query log.
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": "test.no_such_log"}');
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": "original.orders"}');
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": "not a name"}');
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": ""}');
CREATE TABLE test.wrong_log (query int, calls text, total_exec_time text);
INSERT INTO test.wrong_log VALUES (1, 'many', 'long');
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": "test.wrong_log"}');
CREATE VIEW test.broken_log AS SELECT 'SELECT 1' AS query, 1 AS calls, 1 / (random() * 0)::int AS total_exec_time;
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": "test.broken_log"}');
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": "original.orders_pkey"}');

-- The plan: of another table, on nodes that are gone.
SELECT foreshard.add_node('a');
SELECT DISTINCT plan_id FROM foreshard.plan_restore('shop.orders', test.backup('shop.dump'), '{"query_log": "off", "shard_key": ["id"], "shard_count": 2}') \gset
SELECT test.refused('shop.items', 'shop.dump', jsonb_build_object('plan', :plan_id));
SELECT foreshard.alter_node('a', active => false);
SELECT test.refused('shop.orders', 'shop.dump', jsonb_build_object('plan', :plan_id));
SELECT foreshard.remove_node('a');
SELECT test.refused('shop.orders', 'shop.dump', jsonb_build_object('plan', :plan_id));
SELECT test.refused('shop.orders', 'shop.dump', jsonb_build_object('plan', :plan_id, 'nodes', '{a}'::text[]));

-- What must be said, and what need not be: no config is an empty one.
SELECT test.fails($$SELECT restore_table(NULL, test.backup('shop.dump'))$$);
SELECT test.fails($$SELECT restore_table('shop.orders', NULL)$$);
SELECT test.fails($$SELECT foreshard.plan_restore(NULL, NULL, NULL)$$);
SELECT test.fails($$SELECT restore_table('shop.orders', test.backup('absent.dump'), NULL)$$);
SELECT count(*) > 0 AS planned FROM foreshard.plan_restore('shop.orders', test.backup('shop.dump'), NULL);

-- After all of this, the same session restores as ever.
SELECT method, shard_count, rows FROM restore_table('shop.orders', test.backup('shop.dump'), '{"query_log": "test.query_log", "growth": 2}');
SELECT test.differences('original.orders', 'shop.orders');
\set ECHO none
DROP EXTENSION foreshard;
DROP SCHEMA test, original, shop CASCADE;
