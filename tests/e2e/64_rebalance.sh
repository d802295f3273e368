#!/usr/bin/env bash
# Many moves in one job, under writers: a table made even over its tablespaces, a node made empty, a job ended in the middle. Afterwards every row is
# there once, and the shards are where the job said.
. "$(dirname -- "$0")/lib.sh"
. "$(dirname -- "$0")/load.sh"

server main --preload pg_stat_statements
sql main "CREATE EXTENSION foreshard"
for name in one two; do sql main "CREATE TABLESPACE $name LOCATION '$(tablespace main $name)'"; done
sql main "SELECT foreshard.add_node('base', 'pg_default'), foreshard.add_node('one', 'one'), foreshard.add_node('two', 'two')" >/dev/null
make_orders 6000
restore_orders '{"query_log": "off", "method": "hash", "shard_key": ["id"], "shard_count": 6, "nodes": ["base"]}'
nodes() { sql main "SELECT string_agg(node || ' ' || n, ' ' ORDER BY node) FROM (SELECT node, count(*) AS n FROM foreshard.shards WHERE relation = '${1:-orders}'::regclass GROUP BY 1) AS x"; }
# Where the files of shards and their indexes are, as the catalog has it and not the ledger.
spaces() { sql main "SELECT count(*) FROM foreshard.shards s JOIN foreshard.nodes n ON n.name = s.node LEFT JOIN pg_index i ON i.indrelid = s.shard
    JOIN pg_class c ON c.oid IN (s.shard, i.indexrelid) LEFT JOIN pg_tablespace t ON t.oid = c.reltablespace WHERE coalesce(t.spcname, 'pg_default') <> n.tablespace"; }

check "all shards on one node" "base 6" "$(nodes)"
begin_load
job=$(sql main "SELECT foreshard.rebalance('orders')")
planned=$(sql main "SELECT string_agg(node || ' ' || n, ' ' ORDER BY node) FROM (SELECT t.task #>> '{new,0,node}' AS node, count(*) AS n FROM foreshard._reshards t WHERE job_id = $job GROUP BY 1) AS x")
check "rebalance" "done" "$(ended_as "$job")"
same "rebalance"
check "rebalance: what was planned" "one 2 two 2" "$planned"
check "rebalance: what has become of it" "base 2 one 2 two 2" "$(nodes)"
check "rebalance: each shard is where the ledger says, with its indexes" 0 "$(spaces)"
# The writers have left dead rows in the shards that stayed; that is no reason to begin again.
job=$(sql main "SELECT foreshard.rebalance('orders')")
check "nothing to do" "" "$job"
check "it is still even" "base 2 one 2 two 2" "$(nodes)"

# Two tables, of which both have shards on the node.
sql main "SET client_min_messages = error; SELECT rows FROM restore_table('public.others', 'table:public.source', '{\"query_log\": \"off\", \"method\": \"hash\", \"shard_key\": [\"id\"], \"shard_count\": 3, \"nodes\": [\"base\", \"one\", \"two\"]}')" >/dev/null
others=$(contents others)
check_error "a node with shards" '55006.*is in use' main "SELECT foreshard.remove_node('two')"

# Cancelled in the middle: what was moved stays moved, what was not stays, and the node takes no shards.
job=$(sql main "SET foreshard.pause_at = 'catch_up'; SELECT foreshard.drain_node('two')")
paused() { wait_until 60 main "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'foreshard job' AND query = 'paused at catch_up') AND (SELECT count(*) = $1 FROM foreshard._reshards WHERE job_id = $job AND step = 'done')"; }
paused 0
sql main "UPDATE foreshard._reshards SET pause_at = NULL WHERE job_id = $job AND number = 1"
paused 1
sql main "SELECT foreshard.cancel_job($job)"
check "cancelled in the middle" "cancelled" "$(ended_as "$job")"
check "cancelled in the middle: one of three is moved" 2 "$(sql main "SELECT count(*) FROM foreshard.shards WHERE node = 'two'")"
check "cancelled in the middle: every row is there once" "$(contents shadow)" "$(contents orders)"
check "cancelled in the middle: nothing is left" "" "$(leftovers)"

begin_load
job=$(sql main "SELECT foreshard.drain_node('two')")
check "drain" "done" "$(ended_as "$job")"
same "drain"
check "drain: the other table" "$others" "$(contents others)"
check "drain: nothing is left there" "0 0" "$(sql main "SELECT (SELECT count(*) FROM foreshard.shards WHERE node = 'two') || ' ' || (SELECT count(*) FROM pg_class c JOIN pg_tablespace t ON t.oid = c.reltablespace WHERE t.spcname = 'two')")"
check "drain: each shard is where the ledger says" 0 "$(spaces)"
check "an empty node" "" "$(sql main "SELECT foreshard.drain_node('two')")"
check "can be removed" "base one" "$(sql main "SELECT foreshard.remove_node('two')" >/dev/null; sql main "SELECT string_agg(name, ' ' ORDER BY name) FROM foreshard.nodes")"
