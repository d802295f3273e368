#!/usr/bin/env bash
# What clients notice of a shard that moves from one server to another under them: 4 clients with look-ups and updates by key through the table here, 6 hash
# shards on three nodes. In each round the same load without a job for as long as the job took, and with foreshard.move_shard of one shard. Printed are the
# longest transaction, the transactions per second meanwhile, seconds, errors of clients, and of the job its longest lock and attempts. The last lines are medians, a
# ratio, and what verify_table finds.
#   RUNS=3 ROWS=600000 LEAD=3 benches/move.sh
# Install with PROFILE=release first.
. "$(dirname -- "${BASH_SOURCE[0]}")/common/nodes.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/common/clients.sh"

runs=${RUNS:-3} rows=${ROWS:-600000} lead=${LEAD:-3}
buffers=(--conf "shared_buffers = '128MB'")
copying=("${buffers[@]}" --conf "wal_level = logical" --conf "max_replication_slots = 20" --conf "max_wal_senders = 20" --conf "max_logical_replication_workers = 12")
servers buffers copying
for node in "${nodes[@]}"; do
    # Nodes copy from each other without a password.
    as_server sed -i '1i host all postgres 127.0.0.1/32 trust' "$work/$node/data/pg_hba.conf"
    sql "$node" "SELECT pg_reload_conf()" >/dev/null
done
sql main "SET client_min_messages = error; CREATE TABLE source (aid bigint PRIMARY KEY, abalance int NOT NULL, filler char(84)); INSERT INTO source SELECT n, 0, '' FROM generate_series(1, $rows) n;
    SELECT FROM restore_table('public.accounts', 'table:public.source', '{\"query_log\": \"off\", \"method\": \"hash\", \"shard_key\": [\"aid\"], \"shard_count\": 6}')"
cat >"$work/load.sql" <<SQL
\set aid random(1, $rows)
UPDATE accounts SET abalance = abalance + 1 WHERE aid = :aid;
SELECT abalance FROM accounts WHERE aid = :aid;
SQL
load() { on main pgbench -c 4 -f load.sql "$@"; }
prepare() { :; }
job() {
    local job
    job=$(sql main "SELECT foreshard.move_shard(s.shard, t.node) FROM (SELECT shard, node FROM foreshard.shards ORDER BY shard::text LIMIT 1) AS s,
        unnest(ARRAY['n1', 'n2', 'n3']) AS t (node) WHERE t.node <> s.node ORDER BY t.node LIMIT 1")
    [ "$(sql main "SELECT foreshard.wait_job($job)")" = "done" ]
    sql main "SELECT format('# longest lock %s ms, %s attempts', round(longest_lock_ms), attempts) FROM foreshard.jobs WHERE job_id = $job" >&2
}

rounds "$runs" job none
sql main "SELECT format('misplaced %s, all right: %s', sum(misplaced_rows), bool_and(ok)) FROM foreshard.verify_table('public.accounts')"
