#!/usr/bin/env bash
# What a plan predicts, met: the statements of the real workload replayed on a sharded sample of its backup, for every table,
# under the plan's choice and under its runner-up.
. "$(dirname -- "$0")/lib.sh"
. "$(dirname -- "$0")/shop.sh"
sql main "CREATE TABLE found (target text, mode text, chosen boolean, method text, shard_key text[], shard_count int, statement bigint,
          query text, share float8, predicted text, predicted_shards float8, shards float8, ms float8, not_replayed text)" new
for table in $tables; do
    plan=$(sql main "SELECT plan_id FROM foreshard.plan_restore('public.$table', '$backup', '{\"query_log\": \"public.query_log\", \"growth\": 2}') WHERE chosen" new)
    for mode in run explain; do
        sql main "INSERT INTO found
                  SELECT '$table', '$mode', (r.method, r.shard_key) = (p.method, p.shard_key), r.method, r.shard_key, r.shard_count, statement,
                         query, calls_share, predicted, predicted_shards, shards, latency_ms, not_replayed
                  FROM foreshard.plans p, foreshard.replay($plan, '{\"mode\": \"$mode\"}') r WHERE p.plan_id = $plan" new
    done
done

check "every statement of the log is replayed" "" "$(sql main "SELECT target, query, not_replayed FROM found WHERE not_replayed IS NOT NULL" new)"
check "each table with its choice, some with a runner-up by another key" "\
customer|t|t
district|t|f
history|t|t
item|f|f
new_order|t|f
order_line|t|t
orders|t|f
stock|t|t
warehouse|t|f" "$(sql main "
    SELECT target, bool_or(chosen AND shard_key <> '{}'), bool_or(NOT chosen AND shard_key <> '{}') FROM found GROUP BY target ORDER BY target" new)"
check "what is predicted to stay on one shard does, under every key" "0" "$(sql main "
    SELECT count(*) FROM found WHERE predicted = 'single' AND shards <> 1" new)"
check "what is predicted to go to all shards has all of them in its plan, under every key" "0" "$(sql main "
    SELECT count(*) FROM found WHERE predicted = 'scatter' AND shards <> shard_count AND mode = 'explain'" new)"
# A join that looks up one row after the other leaves out the shards that none of them is in.
check "and goes there, but for a join that finds its rows in fewer" "0" "$(sql main "
    SELECT count(*) FROM found WHERE predicted = 'scatter' AND mode = 'run'
      AND NOT CASE WHEN query LIKE '%FROM order_line, stock%' AND target = 'stock' THEN shards > 1 AND shards <= shard_count
                   ELSE shards = shard_count END" new)"
check "of both there are enough to tell" "t|t" "$(sql main "
    SELECT count(*) FILTER (WHERE predicted = 'single') > 20, count(*) FILTER (WHERE predicted = 'scatter') > 3 FROM found WHERE mode = 'run'" new)"
check "a row that is inserted goes to one shard" "t|1|1" "$(sql main "
    SELECT count(*) > 5, min(shards), max(shards) FROM found WHERE query LIKE 'INSERT%' AND mode = 'run'" new)"
check "a plain table is one" "t|1|1" "$(sql main "SELECT count(*) > 5, min(shards), max(shards) FROM found WHERE method = 'none' AND mode = 'run'" new)"
check "nothing has stayed" "0" "$(sql main "SELECT count(*) FROM pg_class WHERE relname LIKE 'foreshard_replay%'" new)"
sql main "SELECT target, CASE WHEN chosen THEN 'choice' ELSE 'other' END, method, shard_key, round(sum(share * predicted_shards)::numeric, 2) AS predicted,
                 round((sum(share * shards) FILTER (WHERE predicted IS NOT NULL))::numeric, 2) AS measured, round(sum(share * ms)::numeric, 3) AS ms
          FROM found WHERE mode = 'run' GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3" new
