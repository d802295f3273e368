-- Where shards go: near the applications that use them, where they are pinned, around what is excluded.
\set ECHO none
\getenv tests PG_ABS_SRCDIR
\i :tests/fixtures/helpers.sql
SET allow_in_place_tablespaces = on;
SET client_min_messages = warning;
CREATE TABLESPACE regress_fast LOCATION '';
CREATE TABLESPACE regress_large LOCATION '';
CREATE SCHEMA original;
CREATE SCHEMA shop;
CREATE TABLE shop.sales (id bigint PRIMARY KEY, country text NOT NULL, customer bigint NOT NULL, note text);
INSERT INTO shop.sales SELECT n, (ARRAY['at', 'de', 'es', 'fr', 'it', 'us'])[n % 6 + 1], n % 500, repeat('x', 50) FROM generate_series(1, 6000) n;
\! pg_dump -Fc -t shop.sales -f $FORESHARD_BACKUPS/sales.dump
DROP TABLE shop.sales;
SELECT foreshard.add_node('a', tablespace => 'regress_fast', zone => 'north', serves => '{shop-eu}');
SELECT foreshard.add_node('b', tablespace => 'regress_large', zone => 'south', serves => '{shop-us,reports}');
-- A plan by these keys, with more to its config.
CREATE FUNCTION test.planned(config jsonb, OUT plan_id bigint) LANGUAGE sql AS $$
    SELECT max(p.plan_id) FROM foreshard.plan_restore('shop.sales', test.backup('sales.dump'), '{"query_log": "off"}'::jsonb || config) p $$;
-- What it says of the nodes.
CREATE FUNCTION test.nodes(plan bigint) RETURNS TABLE (node text, shards int, share numeric, load numeric, capacity numeric, serves jsonb) LANGUAGE sql AS $$
    SELECT n ->> 'node', (n -> 'shards')::int, (n -> 'share')::numeric, (n -> 'load')::numeric, (n -> 'capacity')::numeric, n -> 'serves'
    FROM foreshard._plans p, jsonb_array_elements(p.plan #> '{placement,nodes}') n WHERE p.id = $1 ORDER BY 1 $$;
\set ECHO all
\set list '{"shard_key": ["country"], "method": "list", "shard_count": 7}'
\set hash '{"shard_key": ["customer"], "method": "hash", "shard_count": 8}'

SELECT plan_id FROM test.planned(:'hash') \gset
SELECT * FROM test.nodes(:plan_id);
SELECT plan #> '{placement,evenness}' AS evenness, plan #> '{placement,lower_bound}' AS lower_bound, plan #> '{placement,near}' AS near,
       (plan #> '{placement,bytes}')::bigint > 600000 AS bytes, plan #>> '{placement,because}' AS because
FROM foreshard._plans WHERE id = :plan_id;
SELECT line FROM regexp_split_to_table(foreshard.explain(:plan_id), '\n') AS line WHERE line ~ 'Nodes|Balance';

-- Applications and what they use: by list, and by hash as rows are routed.
SELECT plan_id FROM test.planned(:'list'::jsonb || '{"affinity": [{"application": "shop-eu", "values": ["de", "fr"]}, {"application": "shop-us", "values": ["us"]}]}') \gset
SELECT * FROM test.nodes(:plan_id);
SELECT line FROM regexp_split_to_table(foreshard.explain(:plan_id), '\n') AS line WHERE line ~ 'Balance|near';
SELECT shard_count, rows FROM restore_table('shop.sales', test.backup('sales.dump'), jsonb_build_object('plan', :plan_id));
SELECT node, bound FROM foreshard.shards WHERE bound ~ 'de|fr|us' ORDER BY bound;
SELECT bool_and(ok) FROM foreshard.verify_table('shop.sales');
DROP TABLE shop.sales;
SELECT shard_count FROM restore_table('shop.sales', test.backup('sales.dump'), '{"query_log": "off"}'::jsonb || :'hash' ||
    '{"affinity": [{"application": "reports", "values": [7], "share": 0.5}], "pin": [{"values": [8, "9"], "nodes": ["a"]}]}');
SELECT DISTINCT customer, node FROM shop.sales s JOIN foreshard.shards h ON h.shard = s.tableoid::regclass WHERE customer IN (7, 8, 9) ORDER BY 1;
DROP TABLE shop.sales;

-- Nodes that take nothing of it.
SELECT plan_id FROM test.planned(:'hash'::jsonb || '{"exclude_nodes": ["a"]}') \gset
SELECT node, shards FROM test.nodes(:plan_id);

\pset format unaligned
\pset tuples_only on
-- What is refused, before anything is there.
SELECT test.refused('shop.sales', 'sales.dump', :'hash'::jsonb || '{"affinity": [{"application": "nobody"}]}');
SELECT test.refused('shop.sales', 'sales.dump', :'hash'::jsonb || '{"pin": [{"values": ["x"], "nodes": ["a"]}]}');
SELECT test.refused('shop.sales', 'sales.dump', :'hash'::jsonb || '{"pin": [{"values": [1], "nodes": ["a", "c"]}]}');
SELECT test.refused('shop.sales', 'sales.dump', :'list'::jsonb || '{"pin": [{"values": ["de"], "nodes": ["a"]}, {"values": ["de"], "nodes": ["b"]}]}');
SELECT test.refused('shop.sales', 'sales.dump', '{"query_log": "off", "method": "none", "pin": [{"values": ["de"], "nodes": ["a"]}]}');
SELECT test.refused('shop.sales', 'sales.dump', :'hash'::jsonb || '{"exclude_nodes": ["a", "b"]}');
SELECT test.refused('shop.sales', 'sales.dump', :'hash'::jsonb || '{"exclude_nodes": ["a", "z"], "nodes": ["b", "y"]}');
SELECT test.refused('shop.sales', 'sales.dump', :'hash'::jsonb || '{"replicas": 1}');
SELECT test.refused('shop.sales', 'sales.dump', :'hash'::jsonb || '{"replicas": 2}');
SELECT test.refused('shop.sales', 'sales.dump', '{"replicas": 99, "pin": [{}], "affinity": [{"application": "", "share": 2, "values": []}]}');
SELECT test.refused('shop.sales', 'sales.dump', '{"pin": [{"values": [[1]], "nodes": ["a"]}], "affinity": "x"}');

-- What a wish cannot be followed for is in the notes.
SELECT plan_id FROM test.planned(:'hash'::jsonb || '{"affinity": [{"application": "shop-eu", "values": ["x", 1]}]}') \gset
SELECT plan #> '{notes,0}' FROM foreshard._plans WHERE id = :plan_id;

\set ECHO none
SET client_min_messages = warning;
DROP EXTENSION foreshard;
DROP SCHEMA test, original, shop CASCADE;
DROP TABLESPACE regress_fast;
DROP TABLESPACE regress_large;
