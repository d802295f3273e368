#!/usr/bin/env bash
# What clients notice of a shard that moves from one server to another under them: 4 clients with look-ups and updates by key through the table here, 6 hash
# shards on three nodes. In each round the same load without a job for as long as the job took, and with foreshard.move_shard of one shard. Printed are the
# longest transaction, the transactions per second meanwhile, seconds, and of the job its longest lock and attempts; at the end how many errors clients had.
#   RUNS=3 ROWS=600000 LEAD=3 benches/move.sh
# Install with PROFILE=release first.
. "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/cluster.sh"
set -euo pipefail

runs=${RUNS:-3} rows=${ROWS:-600000} lead=${LEAD:-3}
work=$(scratch_dir)
nodes=(n1 n2 n3)
trap 'for s in main ${nodes[*]}; do cluster_remove "$work/$s"; done; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
PATH=$(pg_bindir):$PATH
on() { (eval "$(cluster_env "$work/$1")" && "${@:2}"); }
sql() { on "$1" psql -XAtq -v ON_ERROR_STOP=1 -c "$2"; }
cluster_create "$work/main" --conf "shared_buffers = '128MB'"
sql main "CREATE EXTENSION foreshard; CREATE EXTENSION postgres_fdw"
for node in "${nodes[@]}"; do
    cluster_create "$work/$node" --tcp --conf "shared_buffers = '128MB'" --conf "wal_level = logical" --conf "max_replication_slots = 20" \
        --conf "max_wal_senders = 20" --conf "max_logical_replication_workers = 12"
    sql "$node" "CREATE ROLE app SUPERUSER LOGIN PASSWORD 'secret'"
    sql "$node" "CREATE DATABASE shards OWNER app"
    # Nodes copy from each other without a password.
    as_server sed -i '1i host all app 127.0.0.1/32 trust' "$work/$node/data/pg_hba.conf"
    sql "$node" "SELECT pg_reload_conf()" >/dev/null
    sql main "SET client_min_messages = error; CREATE SERVER $node FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '$(cat "$work/$node/port")', dbname 'shards');
        CREATE USER MAPPING FOR postgres SERVER $node OPTIONS (user 'app', password 'secret'); SELECT foreshard.add_node('$node', server => '$node')" >/dev/null
done
sql main "SET client_min_messages = error; CREATE TABLE source (aid bigint PRIMARY KEY, abalance int NOT NULL, filler char(84)); INSERT INTO source SELECT n, 0, '' FROM generate_series(1, $rows) n;
    SELECT FROM restore_table('public.accounts', 'table:public.source', '{\"query_log\": \"off\", \"method\": \"hash\", \"shard_key\": [\"aid\"], \"shard_count\": 6}')"
cat >"$work/load.sql" <<SQL
\set aid random(1, $rows)
UPDATE accounts SET abalance = abalance + 1 WHERE aid = :aid;
SELECT abalance FROM accounts WHERE aid = :aid;
SQL
chmod 777 "$work"

took=5
none() { sleep "$took"; }
job() {
    local job
    job=$(sql main "SELECT foreshard.move_shard(s.shard, t.node) FROM (SELECT shard, node FROM foreshard.shards ORDER BY shard::text LIMIT 1) AS s,
        unnest(ARRAY['n1', 'n2', 'n3']) AS t (node) WHERE t.node <> s.node ORDER BY t.node LIMIT 1")
    [ "$(sql main "SELECT foreshard.wait_job($job)")" = "done" ]
    sql main "SELECT format('# longest lock %s ms, %s attempts', round(longest_lock_ms), attempts) FROM foreshard.jobs WHERE job_id = $job"
}

# measure WHAT: longest transaction in ms, transactions per second while it was under way, its seconds, errors of clients.
measure() {
    rm -f "$work"/log.*
    (cd "$work" && on main pgbench -n -c 4 -j 2 -T 600 -f load.sql -l --log-prefix=log >"$work/pgbench.out" 2>&1) &
    local load=$! begin end
    sleep "$lead"
    begin=$(date +%s.%N)
    "$1"
    end=$(date +%s.%N)
    sleep 1
    pkill -INT -P $load pgbench 2>/dev/null || kill -INT $load 2>/dev/null || true
    wait $load || true
    took=$(awk -v a="$begin" -v b="$end" 'BEGIN { printf "%.2f", b - a }')
    cat "$work"/log.* | awk -v what="$1" -v a="$begin" -v b="$end" -v errors="$(grep -c '^pgbench: error' "$work/pgbench.out" || true)" '
        { at = $5 + $6 / 1e6; ms = $3 / 1000; if (at >= a && at - ms / 1000 <= b) { n++; if (ms > most) most = ms } }
        END { printf "%-5s longest %8.1f ms %8.0f tps %6.2f s %d errors\n", what, most, n / (b - a), b - a, errors }'
}
for _ in $(seq "$runs"); do
    measure job
    measure none
done
sql main "SELECT format('misplaced %s, all right: %s', sum(misplaced_rows), bool_and(ok)) FROM foreshard.verify_table('public.accounts')"
