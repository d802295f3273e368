#!/usr/bin/env bash
# What a monitor's ticks cost: processor time of its process, at SHARDS shards (1000) of one table, looked at every second for SECONDS (40) s, of which
# follows the share of one core at the default interval of ten. With an idle table, and with pgbench at work on it.
set -euo pipefail
. "$(dirname -- "$0")/../scripts/cluster.sh"
work=$(scratch_dir)
trap 'cluster_remove "$work/main"; rm -rf "$work"' EXIT
cluster_create "$work/main" --preload pg_stat_statements,foreshard --conf "foreshard.monitor_interval = '1s'" --conf "max_locks_per_transaction = 512"
eval "$(cluster_env "$work/main")"
psql -XAtq -v ON_ERROR_STOP=1 >/dev/null <<SQL
CREATE EXTENSION pg_stat_statements; CREATE EXTENSION foreshard;
CREATE TABLE source (id bigint PRIMARY KEY, k int, v int); CREATE INDEX ON source (k); INSERT INTO source SELECT n, n % 100, 0 FROM generate_series(1, 200000) n;
SET client_min_messages = error;
SELECT restore_table('public.t', 'table:public.source', '{"shard_key": ["id"], "method": "hash", "shard_count": ${SHARDS:-1000}, "query_log": "off"}');
SQL
sleep 5
pid=$(psql -XAtqc "SELECT pid FROM pg_stat_activity WHERE backend_type = 'foreshard monitor'")
used() { awk '{ sub(/^.*\) /, ""); print $12 + $13 }' "/proc/$pid/stat"; }
measure() {
    local before after
    before=$(used)
    sleep "${SECONDS_MEASURED:-40}"
    after=$(used)
    awk -v ticks="${SECONDS_MEASURED:-40}" -v used=$((after - before)) -v hz="$(getconf CLK_TCK)" -v what="$1" 'BEGIN {
        ms = used * 1000 / hz / ticks; printf "%s: %.1f ms of processor time a look; %.2f %% of one core every ten seconds\n", what, ms, ms / 100 }'
}
measure idle
echo '\set id random(1, 200000)
UPDATE t SET v = v + 1 WHERE id = :id;' >"$work/load.sql"
pgbench -n -c 1 -T "${SECONDS_MEASURED:-40}" -f "$work/load.sql" >/dev/null 2>&1 &
measure busy
wait
