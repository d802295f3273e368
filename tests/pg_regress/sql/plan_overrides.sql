-- What the config may say about a plan, one field at a time.
\set ECHO none
\getenv tests PG_ABS_SRCDIR
\i :tests/fixtures/helpers.sql
\i :tests/fixtures/shop.sql
CREATE FUNCTION test.choice(target text, config jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', method, nullif(shard_key, '{}'), shard_count) || coalesce(', but: ' || rejected, '')
    FROM foreshard.plan_restore(target, test.backup('shop.dump'), '{"query_log": "test.query_log", "growth": 2}' || config) WHERE chosen
$$;
-- The stored document of a new plan.
CREATE FUNCTION test.document(target text, config jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE made bigint;
BEGIN
    SELECT DISTINCT plan_id INTO STRICT made FROM foreshard.plan_restore(target, test.backup('shop.dump'), '{"query_log": "test.query_log", "growth": 2}' || config);
    RETURN (SELECT p.plan FROM foreshard._plans p WHERE p.id = made);
END $$;
CREATE FUNCTION test.about(target text, config jsonb, path text[]) RETURNS jsonb LANGUAGE sql AS $$
    SELECT test.document(target, config) #> path
$$;
CREATE FUNCTION test.bounds(target text, config jsonb) RETURNS TABLE (name text, direction text, value numeric, decided boolean) LANGUAGE sql AS $$
    SELECT b->>'name', b->>'direction', round((b->>'value')::numeric, 1), b->>'name' = plan #>> '{count,decided_by}'
    FROM test.document(target, config) AS plan, jsonb_array_elements(plan #> '{count,bounds}') AS b
$$;
CREATE FUNCTION test.basis_by_default() RETURNS text LANGUAGE plpgsql AS $$
DECLARE made bigint;
BEGIN
    SELECT DISTINCT plan_id INTO STRICT made FROM foreshard.plan_restore('shop.orders', test.backup('shop.dump'), '{"growth": 2}');
    RETURN (SELECT concat_ws(': ', p.plan->>'basis', p.plan #>> '{layout,key}') FROM foreshard._plans p WHERE p.id = made);
END $$;
CREATE FUNCTION test.placement(config jsonb) RETURNS TABLE (node text, shards bigint) LANGUAGE sql AS $$
    SELECT shard->>'node', count(*) FROM jsonb_array_elements(test.about('shop.orders', '{"shard_count": 8}' || config, '{layout,shards}')) AS shard GROUP BY 1 ORDER BY 1
$$;
\set ECHO all
\pset null -
\pset format unaligned
\pset tuples_only on

-- Nothing said.
SELECT test.choice('shop.orders', '{}');
-- Key, method, count; each alone and together.
SELECT test.choice('shop.orders', '{"shard_key": ["id"]}');
SELECT test.choice('shop.orders', '{"shard_key": ["customer_id", "id"], "shard_count": 6}');
SELECT test.choice('shop.orders', '{"shard_key": ["placed_at"], "method": "range", "shard_count": 5}');
SELECT test.choice('shop.orders', '{"shard_key": ["status"], "method": "list", "shard_count": 3}');
SELECT test.choice('shop.orders', '{"method": "hash"}');
SELECT test.choice('shop.orders', '{"method": "range"}');
SELECT test.choice('shop.orders', '{"method": "list"}');
SELECT test.choice('shop.orders', '{"method": "none"}');
SELECT test.choice('shop.orders', '{"method": "reference"}');
SELECT test.choice('shop.orders', '{"method": "none", "shard_count": 1}');
SELECT test.choice('shop.orders', '{"shard_count": 7}');
SELECT test.choice('shop.orders', '{"shard_count": 1}');
SELECT test.choice('shop.countries', '{"shard_key": ["code"], "method": "hash", "shard_count": 4}');
SELECT test.choice('shop.orders', '{"shard_key": ["note"], "method": "hash", "shard_count": 4}');

-- Nodes, in the order given, and what is placed on them.
SELECT foreshard.add_node('a'), foreshard.add_node('b', capacity => 3), foreshard.add_node('c', zone => 'z');
SELECT * FROM test.placement('{}');
SELECT * FROM test.placement('{"nodes": ["b", "a"]}');
SELECT foreshard.alter_node('b', active => false);
SELECT * FROM test.placement('{}');
SELECT * FROM test.placement('{"nodes": ["default"]}');
SELECT foreshard.remove_node('a'), foreshard.remove_node('b'), foreshard.remove_node('c');

-- Unique constraints without the key.
SELECT test.choice('shop.orders', '{"shard_key": ["customer_id"], "unique": "widen"}');
SELECT jsonb_pretty(test.about('shop.orders', '{"shard_key": ["customer_id"], "unique": "widen"}', '{notes}'));
SELECT jsonb_path_query(test.about('shop.orders', '{"shard_key": ["customer_id"], "unique": "per_shard"}', '{notes}'), '$[*] ? (@.kind == "constraint").what');
-- Refused: the choice is one that keeps them.
SELECT test.choice('shop.orders', '{"unique": "refuse"}');
SELECT test.about('shop.orders', '{"unique": "refuse"}', '{notes}') @? '$[*] ? (@.kind == "constraint")' AS constraint_lost;
SELECT test.refused('shop.orders', 'shop.dump', '{"query_log": "off", "shard_key": ["customer_id"], "unique": "refuse"}');
SELECT test.refused('shop.customers', 'shop.dump', '{"method": "hash", "unique": "refuse", "query_log": "off"}');

-- The workload: declared, filtered, or absent.
SELECT test.about('shop.events', '{}', '{workload}'), test.about('shop.events', '{"workload": "oltp"}', '{workload}'), test.about('shop.events', '{"workload": "olap"}', '{workload}'), test.about('shop.events', '{"workload": "mixed"}', '{workload}');
SELECT test.choice('shop.orders', '{"workload": "olap"}');
SELECT test.about('shop.orders', '{}', '{coverage}');
SELECT test.about('shop.orders', '{"min_calls": 100}', '{coverage}');
SELECT test.about('shop.orders', '{"min_calls": 1e300}', '{coverage}');
SELECT test.choice('shop.orders', '{"query_log": "off"}');
SELECT test.about('shop.orders', '{"query_log": "off"}', '{basis}');
SELECT test.choice('shop.orders', '{"query_log": "off", "profile": "off"}');
SELECT test.about('shop.orders', '{"query_log": "off", "profile": "off"}', '{rows}'), test.about('shop.orders', '{}', '{rows}');
SELECT test.choice('shop.orders', '{"profile": "off"}');

-- The count and the bounds that it is decided by.
SELECT * FROM test.bounds('shop.orders', '{}');
SELECT * FROM test.bounds('shop.orders', '{"target_shard_size": "1MB"}');
SELECT test.choice('shop.orders', '{"target_shard_size": "1MB", "growth": 10}');
SELECT test.choice('shop.orders', '{"target_shard_size": 1048576, "growth": 0.001}');
SELECT test.choice('shop.orders', '{"throughput": 100000}');
-- More clients than a node bears: a shard for each node that they take, and the same key.
SELECT test.choice('shop.orders', '{"concurrency": 1000}');
SELECT * FROM test.bounds('shop.orders', '{"throughput": 100000, "concurrency": 1000}');

-- A log that does not touch the table says so.
CREATE TABLE test.other_log AS SELECT queryid, replace(query, 'orders', 'orders_2023') AS query, calls, total_exec_time, rows FROM test.query_log WHERE query LIKE '%orders%';
SELECT test.about('shop.orders', '{"query_log": "test.other_log"}', '{basis}');
-- pg_stat_statements of older versions calls the time total_time, and a copy may lack queryid and rows.
CREATE TABLE test.old_log AS SELECT query, calls, total_exec_time AS total_time FROM test.query_log;
SELECT test.choice('shop.orders', '{"query_log": "test.old_log"}');
-- A log of rubbish does not stop anything; it says how little was understood.
CREATE TABLE test.rubbish (queryid numeric, query varchar, calls int, total_exec_time numeric, rows int);
INSERT INTO test.rubbish VALUES (1, NULL, 1, 1, 1), (NULL, 'SELECT', NULL, NULL, NULL), (3, '', 5, 'NaN', 5), (4, 'SELECT * FROM "shop".orders WHERE customer_id = $1', -5, -5, -5),
    (5, repeat('(', 100000), 5, 5, 5), (6, 'SELECT * FROM shop.orders; DROP TABLE test.rubbish', 5, 5, 5), (7, '<insufficient privilege>', 9, 9, 9);
SELECT test.about('shop.orders', '{"query_log": "test.rubbish"}', '{coverage}');
SELECT count(*) FROM test.rubbish;

-- The live pg_stat_statements, which shows what other databases do as well.
CREATE EXTENSION pg_stat_statements SCHEMA test;
SELECT test.pg_stat_statements_reset() IS NULL;
SET search_path = original;
SELECT count(*) FROM orders WHERE customer_id = 7;
SELECT total FROM original.orders WHERE customer_id = 7 AND id = 8;
RESET search_path;
SELECT test.basis_by_default();
SELECT test.pg_stat_statements_reset() IS NULL;
DROP EXTENSION pg_stat_statements;
-- Without it: a notice, and the fallback.
SELECT test.basis_by_default();

\set ECHO none
SET client_min_messages = warning;
DROP EXTENSION foreshard;
DROP SCHEMA test, original, shop CASCADE;
