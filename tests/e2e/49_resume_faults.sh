#!/usr/bin/env bash
# What may happen to a restore that was kept (`"on_failure": "keep"`) before it is finished: a crash of the server at once, a restart, a
# crash while it is gone on with, another backup, another role, a table that was changed; and who may see it. Its first call
# fails because its pg_restore is killed in the middle of the rows.
. "$(dirname -- "$0")/lib.sh"
. "$(dirname -- "$0")/victim.sh"

rows=300000
# A blow needs a restore that is under way: pg_restore gives the rows slowly, 13 MB in two seconds.
cat >"$work/pg_restore" <<SH
#!/usr/bin/env bash
exec cat < <("$(pg_bindir)/pg_restore" "\$@" | { for _ in \$(seq 13); do head -c 1000000; sleep 0.15; done; cat; })
SH
chmod 755 "$work/pg_restore"
server main --preload pg_stat_statements --conf "synchronous_commit = on" --conf "autovacuum = off" --conf "foreshard.pg_restore = '$work/pg_restore'"
sql main "CREATE DATABASE shop"
sql main "CREATE TABLE orders (id bigint PRIMARY KEY, customer int NOT NULL, note text); CREATE INDEX ON orders (note);
    INSERT INTO orders SELECT n, n % 9973, md5(n::text) FROM generate_series(1, $rows) n" shop
backup=$(backups main)/shop.dump
piped_backup shop "$backup"
sql main "CREATE EXTENSION foreshard"
layout='"shard_key": ["customer"], "method": "hash", "shard_count": 4' shards=4
call() { echo "SELECT job_id, relation, rows FROM restore_table('public.orders', '$backup', '$1')"; }
# What it gives when it is through.
through='[0-9]+\|orders\|[0-9]+'
content() { sql main "SELECT count(*), md5(string_agg(o::text, ',' ORDER BY id)) FROM $1 o" "${2:-}"; }
expected=$(content orders shop)

# struck PATTERN COMMAND...: runs the command, for which $pid is the victim's backend, when the victim has loaded more than $beyond rows.
# A victim that got away is begun again, after `again`.
struck() {
    for _ in $(seq 20); do
        begin ""
        while kill -0 $victim 2>/dev/null; do
            [ "$(sql main "SELECT rows > $beyond FROM foreshard.jobs WHERE state = 'running' AND phase = 'loading'" 2>/dev/null)" = t ] || continue
            pid=$(backend)
            "${@:2}" >/dev/null 2>&1 || true
            break
        done
        wait $victim || true
        wait_alive
        grep -qE "$1" "$work/victim.out" && return
        again
    done
    echo "never struck"
    return 1
}
kill_child() { kill -KILL "$(ps -o pid= --ppid "$pid" | head -n 1)"; }
crash_backend() { kill -KILL "$pid"; }
crash_server() { crash main && start main; }

# A restore that fails in the middle of its rows: sets job and kept.
fail_in_the_middle() {
    beyond=100000 restore=$(call "{\"query_log\": \"off\", $layout, \"on_failure\": \"keep\"}")
    again() { grep -qE "$through" "$work/victim.out" && forget || drop_unfinished; }
    while :; do
        struck 'WARNING:  58030: the restore of public.orders is not finished: pg_restore was ended by a signal' kill_child
        job=$(sql main "SELECT max(job_id) FROM foreshard.jobs")
        kept=$(sql main "SELECT rows FROM foreshard.jobs WHERE job_id = $job")
        [ "$kept" = 0 ] || return 0
        drop_unfinished
    done
}
drop_unfinished() { sql main "SELECT foreshard.cancel_job(job_id) FROM foreshard.jobs WHERE state = 'failed'" >/dev/null; }
# Rows that are kept, and how many of them are none of the backup's. The first as the server has them, be it after a crash.
standing() { sql main "SELECT count(*), count(*) FILTER (WHERE note <> md5(id::text)) FROM orders_unfinished_$job"; }
finish_it() {
    check "$1: it goes on and is finished" "$job|orders|$rows" "$(sql main "$(call "{\"resume\": $job}")" 2>/dev/null)"
    check "$1: all is there" "$expected" "$(content orders)"
    check "$1: and verified" "$shards|$rows|0|t" \
        "$(sql main "SELECT count(*), sum(rows), sum(misplaced_rows), bool_and(ok) FROM foreshard.verify_table('public.orders')")"
}

