#!/usr/bin/env bash
# Whether the planner's number of shards is the right one: for each workload the throughput at 1, 2, 4 … 512 shards on one
# server, and the count that foreshard.plan_restore chooses from that workload's real query log (taken on the plain table) and
# its dump. Rounds are interleaved, so that a busy machine slows all counts alike; a figure is the median of the rounds.
# Prints the tables of count.md. COUNTS, ROUNDS, SECONDS_EACH and WORKLOADS say how much is measured.
. "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/cluster.sh"
set -euo pipefail

counts=${COUNTS:-1 2 4 8 16 32 64 128 256 512}
rounds=${ROUNDS:-5}
seconds=${SECONDS_EACH:-1}
constant=$((4 * $(nproc)))
clients=4

work=$(scratch_dir)
trap 'cluster_remove "$work/main"; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cluster_create "$work/main" --preload pg_stat_statements --conf "max_locks_per_transaction = 1024" --conf "jit = off" \
    --conf "autovacuum_naptime = 5s" --conf "pg_stat_statements.track_utility = off"
eval "$(cluster_env "$work/main")"
run() { PGOPTIONS="${PGOPTIONS:-} -c client_min_messages=warning" psql -XAtq -v ON_ERROR_STOP=1 "$@"; }
run -c "CREATE EXTENSION pg_stat_statements" -c "CREATE EXTENSION foreshard" -c "CREATE SEQUENCE ids CACHE 1000 START 1000000000"
mkdir "$work/tps"

# The workloads: how a table is cut, its rows, its indexes, and a transaction. `:t` is the table.
title_point="point reads" cut_point=hash rows_point=100000
script_point='\set id random(1, 100000)
SELECT v FROM :t WHERE id = :id;'

title_writes="contended point writes" cut_writes=hash rows_writes=100000
script_writes='\set id random_zipfian(1, 100000, 1.2)
UPDATE :t SET v = v + 1 WHERE id = :id;'

title_range="range scans over the key" cut_range=range rows_range=100000
script_range='\set id random(1, 99000)
SELECT count(*), sum(v) FROM :t WHERE id BETWEEN :id AND :id + 500;'

title_scatter="scatter aggregates" cut_scatter=hash rows_scatter=100000
script_scatter='SELECT kind, sum(v) FROM :t GROUP BY kind;'

title_owner="look-ups that name no key" cut_owner=hash rows_owner=100000
script_owner='\set owner random(1, 10000)
SELECT sum(v) FROM :t WHERE owner = :owner;'

title_load="bulk load, 1,000 rows each" cut_load=hash rows_load=20000
script_load='INSERT INTO :t SELECT nextval($$ids$$), 1 + (random() * 9999)::int, 0, 0, $$x$$ FROM generate_series(1, 1000);'

title_large="point reads, larger than memory" cut_large=hash rows_large=100000
script_large=$script_point

title_unindexed="periods without an index" cut_unindexed=range rows_unindexed=50000
script_unindexed='\set at random(1, 49000)
SELECT id, v FROM :t WHERE at BETWEEN :at AND :at + 500;'

title_retention="retention: new rows in, old rows out" cut_retention=range rows_retention=50000
script_retention='SELECT turn_over($$:t$$);'

# A plain table for 1, else so many shards; ranges are even over the rows.
make() {
    local workload=$1 n=$2 table=${1}_$2 cut=cut_$1 rows=rows_$1 key=id width=40
    case $workload in large) width=900 ;; unindexed | retention) key=at ;; esac
    local columns="id bigint NOT NULL, owner int NOT NULL, kind int NOT NULL, v int NOT NULL, pad text"
    local primary="ALTER TABLE $table ADD PRIMARY KEY (id); CREATE INDEX ON $table (owner)"
    if [ $key = at ]; then columns="id bigint NOT NULL, at bigint NOT NULL, v int NOT NULL, pad text" primary=""; fi
    if [ "$n" = 1 ]; then
        run -c "CREATE TABLE $table ($columns); $primary"
    else
        run -c "CREATE TABLE $table ($columns) PARTITION BY ${!cut} ($key); $primary" -c "DO \$\$ BEGIN FOR r IN 0..$((n - 1)) LOOP
            EXECUTE format('CREATE TABLE ${table}_p%s PARTITION OF $table FOR VALUES ' || CASE '${!cut}' WHEN 'hash' THEN 'WITH (MODULUS $n, REMAINDER %1\$s)'
                ELSE 'FROM (%2\$s) TO (%3\$s)' END, r, CASE r WHEN 0 THEN 'MINVALUE' ELSE (r * ${!rows}::bigint / $n + 1)::text END,
                CASE r WHEN $n - 1 THEN CASE '$workload' WHEN 'retention' THEN (${!rows} + 1)::text ELSE 'MAXVALUE' END
                       ELSE ((r + 1) * ${!rows}::bigint / $n + 1)::text END);
            END LOOP; END \$\$"
    fi
    if [ $key = at ]; then
        run -c "INSERT INTO $table SELECT i, i, 0, repeat('x', $width) FROM generate_series(1, ${!rows}) i"
    else
        run -c "INSERT INTO $table SELECT i, i % 10000, i % 20, 0, repeat('x', $width) FROM generate_series(1, ${!rows}) i"
    fi
    if [ "$workload" = retention ]; then
        local upkeep="IF last % 500 = 0 THEN DELETE FROM $table WHERE at <= last - ${!rows}; END IF;"
        [ "$n" = 1 ] || upkeep="PERFORM replace_oldest('$table', ${!rows} / $n, last, ${!rows});"
        run -c "CREATE TABLE ${table}_clock (last bigint); INSERT INTO ${table}_clock VALUES (${!rows})" -c "
            CREATE FUNCTION turn_over_$table() RETURNS void LANGUAGE plpgsql AS \$\$
            DECLARE last bigint;
            BEGIN
                UPDATE ${table}_clock c SET last = c.last + 500 RETURNING c.last INTO last;
                $upkeep
                INSERT INTO $table SELECT i, i, 0, '' FROM generate_series(last - 499, last) i;
            END \$\$"
    fi
    run -c "VACUUM ANALYZE $table"
}

