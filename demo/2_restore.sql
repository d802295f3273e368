CREATE EXTENSION foreshard;

\echo
CREATE TABLESPACE fast LOCATION :'fast';
CREATE TABLESPACE large LOCATION :'large';
SELECT foreshard.add_node('a', tablespace => 'fast');
SELECT foreshard.add_node('b', tablespace => 'large');

\echo '-- What would be done, and what else was considered? This changes nothing but the list of plans.'
SELECT rank, chosen, method, shard_key, shard_count, round(cost::numeric, 2) AS cost, plan_id
FROM foreshard.plan_restore('public.order_line', :'backup', '{"query_log": "ops.query_log"}')
ORDER BY rank LIMIT 5;

\set ECHO none
SELECT max(plan_id) AS plan_id FROM foreshard.plans \gset
\set ECHO queries
\pset tuples_only on
\pset format unaligned
\echo
SELECT foreshard.explain(:plan_id);
\pset tuples_only off
\pset format aligned

\echo
\echo '-- The restore itself, by exactly that plan.'
SELECT relation, method, shard_key, shard_count, rows, round(seconds::numeric, 1) AS seconds, jsonb_array_length(notes) AS notes
FROM restore_table('public.order_line', :'backup', jsonb_build_object('plan', :plan_id));

SELECT shard, node, bound, rows, pg_size_pretty(bytes) AS size FROM foreshard.shards;

\echo '-- Is every row where it belongs?'
SELECT count(*) AS shards, sum(rows) AS rows, sum(misplaced_rows) AS misplaced, bool_and(ok) AS ok
FROM foreshard.verify_table('public.order_line');

\echo '-- The other eight tables of the backup: which key would each get?'
SELECT name, method, shard_key, shard_count, round(cost::numeric, 2) AS cost
FROM unnest('{warehouse,district,customer,history,orders,new_order,item,stock}'::text[]) AS name,
     foreshard.plan_restore('public.' || name, :'backup', '{"query_log": "ops.query_log"}')
WHERE chosen
ORDER BY array_position('{warehouse,district,customer,history,orders,new_order,item,stock}', name);

\echo '-- Why is item not sharded?'
\pset tuples_only on
\pset format unaligned
SELECT foreshard.explain(plan_id) FROM foreshard.plans WHERE target = 'public.item';