for level in replica minimal; do
    sql main "ALTER SYSTEM SET wal_level = $level"
    sql main "ALTER SYSTEM SET max_wal_senders = $([ $level = minimal ] && echo 0 || echo 10)"
    restart main
    before=$(traces)

    fail_in_the_middle
    crash_server
    check "$level, a crash at once: what was kept is there" "$kept|0" "$(standing)"
    restart main
    finish_it "$level, after a crash and a restart"
    crash_server
    check "$level: and outlives a crash" "$expected" "$(content orders)"
    forget

    for blow in crash_backend crash_server; do
        fail_in_the_middle
        beyond=$((kept + 20000)) restore=$(call "{\"resume\": $job}")
        again() { echo "a resume was not struck"; return 1; }
        struck 'server closed the connection|terminating connection|connection to server was lost' $blow
        check "$level, $blow while it goes on: it is still one to go on with" "failed|$kept" "$(sql main "SELECT state, rows FROM foreshard.jobs WHERE job_id = $job")"
        check "$level, $blow while it goes on: nothing has the target's name" "" "$(sql main "SELECT to_regclass('orders')")"
        finish_it "$level, $blow while it goes on"
        forget
    done
    check "$level: nothing is left" "$(head -n 8 <<<"$before")" "$(traces | head -n 8)"
done

# Cancelled, it stays as it was: whoever cancels wants an error.
fail_in_the_middle
beyond=$kept restore=$(call "{\"resume\": $job}")
again() { return 1; }
struck 'ERROR:  57014: canceling statement due to user request' sql main "SELECT pg_cancel_backend(pid) FROM foreshard.jobs WHERE state = 'running'"
check "cancelled while it goes on: it is still one to go on with" "failed|$kept" "$(sql main "SELECT state, rows FROM foreshard.jobs WHERE job_id = $job")"
sql main "BEGIN; $restore; ROLLBACK" 2>/dev/null >"$work/out"
check "rolled back as well" "$job|orders|$rows" "$(cat "$work/out")"
check "and nothing was published" "" "$(sql main "SELECT to_regclass('orders')")"

# Others.
sql main "CREATE ROLE other; GRANT pg_read_server_files TO other; GRANT USAGE, CREATE ON SCHEMA public TO other; GRANT USAGE ON SCHEMA foreshard TO other;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA foreshard TO other; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA foreshard TO other;
    GRANT EXECUTE ON FUNCTION restore_table(text, text, jsonb) TO other"
check_error "another role does not go on with it" "42501: must be owner of table orders_unfinished_$job" main "SET ROLE other; $restore"
check_error "nor removes it" "42501: must be owner of table orders_unfinished_$job" main "SET ROLE other; SELECT foreshard.cancel_job($job)"
sql main "ALTER TABLE orders_unfinished_$job OWNER TO other"
check_error "nor does a superuser, who would run what its owner has put there" "42501: must be owner of table orders_unfinished_$job" main "$restore"
sql main "ALTER TABLE orders_unfinished_$job OWNER TO postgres; ALTER TABLE orders_s0001 OWNER TO other"
check_error "nor is a part given away" "55000: what job $job has kept was changed since" main "$restore"
sql main "ALTER TABLE orders_s0001 OWNER TO postgres; CREATE TABLE precious AS SELECT n AS id, n AS customer, ''::text AS note FROM generate_series(1, 9999) n"
check_error "nor has a record of its own making another table cut" '55000: what job [0-9]+ has kept is not there any more' main \
    "BEGIN; UPDATE foreshard._unfinished SET relation = 'precious'::regclass, target = '{public,precious}' WHERE job_id = $job; SET ROLE other;
    SELECT * FROM restore_table('public.precious', '$backup', '{\"resume\": $job}')"
