#!/usr/bin/env bash
# What a job has made is taken back by another one while clients write: the layout is what it was, with every row that was written since.
. "$(dirname -- "$0")/lib.sh"
. "$(dirname -- "$0")/load.sh"

server main --preload pg_stat_statements
sql main "CREATE EXTENSION foreshard"
for space in fast slow; do
    sql main "CREATE TABLESPACE $space LOCATION '$(tablespace main $space)'"
    sql main "SELECT foreshard.add_node('$space', '$space')"
done
sql main "SELECT foreshard.add_node('base', 'pg_default')"
make_orders 10000
sql main "CREATE TABLE customers (id int PRIMARY KEY); INSERT INTO customers SELECT n FROM generate_series(0, 2000) n; ALTER TABLE source ADD FOREIGN KEY (customer) REFERENCES customers"
restore_orders '{"query_log": "off", "method": "hash", "shard_key": ["id"], "shard_count": 2, "nodes": ["base"]}'
layout() { sql main "SELECT string_agg(node || ' ' || bound, ', ' ORDER BY bound) FROM foreshard.shards WHERE relation = 'orders'::regclass" | sed 's/FOR VALUES //g; s/modulus //g; s/remainder //g'; }
# WHAT, a statement that gives a JOB, the LAYOUT after it, a statement for what is KEPT: done under load, and undone.
there_and_back() {
    local what=$1 before; before=$(layout)
    begin_load
    job=$(sql main "$2")
    check "$what" "done" "$(ended_as "$job")"
    check "$what: the layout" "$3" "$(layout)"
    undo=$(sql main "SELECT foreshard.undo_job($job)")
    check "$what, undone" "done" "$(ended_as "$undo")"
    check "$what, undone: the layout" "$before" "$(layout)"
    if [ -n "${4:-}" ]; then sql main "$4" >/dev/null; fi
    same "$what, undone"
    check "$what, undone: no part is left" 1 "$(sql main "SELECT count(*) FROM pg_partition_tree('orders') WHERE NOT isleaf")"
    check "$what, undone: the foreign key" "$(sql main "SELECT count(*) + 1 FROM foreshard.shards WHERE relation = 'orders'::regclass")" \
        "$(sql main "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated AND confrelid = 'customers'::regclass AND conrelid IN (SELECT relid FROM pg_partition_tree('orders'))")"
}
there_and_back "split" "SELECT foreshard.split_shard('orders_s0000')" "base WITH (2, 1), base WITH (4, 0), base WITH (4, 2)"
split=$job
there_and_back "split, the old shard kept" "SELECT foreshard.split_shard(shard, '{\"nodes\": [\"fast\", \"slow\"], \"keep\": 3600}') FROM foreshard.shards WHERE bound LIKE '%remainder 0%'" \
    "base WITH (2, 1), fast WITH (4, 0), slow WITH (4, 2)" \
    "DO \$\$ BEGIN EXECUTE (SELECT format('DROP TABLE %s', oid::regclass) FROM pg_class WHERE relname ~ '^orders_s[0-9]+\$' AND relkind = 'r' AND NOT relispartition); END \$\$"
there_and_back "move" "SELECT foreshard.move_shard(shard, 'fast') FROM foreshard.shards WHERE bound LIKE '%remainder 1%'" "base WITH (2, 0), fast WITH (2, 1)"
there_and_back "isolate" "SELECT foreshard.isolate_value('orders', '42')" \
    "$(sql main "SELECT string_agg('base ' || b, ', ' ORDER BY b) FROM (SELECT unnest(CASE WHEN satisfies_hash_partition('orders'::regclass, 2, 0, 42::bigint)
        THEN ARRAY['DEFAULT WITHIN WITH (2, 0)', 'IN (''42'') WITHIN WITH (2, 0)', 'WITH (2, 1)'] ELSE ARRAY['DEFAULT WITHIN WITH (2, 1)', 'IN (''42'') WITHIN WITH (2, 1)', 'WITH (2, 0)'] END) AS b) AS s")"

