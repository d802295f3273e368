#!/usr/bin/env bash
# A restore that is asked to keep what was done (`"on_failure": "keep"`): when a disk is full, or pg_restore is killed, it
# stands under a name that says so, and goes on where it was. Which rows were loaded when is told by their xmin, and by nothing of ours.
. "$(dirname -- "$0")/lib.sh"
. "$(dirname -- "$0")/victim.sh"

server main --preload pg_stat_statements --conf "autovacuum = off" --conf "synchronous_commit = on"
sql main "CREATE DATABASE shop"
# Little to read, much to write: pages that are left empty by nine tenths.
sql main "CREATE TABLE customers (id int PRIMARY KEY); INSERT INTO customers SELECT generate_series(0, 99);
    CREATE TABLE orders (id bigserial, customer int NOT NULL REFERENCES customers, note text, PRIMARY KEY (id)) WITH (fillfactor = 10);
    CREATE INDEX ON orders (note) WITH (fillfactor = 10); CREATE INDEX ON orders (customer);
    INSERT INTO orders SELECT n, n % 100, n || repeat(md5(n::text), 9) FROM generate_series(1, 30000) AS n;
    UPDATE orders SET note = repeat(md5(id::text), 90) WHERE id % 1000 = 0;
    SELECT setval('orders_id_seq', 30000)" shop >/dev/null
backup=$(backups main)/shop.dump
on main pg_dump -Fc -Z1 -f "$backup" shop
sql main "CREATE EXTENSION foreshard; CREATE TABLE customers (id int PRIMARY KEY); INSERT INTO customers SELECT generate_series(0, 99)"
config='"query_log": "off", "method": "hash", "shard_key": ["id"], "shard_count": 2, "nodes": ["small"]'
keep="{$config, \"on_failure\": \"keep\"}"
restore_with() { echo "SELECT job_id, relation, rows FROM restore_table('public.orders', '$backup', '$1')"; }
restore=$(restore_with "$keep")

disk=$(tablespace main small)
# Where no file system may be mounted, files that may not grow are the full disk; that has no room for rows and none for indexes.
mounted=no
if (as_root mount -t tmpfs -o size=40m,mode=700,uid="$(id -u "$(server_user)")" foreshard "$disk") 2>/dev/null; then mounted=yes; fi
postmaster=$(head -n 1 "$work/main/data/postmaster.pid")
room() {
    case $mounted$1 in
        yes*) as_root mount -o remount,size=$1 "$disk" ;;
        no40m) as_server prlimit --pid "$postmaster" --fsize=$((16 * 1024 * 1024 + 4096)): ;;
        *) as_server prlimit --pid "$postmaster" --fsize=unlimited: ;;
    esac
}
sql main "CREATE TABLESPACE small LOCATION '$disk'"
sql main "SELECT foreshard.add_node('small', tablespace => 'small')" >/dev/null