check_error "nor brings statements in" '0A000: what job [0-9]+ has kept cannot be read' main \
    "BEGIN; UPDATE foreshard._unfinished SET progress = progress || '{\"sequences\": [{\"sequence\": {\"schema\": \"public\", \"name\": \"s\"}, \"arguments\": \"1); DROP TABLE precious; --\"}]}'; $restore"
check "it is whole" 9999 "$(sql main "SELECT count(*) FROM precious")"
check_error "the target is named" '22023: job [0-9]+ restores another table' main "SELECT * FROM restore_table('public.others', '$backup', '{\"resume\": $job}')"
check_error "other fields are not taken" '22023: a job is resumed as it was begun' main "$(call "{\"resume\": $job, \"shard_count\": 2}")"
check_error "the job is there" '42704: job 99999 does not exist' main "$(call '{"resume": 99999}')"
check_error "of a live table nothing is kept" '0A000: a restore from a live table cannot be kept' main \
    "SELECT * FROM restore_table('public.copy', 'table:public.precious', '{\"on_failure\": \"keep\"}')"

# The backup and the kept tables must be the same.
cp -p "$backup" "$backup.same"
touch "$backup"
check_error "another time of the backup is another backup" '55000: the backup is not the one' main "$restore"
touch -r "$backup.same" "$backup"
head -c 100 /dev/zero >>"$backup"
touch -r "$backup.same" "$backup"
check_error "and so is another size" '55000: the backup is not the one' main "$restore"
cp -p "$backup.same" "$backup"
check_error "a table in between stands in the way" '42P07: relation "public.orders" already exists' main "CREATE TABLE orders (); $restore"
sql main "DROP TABLE IF EXISTS orders"
for change in "TRUNCATE orders_s0001" "VACUUM FULL orders_s0001" "DROP TABLE orders_s0001" "ALTER TABLE orders_unfinished DETACH PARTITION orders_s0002"; do
    sql main "${change/unfinished/unfinished_$job}"
    check_error "$change: is seen" "55000: what job $job has kept was changed since" main "$restore"
    case $change in ALTER*) sql main "DROP TABLE orders_s0002" ;; esac
    drop_unfinished
    check "and what is left can be removed" "cancelled|0" "$(sql main "SELECT state, (SELECT count(*) FROM pg_class WHERE relname LIKE 'orders%') FROM foreshard.jobs WHERE job_id = $job")"
    fail_in_the_middle
    restore=$(call "{\"resume\": $job}")
done
sql main "UPDATE orders_unfinished_$job SET note = 'x' WHERE id = (SELECT min(id) FROM orders_unfinished_$job)"
check_error "a row that was changed is found when all is verified" 'XX001: the restored table differs from the backup in its content' main "$restore"
sql main "DELETE FROM orders_unfinished_$job WHERE id = (SELECT min(id) FROM orders_unfinished_$job)"
check_error "and so is one that was deleted" 'XX001: the restored table differs from the backup in its number of rows' main "$restore"
sql main "DROP TABLE orders_unfinished_$job"
check_error "dropped it is gone" "55000: what job $job has kept is not there any more" main "$restore"
check "its job can be ended" "" "$(sql main "SELECT foreshard.cancel_job($job)")"
check_error "and the table restored anew does not know it" "55000: job $job is not unfinished" main "SELECT foreshard.cancel_job($job)"

# Rows that policies will hide are shown to nobody before these are there.
sql main "CREATE ROLE reader; ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO reader"
fail_in_the_middle
check "grants of the database do not reach what is kept" 0 "$(sql main "SET ROLE reader; SELECT count(*) FROM orders_unfinished_$job")"
finish_it "with grants"
check "and reach the table" "$rows" "$(sql main "SET ROLE reader; SELECT count(*) FROM orders")"

# One table, and two levels of partitions.
while read -r shards layout; do
    forget
    fail_in_the_middle
    check "$layout: what was kept is there" "$kept|0" "$(standing)"
    finish_it "$layout"
done <<'LAYOUTS'
1 "method": "none"
4 "shard_key": ["customer"], "method": "hash", "shard_count": 4, "within": {"shard_key": ["id"], "shard_count": 2}
LAYOUTS
check "no process of the server fell by itself" "" "$(grep -E 'PANIC|terminated by signal (6|11)' "$work/main/log" || true)"
