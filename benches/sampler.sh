#!/usr/bin/env bash
# What the monitor and the sampler cost those who use a sharded table: pgbench by turns, RUNS (7) times SECONDS_EACH (8) s each,
#   without   on a server that preloads pg_stat_statements alone; the table is there, nobody watches it
#   monitor   on one that preloads foreshard too, foreshard.sampler = off
#   sampler   on the same, all as it is by default
# with look-ups by the key (prepared), and with transactions of an UPDATE, a SELECT and an INSERT. Prints every run, then medians of transactions per second, of the
# processor time that all of a server's processes take for one, and both as ratios to the first. Two servers differ by some percent in whatever they do; the last two
# are the same one.
set -euo pipefail
. "$(dirname -- "$0")/../scripts/cluster.sh"
work=$(scratch_dir)
trap 'for s in plain watched; do cluster_remove "$work/$s"; done; rm -rf "$work"' EXIT
rows=${ROWS:-200000} each=${SECONDS_EACH:-8} arms=(${ARMS:-without monitor sampler})
server_of() { [ "$1" = without ] && echo plain || echo watched; }
for server in plain watched; do
    preload=pg_stat_statements
    [ $server = plain ] || preload=$preload,foreshard
    cluster_create "$work/$server" --preload $preload >/dev/null
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
used() { { cat /proc/"$1"/stat /proc/[0-9]*/stat 2>/dev/null || true; } | awk -v p="$1" '{ pid = $1; sub(/^.*\) /, ""); if (pid == p && !own++) n += $12 + $13 + $14 + $15; else if (pid != p && $2 == p) n += $12 + $13 } END { print n }'; }
measure() { # ARM LOAD: transactions per second, microseconds of processor time for one
    (
        server=$(server_of "$1")
        eval "$(cluster_env "$work/$server")"
        if [ $server = watched ]; then
            psql -XAtq -c "ALTER SYSTEM SET foreshard.sampler = $([ "$1" = sampler ] && echo on || echo off)" -c "SELECT pg_reload_conf()" >/dev/null
        fi
        pid=$(head -1 "$work/$server/data/postmaster.pid")
        before=$(used "$pid")
        pgbench -n -M prepared -c 2 -j 1 -T "$each" -f "$work/$2.sql" >"$work/out" 2>/dev/null
        sleep 0.5 # The server has noticed that the sessions are gone.
        after=$(used "$pid")
        awk -v ticks=$((after - before)) -v hz="$(getconf CLK_TCK)" '/actually processed/ { sub(/\/.*/, "", $NF); n = $NF } /^tps/ { tps = $3 } END { printf "%.0f %.2f\n", tps, ticks / hz * 1e6 / n }' "$work/out"
    )
}
median() { sort -n | awk '{ v[NR] = $1 } END { print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
sleep 5
for load in lookups transactions; do
    for run in $(seq "${RUNS:-7}"); do
        for arm in "${arms[@]}"; do
            read -r tps us < <(measure "$arm" "$load")
            echo "$load $run $arm: $tps transactions/s, $us us of processor time each"
            echo "$tps" >>"$work/$load.$arm.tps"; echo "$us" >>"$work/$load.$arm.us"
        done
    done
    for arm in "${arms[@]}"; do
        echo "$load $arm: median $(median <"$work/$load.$arm.tps") transactions/s, $(median <"$work/$load.$arm.us") us;" \
            "of those ${arms[0]}: $(awk -v a="$(median <"$work/$load.$arm.tps")" -v b="$(median <"$work/$load.${arms[0]}.tps")" 'BEGIN { printf "%.3f", a / b }') of the transactions," \
            "$(awk -v a="$(median <"$work/$load.$arm.us")" -v b="$(median <"$work/$load.${arms[0]}.us")" 'BEGIN { printf "%.3f", a / b }') of the processor time"
    done
done
(eval "$(cluster_env "$work/watched")" && psql -XAtqc "SELECT 'statements sampled in the last minute or so: ' || round(samples) FROM foreshard.sampled_keys WHERE relation = 't'::regclass")