content() { sql main "SELECT count(*), md5(string_agg(o::text, ',' ORDER BY id)) FROM $1 o"; }
expected=$(sql main "SELECT count(*), md5(string_agg(o::text, ',' ORDER BY id)) FROM orders o" shop)
files() { as_server find "$work/main/tablespaces" -type f -size +0; }
resume() { restore_with "{\"resume\": $1}"; }
verified() { sql main "SELECT sum(rows), sum(misplaced_rows), bool_and(ok) FROM foreshard.verify_table('public.orders')"; }
forget_all() {
    sql main "DROP TABLE orders; TRUNCATE foreshard._plans, foreshard._jobs, foreshard._tables, foreshard._shards, foreshard._unfinished"
}
for threads in -1 0; do
    export PGOPTIONS="-c foreshard.load_threads=$threads"
    before=$(traces; files)
    room 40m
    row=$(sql main "$restore" 2>"$work/said")
    job=${row%%|*}
    check_match "threads $threads: the call returns, and says that there is no table" '^[0-9]+\|\|[1-9][0-9]*$' "$row"
    check_match "what failed is a warning" '^WARNING:  the restore of public.orders is not finished: could not extend file' "$(cat "$work/said")"
    check_match "with how to go on" "HINT:  When the cause is gone, go on: SELECT .* FROM restore_table\\('public.orders', '$backup', '\\{\"resume\": $job\\}'\\); Or remove it: SELECT foreshard.cancel_job\\($job\\);" "$(cat "$work/said")"
    check "nothing stands under the target's name" "" "$(sql main "SELECT to_regclass('public.orders')")"
    kept=$(sql main "SELECT count(*) FROM orders_unfinished_$job")
    check "what is kept is what the job says" "failed|loading|$kept" "$(sql main "SELECT state, phase, rows FROM foreshard.jobs WHERE job_id = $job")"
    check "and it is much of what fits" t "$(sql main "SELECT $kept BETWEEN 4000 AND 20000")"
    check_error "the target is not restored anew" '55000: an unfinished restore of "public.orders" was kept' main "$restore"
    check_match "on a disk that is still full it is kept again" "^$job\\|\\|$kept$" "$(sql main "$(resume "$job")" 2>/dev/null)"
    last=$(sql main "SELECT max(xmin::text::bigint) FROM orders_unfinished_$job")
    # Room for the rows, not for all indexes.
    if [ $mounted = yes ]; then
        room 130m
        check "with room for the rows the indexes fail" "$job||30000" "$(sql main "$(resume "$job")" 2>"$work/said")"
        check_match "which goes on with what it had" "NOTICE:  job $job goes on: $kept rows were loaded before" "$(cat "$work/said")"
        check "and is kept again" "failed|finishing|30000" "$(sql main "SELECT state, phase, rows FROM foreshard.jobs WHERE job_id = $job")"
        loaded=$(sql main "SELECT max(xmin::text::bigint) FROM orders_unfinished_$job")
    fi
    room 400m
    check "with all room it is finished" "$job|orders|30000" "$(sql main "$(resume "$job")" 2>/dev/null)"
    check "the rows of the first call were not loaded again" "$kept" "$(sql main "SELECT count(*) FROM orders WHERE xmin::text::bigint <= $last")"
    [ $mounted = no ] || check "nor were those of the second" 30000 "$(sql main "SELECT count(*) FROM orders WHERE xmin::text::bigint <= $loaded")"
    check "all is there" "$expected" "$(content orders)"
    check "and verified" "30000|0|t" "$(verified)"
    check "with its indexes, its reference, its sequence and its column's" "3|1|30000|public.orders_id_seq" "$(sql main "SELECT (SELECT count(*) FROM pg_index WHERE indrelid = 'orders'::regclass AND indisvalid),
        (SELECT count(*) FROM pg_constraint WHERE conrelid = 'orders'::regclass AND contype = 'f'), (SELECT last_value FROM orders_id_seq), pg_get_serial_sequence('orders', 'id')")"
    check "row security is off" f "$(sql main "SELECT relrowsecurity FROM pg_class WHERE oid = 'orders'::regclass")"
    check "the job is done" "done||30000" "$(sql main "SELECT state, phase, rows FROM foreshard.jobs")"
    check_error "and cannot be resumed twice" "55000: job $job is not unfinished" main "$(resume "$job")"
    forget_all
    check "threads $threads: nothing is left" "$before" "$(traces; files)"

    # Who does not want it any more.
    room 40m
    job=$(sql main "$restore" 2>/dev/null)
    job=${job%%|*}
    check "threads $threads: what is kept can be removed" "" "$(sql main "SELECT foreshard.cancel_job($job)")"
    check "the job says so" "$job|cancelled|" "$(sql main "SELECT job_id, state, phase FROM foreshard.jobs")"
    sql main "TRUNCATE foreshard._plans, foreshard._jobs"
    check "and nothing is left" "$before" "$(traces; files)"
done
check_error "without being asked for nothing is kept" '53100: could not extend file' main "$(restore_with "{$config}")"

# Files of rows are kept file by file; the rest is read in the time zone of the first call. Here the files of the server may not grow.
unset PGOPTIONS
sql main "CREATE TABLE events (id int, at timestamptz, note text);
    INSERT INTO events SELECT n, '2026-01-01 12:00+00'::timestamptz + n * interval '1 min', repeat(md5(n::text), 9) FROM generate_series(1, 120000) n"
for part in 0 1 2; do
    sql main "SET timezone = 'UTC'; COPY (SELECT * FROM events WHERE id % 3 = $part) TO STDOUT (FORMAT csv, HEADER)" | sed 's/+00,/,/' >"$(backups main)/part$part.csv"
done
files_of() { echo "SELECT job_id, relation, rows FROM restore_table('public.copy', '$(backups main)/part*.csv', '$1')"; }
postmaster=$(head -n 1 "$work/main/data/postmaster.pid")
as_server prlimit --pid "$postmaster" --fsize=$((16 * 1024 * 1024 + 4096)):
row=$(sql main "SET timezone = 'UTC'; $(files_of '{"format": "csv", "like": "public.events", "copy": {"header": true}, "query_log": "off", "method": "hash",
    "shard_key": ["id"], "shard_count": 2, "nodes": ["default"], "on_failure": "keep"}')" 2>"$work/said")
as_server prlimit --pid "$postmaster" --fsize=unlimited:
check_match "of three files two are kept" '^[0-9]+\|\|80000$' "$row"
check_match "the line that failed is one of the third" 'DETAIL:  At COPY copy, line [0-9]+ of ".*/part2.csv"' "$(cat "$work/said")"
last=$(sql main "SELECT max(xmin::text::bigint) FROM copy_unfinished_${row%%|*}")
check "the rest is loaded by a session with another time zone" "${row%%|*}|copy|120000" "$(sql main "SET timezone = 'Asia/Tokyo'; $(files_of "{\"resume\": ${row%%|*}}")" 2>/dev/null)"
check "all is there" "$(content events)" "$(content copy)"
check "and two files were not loaded again" 80000 "$(sql main "SELECT count(*) FROM copy WHERE xmin::text::bigint <= $last")"
check "no process of the server fell" "" "$(grep -E 'PANIC|terminated by signal' "$work/main/log" || true)"
