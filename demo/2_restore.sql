CREATE EXTENSION foreshard;

\echo
CREATE TABLESPACE fast LOCATION :'fast';
CREATE TABLESPACE large LOCATION :'large';
SELECT foreshard.add_node('a', tablespace => 'fast');
SELECT foreshard.add_node('b', tablespace => 'large');

\echo '-- What would be done, and what else was considered? This changes nothing.'
\pset format wrapped
\pset columns 120
SELECT rank, chosen, method, shard_key, shard_count, round(cost::numeric, 3) AS cost, because
FROM foreshard.plan_restore('public.order_line', :'backup', '{"query_log": "ops.query_log"}')
ORDER BY rank LIMIT 4;

\set ECHO none
SELECT DISTINCT plan_id FROM foreshard.plan_restore('public.order_line', :'backup', '{"query_log": "ops.query_log"}') \gset
\set ECHO queries
\pset format unaligned
\pset tuples_only on
SELECT foreshard.explain(:plan_id);
\pset format wrapped
\pset tuples_only off

\echo
\echo '-- The restore itself, by exactly that plan.'
SELECT relation, method, shard_key, shard_count, rows, round(seconds::numeric, 1) AS seconds, jsonb_pretty(notes) AS notes
FROM restore_table('public.order_line', :'backup', jsonb_build_object('plan', :plan_id));

SELECT shard, node, bound, rows, pg_size_pretty(bytes) AS size FROM foreshard.shards;

\echo '-- Is every row where it belongs?'
SELECT count(*) AS shards, sum(rows) AS rows, sum(misplaced_rows) AS misplaced, bool_and(ok) AS ok
FROM foreshard.verify_table('public.order_line');

\echo '-- The other eight tables of the backup: which key would each get?'
SELECT name, method, shard_key, shard_count, because
FROM unnest('{warehouse,district,customer,history,orders,new_order,item,stock}'::text[]) AS name,
     foreshard.plan_restore('public.' || name, :'backup', '{"query_log": "ops.query_log"}')
WHERE chosen
ORDER BY array_position('{warehouse,district,customer,history,orders,new_order,item,stock}', name);
