#!/usr/bin/env bash
# The shape of a table changes while clients write to it: split, merged, moved, a value isolated. Afterwards every row is there once, in its place, equal to
# what the clients wrote into another table with the same transactions, and none of them saw an error.
. "$(dirname -- "$0")/lib.sh"
. "$(dirname -- "$0")/load.sh"

server main --preload pg_stat_statements
sql main "CREATE EXTENSION foreshard"
sql main "CREATE TABLESPACE fast LOCATION '$(tablespace main fast)'"
sql main "SELECT foreshard.add_node('fast', 'fast'); SELECT foreshard.add_node('base', 'pg_default')"
make_orders 20000
hash='{"query_log": "off", "method": "hash", "shard_key": ["id"], "shard_count": 2, "nodes": ["base"]}'

restore_orders "$hash"
begin_load
job=$(sql main "SELECT foreshard.split_shard('orders_s0000')")
check "split" "done" "$(ended_as "$job")"
check "split: the shards" "WITH (2, 1) WITH (4, 0) WITH (4, 2)" "$(shards)"
same "split"
check "split: what was measured of it" t "$(sql main "SELECT attempts > 0 AND longest_lock_ms > 0 AND rows > 0 AND finished_at IS NOT NULL FROM foreshard.jobs WHERE job_id = $job")"

begin_load
job=$(sql main "SELECT foreshard.split_shard('orders_s0001', '{\"parts\": 4, \"nodes\": [\"fast\", \"base\"]}')")
check "split into four" "done" "$(ended_as "$job")"
check "split into four: the shards" "WITH (4, 0) WITH (4, 2) WITH (8, 1) WITH (8, 3) WITH (8, 5) WITH (8, 7)" "$(shards)"
same "split into four"
check "each is on its node, with its indexes" "base||4 fast|fast|2" "$(sql main "SELECT string_agg(format('%s|%s|%s', node, space, n), ' ' ORDER BY node) FROM (
    SELECT node, coalesce(t.spcname, '') AS space, count(DISTINCT s.shard) AS n FROM foreshard.shards s JOIN pg_index i ON i.indrelid = s.shard
    JOIN pg_class c ON c.oid IN (s.shard, i.indexrelid) LEFT JOIN pg_tablespace t ON t.oid = c.reltablespace GROUP BY 1, 2) AS x")"

begin_load
job=$(sql main "SELECT foreshard.merge_shards(array_agg(shard)) FROM foreshard.shards WHERE bound LIKE '%modulus 8%'")
check "merge" "done" "$(ended_as "$job")"
check "merge: the shards" "WITH (2, 1) WITH (4, 0) WITH (4, 2)" "$(shards)"
same "merge"

begin_load
job=$(sql main "SELECT foreshard.move_shard(shard, 'fast') FROM foreshard.shards WHERE bound LIKE '%modulus 2%' AND node = 'base'
    UNION ALL SELECT foreshard.move_shard(shard, 'base') FROM foreshard.shards WHERE bound LIKE '%modulus 2%' AND node = 'fast'")
check "move" "done" "$(ended_as "$job")"
same "move"

begin_load
job=$(sql main "SELECT foreshard.isolate_value('orders', '42')")
check "isolate" "done" "$(ended_as "$job")"
same "isolate"
check "isolate: the value is alone" 1 "$(sql main "SELECT count(*) FROM foreshard.verify_table('orders') WHERE rows = 1")"

# By ranges, cut where half of the rows are, and put together again.
restore_orders '{"query_log": "off", "method": "range", "shard_key": ["id"], "shard_count": 2, "nodes": ["base"], "unique": "per_shard"}'
begin_load
job=$(sql main "SELECT foreshard.split_shard('orders_s0000', '{\"at\": [\"3000\"]}')")
check "split a range" "done" "$(ended_as "$job")"
same "split a range"
begin_load
job=$(sql main "SELECT foreshard.merge_shards(ARRAY['orders_s0002', 'orders_s0003']::regclass[])")
check "merge ranges" "done" "$(ended_as "$job")"
same "merge ranges"

# What there is of the definition is there again.
check "indexes with their settings, checks" "2 CHECK ((customer >= 0))" "$(sql main "
    SELECT (SELECT count(*) FROM pg_class WHERE 'fillfactor=80' = ANY (reloptions) AND relname LIKE 'orders_s%') || ' ' ||
        (SELECT DISTINCT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'c' AND conrelid IN (SELECT shard FROM foreshard.shards))")"
