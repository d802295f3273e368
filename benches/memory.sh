#!/usr/bin/env bash
# How much memory a restore takes, and whether that grows with the table: narrow rows (as pgbench's accounts, without
# their filler) and wide text, each at two sizes. Prints, for each, the highest RssAnon of the backend and of its
# pg_restore (polled from /proc, so without shared buffers), and the seconds of each phase.
# Install with PROFILE=release first. SIZES, in megabytes of the table, is "256 1024"; TABLES is "narrow wide".
. "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/cluster.sh"
set -euo pipefail

work=$(scratch_dir)
trap 'cluster_remove "$work/main"; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cluster_create "$work/main" --preload pg_stat_statements
eval "$(cluster_env "$work/main")"
run() { psql -XAtq -v ON_ERROR_STOP=1 "$@"; }

run -c "CREATE DATABASE shop" -c "CREATE EXTENSION foreshard"
run -d shop -c "CREATE TABLE narrow (id bigint, customer int NOT NULL, balance int, day date)" \
    -c "CREATE TABLE wide (id bigint, customer int NOT NULL, body text)"

# A row of `narrow` takes 44 bytes in the table, one of `wide` about 1,050.
fill() {
    local megabytes=$2
    run -d shop -c "TRUNCATE narrow, wide"
    case $1 in
        narrow) run -d shop -c "INSERT INTO narrow SELECT n, n % 99991, n % 1000, date '2020-01-01' + (n % 2000)::int
                                FROM generate_series(1, $((megabytes * 1048576 / 52))::bigint) n" ;;
        wide) run -d shop -c "INSERT INTO wide SELECT n, n % 99991, (SELECT string_agg(md5((n * 32 + i)::text), ' ')
                              FROM generate_series(1, 31) i) FROM generate_series(1, $((megabytes * 1048576 / 1090))::bigint) n" ;;
    esac
    run -d shop -c "ALTER TABLE $1 ADD PRIMARY KEY (id, customer)"
    pg_dump -Fc -Z1 -t "$1" -f "$work/main/backups/$1.dump" shop
    run -d shop -c "ALTER TABLE $1 DROP CONSTRAINT $1_pkey"
}

anonymous() { awk '/^RssAnon/ { print $2 }' "/proc/$1/status" 2>/dev/null || echo 0; }

# Samples a restore ten times a second.
measure() {
    local table=$1 pid child phase kilobytes restorer=0 peak=0 base=0 last=0 now
    local -A seconds=() peaks=()
    local -a order=()
    PGAPPNAME=bench run -o "$work/out" -c "SET client_min_messages = error" -c "SELECT pg_sleep(0.5)" -c "SELECT rows, seconds
        FROM restore_table('public.$table', '$work/main/backups/$table.dump',
                           '{\"query_log\": \"off\", \"shard_key\": [\"customer\"], \"method\": \"hash\", \"shard_count\": 8}')" &
    local session=$!
    sleep 0.3
    pid=$(run -c "SELECT pid FROM pg_stat_activity WHERE application_name = 'bench'")
    base=$(anonymous "$pid")
    last=$(date +%s%N)
    while kill -0 $session 2>/dev/null; do
        # What foreshard.jobs reads.
        phase=$(grep -o '"phase":"[A-Za-z]*"' "$work/main/data/base/pgsql_tmp/pgsql_tmp_foreshard_$pid" 2>/dev/null | cut -d'"' -f4 || true)
        phase=${phase:-other}
        [ -n "${seconds[$phase]:-}" ] || order+=("$phase")
        child=$(cat "/proc/$pid/task/$pid/children" 2>/dev/null || true)
        child=${child%% *}
        kilobytes=$(anonymous "$pid")
        kilobytes=${kilobytes:-0}
        [ "$kilobytes" -le "$peak" ] || peak=$kilobytes
        [ "$kilobytes" -le "${peaks[$phase]:-0}" ] || peaks[$phase]=$kilobytes
        if [ -n "$child" ]; then
            kilobytes=$(anonymous "$child")
            [ "${kilobytes:-0}" -le "$restorer" ] || restorer=$kilobytes
        fi
        now=$(date +%s%N)
        seconds[$phase]=$((${seconds[$phase]:-0} + now - last))
        last=$now
        sleep 0.1
    done
    wait $session
    printf '%-7s %5s MB: backend %3s MB at its start, %3s MB at most; pg_restore %s MB; %s rows in %.1f s\n' "$table" \
        "$(run -c "SELECT (SELECT sum(pg_table_size(s.shard)) FROM foreshard.shards s)::bigint / 1048576")" \
        $((base / 1024)) $((peak / 1024)) $((restorer / 1024)) $(tail -n 1 "$work/out" | tr '|' ' ')
    for phase in "${order[@]}"; do
        printf '    %-16s %6.1f s, %3s MB\n' "$phase" "$(awk "BEGIN { print ${seconds[$phase]} / 1e9 }")" $((${peaks[$phase]:-0} / 1024))
    done
    run -c "SET client_min_messages = error" -c "DROP TABLE $table" -c "CHECKPOINT"
}

for table in ${TABLES:-narrow wide}; do
    for megabytes in ${SIZES:-256 1024}; do
        fill $table "$megabytes"
        measure $table
    done
done
