#!/usr/bin/env bash
# One table of an archive into 16 hash partitions, by restore_table and by pg_restore: seconds, CPU seconds of the server and
# its clients, and WAL. In each round, one after another:
#   foreshard    restore_table: definitions, profile, plan, create, load, verify, indexes, statistics
#   partitions   pg_restore -j 2 of the rows into the same partitions, ready-made and bare; then the key, then both indexes at
#                once; ANALYZE
#   plain        pg_restore -j 2 into a plain table, its key and indexes by pg_restore; ANALYZE
# and, where WAYS names them, what nobody who does it so comes below:
#   unpack       pg_restore of the rows to nowhere: decompression alone
#   copy         COPY of ready rows, uncompressed, into a plain table
#   index        the key and both indexes of a plain table that is full, one after the other, with the server's parallel workers
#   wal          as many bytes as the table and its indexes have, written and synced
# `narrow` is as pgbench's accounts with a bigint key, `wide` has eight texts; each about a gigabyte as COPY text, with a primary
# key and two further indexes. Durable, and with these settings: see `conf` below. The last lines are medians and ratios.
#   RUNS=5 MEGABYTES=1024 TABLES="narrow wide" FORMATS="c d" WAYS="foreshard partitions plain" benches/restore.sh
# BACKUPS=DIR keeps the archives there and takes them from there. Install with PROFILE=release first.
. "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/cluster.sh"
set -euo pipefail

runs=${RUNS:-5} megabytes=${MEGABYTES:-1024} ways=${WAYS:-foreshard partitions plain}
conf=(--conf "shared_buffers = '1GB'" --conf "maintenance_work_mem = '256MB'" --conf "max_wal_size = '8GB'"
    --conf "checkpoint_timeout = '15min'" --conf "autovacuum = off" --conf "max_parallel_workers = 8")
work=$(scratch_dir)
chmod a+x "$work"
trap 'cluster_remove "$work/main"; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
backups=${BACKUPS:-$work/backups}
mkdir -p "$backups"
PATH=$(pg_bindir):$PATH
cluster_create "$work/main" --preload pg_stat_statements --durable "${conf[@]}" ${CONF:+--conf "$CONF"}
eval "$(cluster_env "$work/main")"
sql() { psql -XAtq -v ON_ERROR_STOP=1 "$@"; }

definition() {
    case $1 in
        narrow) echo "CREATE TABLE narrow (aid bigint NOT NULL, bid integer NOT NULL, abalance integer NOT NULL, touched timestamp NOT NULL, filler character(84))" ;;
        wide) echo "CREATE TABLE wide (id bigint NOT NULL, customer integer NOT NULL, created timestamptz NOT NULL, title text, body text, street text, city text, note text)" ;;
    esac
}
key() { [ "$1" = narrow ] && echo aid || echo id; }
indexed() { [ "$1" = narrow ] && echo "bid touched" || echo "customer created"; }
# About 130 bytes of text a row, and about 1,000.
rows() {
    case $1 in
        narrow) echo "SELECT n, n % 1000, (hashint8(n) % 5000), timestamp '2025-01-01' + n * interval '1 s', '' FROM generate_series(1, $((megabytes * 1048576 / 130))::bigint) n" ;;
        wide) echo "SELECT n, abs(hashint8(n)) % 100000, timestamptz '2025-01-01 UTC' + n * interval '1 s', 'Title of number ' || n,
            (SELECT string_agg(md5((n * 32 + i)::text), ' ') FROM generate_series(1, 23) i), md5(n::text) || ' street', 'city ' || n % 5000,
            CASE WHEN n % 3 = 0 THEN 'note ' || repeat('and so on, ', (n % 10)::int) END FROM generate_series(1, $((megabytes * 1048576 / 1000))::bigint) n" ;;
    esac
}

archive() { echo "$backups/$1-$megabytes.$2"; }

make_archives() {
    local table=$1 format
    [ -n "$(for format in $FORMATS; do [ -e "$(archive "$table" "$format")" ] || echo missing; done)" ] || return 0
    sql -c "CREATE DATABASE made"
    sql -d made -c "$(definition "$table")" -c "INSERT INTO $table $(rows "$table")" -c "ALTER TABLE $table ADD PRIMARY KEY ($(key "$table"))"
    for column in $(indexed "$table"); do sql -d made -c "CREATE INDEX ON $table ($column)"; done
    for format in $FORMATS; do pg_dump -F"$format" -f "$(archive "$table" "$format")" made; done
    chmod -R a+rX "$backups"
    sql -c "DROP DATABASE made"
}

# Ticks of the server and all that it has waited for, and of this shell's children.
ticks() {
    local postmaster pids
    postmaster=$(head -n 1 "$work/main/data/postmaster.pid")
    pids=$(cat "/proc/$postmaster/task/$postmaster/children")
    {
        awk '{ sub(/^.*\) /, ""); print $12 + $13 + $14 + $15 }' "/proc/$postmaster/stat"
        for pid in $pids; do awk '{ sub(/^.*\) /, ""); print $12 + $13 }' "/proc/$pid/stat" 2>/dev/null || true; done
        awk '{ sub(/^.*\) /, ""); print $14 + $15 }' "/proc/$$/stat"
    } | awk '{ sum += $1 } END { print sum }'
}

