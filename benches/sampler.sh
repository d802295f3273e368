#!/usr/bin/env bash
# What the monitor and the sampler cost those who use a sharded table: pgbench on three servers by turns, RUNS (7) times SECONDS_EACH (8) s each,
#   without   pg_stat_statements alone is preloaded; the table is there, nobody watches it
#   monitor   foreshard is preloaded too, foreshard.sampler = off
#   sampler   all as it is by default
# with look-ups by the key (prepared), and with transactions of an UPDATE, a SELECT and an INSERT. Prints every run, then medians of transactions per second, of the
# processor time that all of a server's processes take for one, and both as ratios to the first.
set -euo pipefail
. "$(dirname -- "$0")/../scripts/cluster.sh"
work=$(scratch_dir)
servers=(without monitor sampler)
trap 'for s in "${servers[@]}"; do cluster_remove "$work/$s"; done; rm -rf "$work"' EXIT
rows=${ROWS:-200000} each=${SECONDS_EACH:-8}
for server in "${servers[@]}"; do
    preload=pg_stat_statements,foreshard
    [ $server != without ] || preload=pg_stat_statements
    sampler=on
    [ $server != monitor ] || sampler=off
    conf=()
    [ $server = without ] || conf=(--conf "foreshard.sampler = $sampler")
    cluster_create "$work/$server" --preload $preload "${conf[@]}" >/dev/null
    (
        eval "$(cluster_env "$work/$server")"
        psql -XAtq -v ON_ERROR_STOP=1 >/dev/null <<SQL
CREATE EXTENSION pg_stat_statements; CREATE EXTENSION foreshard;
CREATE TABLE source (id bigint PRIMARY KEY, v int NOT NULL, filler text); INSERT INTO source SELECT n, 0, repeat('x', 80) FROM generate_series(1, $rows) n;
CREATE TABLE history (id bigint, at timestamptz DEFAULT now());
SET client_min_messages = error;
SELECT restore_table('public.t', 'table:public.source', '{"shard_key": ["id"], "method": "hash", "shard_count": 16, "query_log": "off"}');
VACUUM ANALYZE;
SQL
    )
done
echo "\set id random(1, $rows)
SELECT v FROM t WHERE id = :id;" >"$work/lookups.sql"
echo "\set id random(1, $rows)
BEGIN; UPDATE t SET v = v + 1 WHERE id = :id; SELECT v FROM t WHERE id = :id; INSERT INTO history (id) VALUES (:id); END;" >"$work/transactions.sql"
# Clock ticks of all processes of the server, those that have ended included.
used() { cat /proc/"$1"/stat /proc/[0-9]*/stat 2>/dev/null | awk -v p="$1" '{ pid = $1; sub(/^.*\) /, ""); if (pid == p && !own++) n += $12 + $13 + $14 + $15; else if (pid != p && $2 == p) n += $12 + $13 } END { print n }'; }
measure() { # SERVER LOAD: transactions per second, microseconds of processor time for one
    (
        eval "$(cluster_env "$work/$1")"
        pid=$(head -1 "$work/$1/data/postmaster.pid")
        before=$(used "$pid")
        pgbench -n -M prepared -c 2 -j 1 -T "$each" -f "$work/$2.sql" >"$work/out" 2>/dev/null
        after=$(used "$pid")
        awk -v ticks=$((after - before)) -v hz="$(getconf CLK_TCK)" '/actually processed/ { sub(/\/.*/, "", $NF); n = $NF } /^tps/ { tps = $3 } END { printf "%.0f %.2f\n", tps, ticks / hz * 1e6 / n }' "$work/out"
    )
}
median() { sort -n | awk '{ v[NR] = $1 } END { print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
sleep 5
for load in lookups transactions; do
    for run in $(seq "${RUNS:-7}"); do
        for server in "${servers[@]}"; do
            read -r tps us < <(measure $server $load)
            echo "$load $run $server: $tps transactions/s, $us us of processor time each"
            echo "$tps" >>"$work/$load.$server.tps"; echo "$us" >>"$work/$load.$server.us"
        done
    done
    for server in "${servers[@]}"; do
        echo "$load $server: median $(median <"$work/$load.$server.tps") transactions/s, $(median <"$work/$load.$server.us") us;" \
            "of those without: $(awk -v a="$(median <"$work/$load.$server.tps")" -v b="$(median <"$work/$load.without.tps")" 'BEGIN { printf "%.3f", a / b }') of the transactions," \
            "$(awk -v a="$(median <"$work/$load.$server.us")" -v b="$(median <"$work/$load.without.us")" 'BEGIN { printf "%.3f", a / b }') of the processor time"
    done
done
(eval "$(cluster_env "$work/sampler")" && psql -XAtqc "SELECT 'statements sampled in the last minute or so: ' || round(samples) FROM foreshard.sampled_keys WHERE relation = 't'::regclass")
