#!/usr/bin/env bash
# What calibrations of one server say, how far they are apart, and what pgbench gets from the same server: point reads and
# single-row updates by 1, 2, 4 and 8 clients over its socket. Commits wait for the disk.
#   RUNS=6 benches/calibrate.sh
set -euo pipefail
. "$(dirname -- "$0")/../scripts/cluster.sh"

work=$(scratch_dir)
trap 'cluster_remove "$work/server"; rm -rf "$work"' EXIT
cluster_create "$work/server" --durable
eval "$(cluster_env "$work/server")"
export PATH=$(pg_bindir):$PATH
psql -Xqo /dev/null -c "CREATE EXTENSION foreshard" -c "SELECT foreshard.add_node('a')"

echo "| calibration | reads/s | writes/s | clients | scan MB/s | copy rows/s | copy MB/s | planning us/partition |"
echo "| --- | --- | --- | --- | --- | --- | --- | --- |"
for run in $(seq "${RUNS:-6}"); do
    echo "| $run | $(psql -XAtc "SELECT coalesce(value::text, '-') FROM foreshard.calibrate('a')" | paste -sd'|' | sed 's/|/ | /g') |"
done

pgbench -i -q -s 1 >"$work/log" 2>&1
printf '%s\n' '\set aid random(1, 100000)' 'UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = :aid;' >"$work/update.sql"
rate() { pgbench -n -T 3 -c "$1" -j "$1" "${@:2}" 2>>"$work/log" | sed -n 's/^tps = \([0-9]*\).*/\1/p'; }
echo
echo "| clients | pgbench reads/s | prepared | updates/s |"
echo "| --- | --- | --- | --- |"
for clients in 1 2 4 8; do
    echo "| $clients | $(rate $clients -S) | $(rate $clients -S -M prepared) | $(rate $clients -f "$work/update.sql") |"
done