way_foreshard() {
    local table=$1 format=$2
    PGAPPNAME=restore sql -d target -c "SET client_min_messages = warning" -c "SELECT FROM restore_table('public.$table', '$(archive "$table" "$format")',
        '{\"query_log\": \"off\", \"shard_key\": [\"$(key "$table")\"], \"method\": \"hash\", \"shard_count\": 16}')"
}

way_partitions() {
    local table=$1 format=$2 part columns
    {
        echo "$(definition "$table") PARTITION BY HASH ($(key "$table"));"
        for part in $(seq 0 15); do echo "CREATE TABLE ${table}_$part PARTITION OF $table FOR VALUES WITH (MODULUS 16, REMAINDER $part);"; done
    } | sql -d target
    pg_restore -j 2 --data-only -t "$table" -d target "$(archive "$table" "$format")"
    sql -d target -c "ALTER TABLE $table ADD PRIMARY KEY ($(key "$table"))"
    read -r -a columns <<<"$(indexed "$table")"
    sql -d target -c "CREATE INDEX ON $table (${columns[0]})" &
    sql -d target -c "CREATE INDEX ON $table (${columns[1]})"
    wait $!
    sql -d target -c "ANALYZE $table"
}

way_plain() {
    local table=$1 format=$2
    pg_restore -j 2 -d target "$(archive "$table" "$format")"
    sql -d target -c "ANALYZE $table"
}

way_unpack() { pg_restore --data-only -t "$1" -f - "$(archive "$1" "$2")" >/dev/null; }
prepare_copy() {
    [ -e "$work/$1.rows" ] || pg_restore --data-only -t "$1" -f - "$(archive "$1" "$2")" | sed -e '1,/^COPY /d' -e '/^\\\.$/,$d' >"$work/$1.rows"
    chmod a+r "$work/$1.rows"
    sql -d target -c "$(definition "$1")"
    cat "$work/$1.rows" >/dev/null
}
way_copy() { sql -d target -c "COPY $1 FROM '$work/$1.rows'"; }
prepare_index() { prepare_copy "$@"; way_copy "$@"; }
way_index() {
    local column
    sql -d target -c "ALTER TABLE $1 ADD PRIMARY KEY ($(key "$1"))"
    for column in $(indexed "$1"); do sql -d target -c "CREATE INDEX ON $1 ($column)"; done
}
prepare_wal() { prepare_index "$@"; way_index "$@"; sql -d target -c "SELECT pg_total_relation_size('$1') / 1048576" >"$work/size"; }
way_wal() { dd if=/dev/zero of="$work/wal" bs=1M count="$(cat "$work/size")" conv=fdatasync 2>/dev/null; rm "$work/wal"; }

one() {
    local way=$1 table=$2 format=$3 begun ended lsn before
    sql -c "DROP DATABASE IF EXISTS target" -c "CREATE DATABASE target"
    [ "$way" != foreshard ] || sql -d target -c "CREATE EXTENSION foreshard"
    [ "$(type -t "prepare_$way")" != function ] || "prepare_$way" "$table" "$format" >/dev/null
    sql -c "CHECKPOINT"
    sync
    lsn=$(sql -c "SELECT pg_current_wal_insert_lsn()") before=$(ticks) begun=$(date +%s%N)
    "way_$way" "$table" "$format" >/dev/null
    ended=$(date +%s%N)
    # Processes that have ended are waited for.
    sleep 1
    sql -c "SELECT '$way $table $format', round(($ended - $begun) / 1e9, 2), ($(ticks) - $before) / 100.0,
        round(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '$lsn') / 1048576)" | tr '|' ' ' | tee -a "$work/runs"
}

FORMATS=${FORMATS:-c d}
for table in ${TABLES:-narrow wide}; do make_archives "$table"; done
echo "way table format seconds cpu_seconds wal_mb"
for run in $(seq "$runs"); do
    for table in ${TABLES:-narrow wide}; do
        for format in $FORMATS; do
            for way in $ways; do one "$way" "$table" "$format"; done
        done
    done
done

median() { sort -n | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'; }
echo
echo "| table | archive | way | seconds | CPU seconds | WAL, MB | foreshard's part of the seconds |"
echo "| --- | --- | --- | --- | --- | --- | --- |"
for table in ${TABLES:-narrow wide}; do
    for format in $FORMATS; do
        ours=$(awk "/^foreshard $table $format / { print \$4 }" "$work/runs" | median)
        for way in $ways; do
            figure() { awk "/^$way $table $format / { print \$$1 }" "$work/runs" | median; }
            echo "| $table | -F$format | $way | $(figure 4) | $(figure 5) | $(figure 6) | $(awk "BEGIN { printf \"%.2f\", $ours / $(figure 4) }") |"
        done
    done
done