# The same way back by name: all shards of a part that a table has for one value are merged into one of the table itself.
before=$(layout)
job=$(sql main "SELECT foreshard.isolate_value('orders', '43')")
check "isolated again" "done" "$(ended_as "$job")"
begin_load
job=$(sql main "SELECT foreshard.merge_shards(array_agg(shard)) FROM foreshard.shards WHERE bound LIKE '%WITHIN%'")
check "merged" "done" "$(ended_as "$job")"
check "merged: the layout" "$before" "$(layout)"
same "merged"
split_again=$(sql main "SELECT foreshard.undo_job($job)")
check "merged, undone" "done" "$(ended_as "$split_again")"
check "merged, undone: the value is alone" 1 "$(sql main "SELECT count(*) FROM foreshard.verify_table('orders') WHERE rows = 1")"

# A job of several moves.
restore_orders '{"query_log": "off", "method": "range", "shard_key": ["id"], "shard_count": 4, "nodes": ["base"], "unique": "per_shard"}'
ranges=$(layout)
begin_load
job=$(sql main "SELECT foreshard.rebalance('orders')")
check "rebalanced" "done" "$(ended_as "$job")"
check "rebalanced: over the nodes" 3 "$(sql main "SELECT count(DISTINCT node) FROM foreshard.shards WHERE relation = 'orders'::regclass")"
undo=$(sql main "SELECT foreshard.undo_job($job)")
check "rebalanced, undone" "done" "$(ended_as "$undo")"
check "rebalanced, undone: the layout" "$ranges" "$(layout)"
same "rebalanced, undone"
to=$(echo "$ranges" | sed -E "s/.*FROM \(MINVALUE\) TO \(('[0-9]+')\).*/\1/")
there_and_back "isolate in a range" "SELECT foreshard.isolate_value('orders', '500')" \
    "$(echo "$ranges" | sed -E "s/base FROM \(MINVALUE\) TO \($to\)/base FROM ('500') TO ('501'), base FROM ('501') TO ($to), base FROM (MINVALUE) TO ('500')/" | sed 's/, /\n/g' | sort | paste -sd, | sed 's/,/, /g')"
there_and_back "merge of ranges" "SELECT foreshard.merge_shards(ARRAY[a.shard, b.shard]) FROM foreshard._shards a JOIN foreshard._shards b ON a.bound #> '{range,to}' = b.bound #> '{range,from}' AND a.relation = b.relation
    WHERE a.relation = 'orders'::regclass AND a.bound #> '{range,from}' = 'null'" \
    "$(echo "$ranges" | sed 's/, /\n/g' | grep -v "FROM ($to)" | sed -E "s/TO \($to\)/TO ($(echo "$ranges" | sed -E "s/.*FROM \($to\) TO \(('[0-9]+')\).*/\1/"))/" | sort | paste -sd, | sed 's/,/, /g')"

# What cannot be undone says why.
check_error "no such job" '42704.*job 4711 does not exist' main "SELECT foreshard.undo_job(4711)"
check_error "a table that was restored anew since" '55000.*cannot be undone any more' main "SELECT foreshard.undo_job($split)"
job=$(sql main "SET foreshard.pause_at = 'verify'; SELECT foreshard.split_shard(min(shard::text)::regclass, '{\"at\": [\"-5000\"]}') FROM foreshard.shards WHERE bound LIKE '%MINVALUE%'")
wait_until 60 main "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'foreshard job' AND query = 'paused at verify')"
check_error "while it runs" "55006.*job $job is running" main "SELECT foreshard.undo_job($job)"
sql main "SELECT foreshard.cancel_job($job)"
check "cancelled" cancelled "$(ended_as "$job")"
check_error "one that was taken back by itself" "55000.*job $job has changed nothing" main "SELECT foreshard.undo_job($job)"
sql main "CREATE ROLE other LOGIN; GRANT USAGE ON SCHEMA foreshard TO other; GRANT ALL ON ALL TABLES IN SCHEMA foreshard TO other; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA foreshard TO other"
check_error "another's table" '42501.*must be owner of table orders' main "SET ROLE other; SELECT foreshard.undo_job(max(job_id)) FROM foreshard.jobs WHERE kind = 'undo'"