# Makes the range that new rows need, and drops the one that has become too old.
run <<'SQL'
CREATE FUNCTION replace_oldest(name text, width bigint, last bigint, kept bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    part record;
    top bigint := (SELECT max((regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \(''?(\d+)''?\)'))[1]::bigint)
                   FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = name::regclass);
BEGIN
    WHILE top <= last LOOP
        EXECUTE format('CREATE TABLE %s_n%s PARTITION OF %1$s FOR VALUES FROM (%2$s) TO (%s)', name, top, top + width);
        top := top + width;
    END LOOP;
    FOR part IN SELECT c.oid::regclass AS leaf, (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \(''?(\d+)''?\)'))[1]::bigint AS upper
                FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = name::regclass LOOP
        IF part.upper <= last - kept THEN EXECUTE format('DROP TABLE %s', part.leaf); END IF;
    END LOOP;
END $$;
SQL

# One run: the transactions of a second.
measure() {
    local workload=$1 n=$2 script=script_$1 many=$clients
    # Who moves the window along is one.
    [ "$workload" != retention ] || many=1
    if [ "$workload" = retention ]; then
        echo "SELECT turn_over_retention_$n();" >"$work/script"
    else
        echo "${!script}" | sed "s/:t\\b/${workload}_$n/" >"$work/script"
    fi
    pgbench -n -M prepared -c $many -j 2 -T "${3:-$seconds}" -f "$work/script" 2>"$work/err" | awk '/^tps/ { print $3 }' || {
        cat "$work/err" >&2
        return 1
    }
}

# The planner's count for a workload: from the log of the plain table and its dump.
predict() {
    local workload=$1
    run -c "SELECT pg_stat_statements_reset()" -c "SET pg_stat_statements.track = 'all'" >/dev/null
    PGOPTIONS="-c pg_stat_statements.track=all" measure "$workload" 1 2 >/dev/null
    run -c "CREATE TABLE log_$workload AS SELECT * FROM pg_stat_statements WHERE query ~ '\m${workload}_1\M' AND query !~ 'CREATE|turn_over'"
    pg_dump -Fc -t "${workload}_1" -f "$work/main/backups/$workload.dump" postgres
    run -c "SET client_min_messages = error" -c "SELECT shard_count, method, array_to_string(shard_key, ',') FROM foreshard.plan_restore('public.new_$workload',
        '$work/main/backups/$workload.dump', '{\"source\": \"public.${workload}_1\", \"query_log\": \"log_$workload\"}') WHERE chosen"
}

median() { sort -g "$work/tps/$1.$2" | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

sweep() {
    local workload=$1 chosen predicted n all title=title_$1
    make "$workload" 1
    chosen=$(predict "$workload")
    predicted=${chosen%%|*}
    all=$(tr ' ' '\n' <<<"$counts $predicted $constant 32" | sort -nu)
    # What the log was taken on has changed.
    run -c "DROP TABLE ${workload}_1" -c "DROP TABLE IF EXISTS ${workload}_1_clock" -c "DROP FUNCTION IF EXISTS turn_over_${workload}_1"
    for n in $all; do make "$workload" "$n"; done
    for n in $all; do measure "$workload" "$n" >/dev/null; done
    for _ in $(seq 1 "$rounds"); do
        for n in $all; do measure "$workload" "$n" >>"$work/tps/$workload.$n"; done
    done
    for n in $all; do echo "$n $(median "$workload" "$n")"; done | awk -v title="${!title}" -v chosen="$chosen" -v predicted="$predicted" -v constant="$constant" '
        { tps[$1] = $2; if ($2 > best) { best = $2; at = $1 } }
        END {
            split(chosen, plan, "|")
            name = plan[2] == "none" ? "none" : plan[2] " on " plan[3]
            printf "| %s | %d | %d (%s) | %.0f %% | %.0f %% | %.0f %% |\n", title, at, predicted, name, 100 * tps[predicted] / best, 100 * tps[32] / best, 100 * tps[constant] / best
        }' >>"$work/summary"
    printf '| %s |' "${!title}" >>"$work/all"
    for n in $counts; do printf ' %.0f |' "$(median "$workload" "$n")" >>"$work/all"; done
    echo >>"$work/all"
    for n in $all; do run -c "DROP TABLE ${workload}_$n" -c "DROP TABLE IF EXISTS ${workload}_${n}_clock"; done
    tail -n 1 "$work/summary" >&2
}

printf '| workload | best count | planned | planned / best | 32 / best | 4 x cores / best |\n| --- | ---: | --- | ---: | ---: | ---: |\n' >"$work/summary"
{
    printf '| transactions a second at |'
    for n in $counts; do printf ' %s |' "$n"; done
    printf '\n| --- |'
    for n in $counts; do printf ' ---: |'; done
    echo
} >"$work/all"
for workload in ${WORKLOADS:-point writes range scatter owner load unindexed retention}; do sweep "$workload"; done
if [[ " ${WORKLOADS:-large} " = *" large "* ]]; then
    run -c "ALTER SYSTEM SET shared_buffers = '16MB'"
    cluster_restart "$work/main"
    sweep large
fi
cat "$work/summary"
echo
cat "$work/all"
