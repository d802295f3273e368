#!/usr/bin/env bash
# What a hash partition costs on a real server, by the number of them: a point look-up (simple protocol, prepared with the
# plan that the server chooses, a custom one, the generic one), a statement that cannot be pruned (its planning, its execution), an INSERT of one row
# and of a hundred, a prepared UPDATE, the memory of a backend, the locks that it holds, and making a shard. One table per
# count, all with the same rows and two indexes; rounds are interleaved, so that a busy machine slows all counts alike, and the
# figure is the median. Prints the table of partition_costs.md. COUNTS, ROUNDS and SECONDS say how much is measured.
. "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/cluster.sh"
set -euo pipefail

counts=${COUNTS:-1 8 32 128 512 1024 2048 4096}
rounds=${ROUNDS:-5}
seconds=${SECONDS_EACH:-1}
rows=100000

work=$(scratch_dir)
trap 'cluster_remove "$work/main"; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cluster_create "$work/main" --conf "max_locks_per_transaction = 2048" --conf "autovacuum = off" --conf "jit = off"
eval "$(cluster_env "$work/main")"
run() { psql -XAtq -v ON_ERROR_STOP=1 "$@"; }
mkdir "$work/log" "$work/results"

now() { date +%s%N; }
note() { echo "$3" >>"$work/results/$1.$2"; }
median() { sort -g "$work/results/$1.$2" | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

make_table() {
    local n=$1 start
    local columns="id bigint NOT NULL, owner int NOT NULL, v int NOT NULL, pad text"
    local indexes="ALTER TABLE t$n ADD PRIMARY KEY (id); CREATE INDEX t${n}_owner ON t$n (owner)"
    start=$(now)
    if [ "$n" = 1 ]; then
        run -c "CREATE TABLE t1 ($columns); $indexes"
    else
        run -c "CREATE TABLE t$n ($columns) PARTITION BY HASH (id); $indexes" -c "DO \$\$ BEGIN FOR r IN 0..$((n - 1)) LOOP
            EXECUTE format('CREATE TABLE t${n}_%s PARTITION OF t$n FOR VALUES WITH (MODULUS $n, REMAINDER %s)', r, r); END LOOP; END \$\$"
    fi
    note make "$n" $((($(now) - start) / n / 1000))
    start=$(now)
    run -c "INSERT INTO t$n SELECT i, i / 10, 0, repeat('x', 60) FROM generate_series(1, $rows) i"
    note load "$n" $((($(now) - start) / 1000000))
    run -c "VACUUM ANALYZE t$n"
}

# The median time of a transaction, in microseconds; the mean would count the first one, which fills the caches.
pgbench_median() {
    local what=$1 n=$2 script=$3
    shift 3
    rm -f "$work"/log/p.*
    # The extended protocol takes no variable for a name.
    sed "s/:t\b/t$n/" "$script" >"$work/script"
    pgbench -n -c 1 -T "$seconds" -l --log-prefix="$work/log/p" -f "$work/script" "$@" >/dev/null 2>"$work/log/err" || {
        cat "$work/log/err" >&2
        return 1
    }
    note "$what" "$n" "$(awk '{ print $3 }' "$work"/log/p.* | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }')"
}

cat >"$work/point" <<SQL
\set id random(1, $rows)
SELECT v FROM :t WHERE id = :id;
SQL
cat >"$work/update" <<SQL
\set id random(1, $rows)
UPDATE :t SET v = v + 1 WHERE id = :id;
SQL
cat >"$work/insert" <<SQL
INSERT INTO :t VALUES (nextval('ids'), -1, 0, 'x');
SQL
cat >"$work/insert100" <<SQL
INSERT INTO :t SELECT nextval('ids'), -1, 0, 'x' FROM generate_series(1, 100);
SQL

# Planning and execution of a look-up by a column that is not the key, its locks, and what the backend has grown to.
unpruned() {
    local n=$1 owner
    {
        echo "SELECT pg_backend_pid() AS pid \\gset"
        echo "\\setenv BACKEND :pid"
        for owner in $(seq 1 "${UNPRUNED:-7}"); do echo "EXPLAIN (ANALYZE, TIMING OFF) SELECT sum(v) FROM t$n WHERE owner = $owner;"; done
        echo "BEGIN; SELECT sum(v) FROM t$n WHERE owner = 1; SELECT 'Locks', count(*) FROM pg_locks WHERE pid = pg_backend_pid(); COMMIT;"
        echo "\\! awk '/^RssAnon/ { print \"Memory\", \$2 }' /proc/\$BACKEND/status"
    } | run >"$work/log/unpruned"
    note planning "$n" "$(awk '/^Planning Time/ { print $3 * 1000 }' "$work/log/unpruned" | tail -n +2 | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }')"
    note execution "$n" "$(awk '/^Execution Time/ { print $3 * 1000 }' "$work/log/unpruned" | tail -n +2 | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }')"
    note memory "$n" "$(awk '/^Memory/ { print $2 / 1024 }' "$work/log/unpruned")"
    note locks "$n" "$(awk -F'|' '/^Locks/ { print $2 }' "$work/log/unpruned")"
}

run -c "CREATE SEQUENCE ids CACHE 1000 START 1000000"
for n in $counts; do make_table "$n"; done
for _ in $(seq 1 "$rounds"); do
    for n in $counts; do
        pgbench_median simple "$n" "$work/point" -M simple
        pgbench_median auto "$n" "$work/point" -M prepared
        PGOPTIONS="-c plan_cache_mode=force_custom_plan" pgbench_median custom "$n" "$work/point" -M prepared
        PGOPTIONS="-c plan_cache_mode=force_generic_plan" pgbench_median generic "$n" "$work/point" -M prepared
        pgbench_median insert "$n" "$work/insert" -M prepared
        pgbench_median insert100 "$n" "$work/insert100" -M prepared
        pgbench_median update "$n" "$work/update" -M prepared
        unpruned "$n"
    done
done

row() {
    local what=$1 title=$2 digits=$3 n
    printf '| %s |' "$title"
    for n in $counts; do printf " %.${digits}f |" "$(median "$what" "$n")"; done
    echo
}
printf '| |'
for n in $counts; do printf ' %s |' "$n"; done
printf '\n| --- |'
for n in $counts; do printf ' ---: |'; done
echo
row simple "point look-up, simple protocol, µs" 0
row auto "point look-up, prepared, plan as the server chooses, µs" 0
row custom "point look-up, prepared, custom plan, µs" 0
row generic "point look-up, prepared, generic plan, µs" 0
row planning "not pruned: planning, µs" 0
row execution "not pruned: execution, µs" 0
row insert "INSERT of 1 row, prepared, µs" 0
row insert100 "INSERT of 100 rows, prepared, µs" 0
row update "UPDATE by key, prepared, µs" 0
row memory "memory of a backend, MB" 1
row locks "locks of a statement that is not pruned" 0
row make "making a shard with two indexes, µs" 0
row load "loading 100,000 rows with INSERT … SELECT, ms" 0
