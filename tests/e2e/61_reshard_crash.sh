#!/usr/bin/env bash
# A job is cancelled, and the server killed under it, before and at the end of every step of the list that the jobs themselves follow. Afterwards
# the shards are the old ones or the new ones, complete; nothing else is left; what was killed goes on and comes to its end.
. "$(dirname -- "$0")/lib.sh"
. "$(dirname -- "$0")/load.sh"

server main --preload pg_stat_statements --conf "synchronous_commit = on"
sql main "CREATE EXTENSION foreshard"
make_orders 2000
restore_orders '{"query_log": "off", "method": "hash", "shard_key": ["id"], "shard_count": 2}'
steps=$(grep -o 'name: "[a-z_]*"' "$(dirname -- "$0")/../../src/core/steps/mod.rs" | cut -d '"' -f 2)
check "the list of steps" "create capture copy index catch_up verify switch drop" "$(xargs <<<"$steps")"

# Both tables; rows that are in the middle of a job are changed, and their keys, and some come and go.
write() {
    for table in orders shadow; do
        sql main "UPDATE $table SET customer = customer + 1 WHERE id % 3 = 0; UPDATE $table SET id = -id WHERE abs(id) % 50 = 7; DELETE FROM $table WHERE id % 11 = 1;
            INSERT INTO $table (id, customer, region, day, note) SELECT max(id) + 1, 1, 'west', '2024-03-01', 'new' FROM $table"
    done
}

# Begins to split the largest shard, with a pause; sets job and pid.
begin_paused() {
    job=$(sql main "SET foreshard.pause_at = '$1'; SELECT foreshard.split_shard(shard) FROM foreshard.shards WHERE relation = 'orders'::regclass ORDER BY substring(bound from 'modulus ([0-9]+)')::int, bound LIMIT 1")
    wait_until 60 main "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'foreshard job' AND query = 'paused at $1')"
    pid=$(sql main "SELECT pid FROM pg_stat_activity WHERE backend_type = 'foreshard job'")
}

whole() {
    check "$1: every row is there once" "$(contents shadow)" "$(contents orders)"
    check "$1: every row is where it belongs, nothing is left" "0|t|" "$(sql main "SELECT sum(misplaced_rows), bool_and(ok) FROM foreshard.verify_table('orders')")|$(leftovers)"
}

alive() { sql main "SELECT true" 2>/dev/null || true; }
wait_alive() {
    local deadline=$((SECONDS + 60))
    until [ "$(alive)" = t ]; do
        [ $SECONDS -lt $deadline ] || { echo "the server did not come back"; return 1; }
        sleep 0.05
    done
}

# Writers are locked out while triggers are created, and by the switch, until the transaction ends.
open() { [ "$1" != capture:commit ] && [ "$1" != switch:commit ]; }

for step in $steps; do
    for at in "$step" "$step:commit"; do
        before=$(shards)
        begin_paused "$at"
        ! open "$at" || write
        if [ "$step" = drop ]; then
            check_error "cancelled at $at: too late" '55000.*cannot be undone any more' main "SELECT foreshard.cancel_job($job)"
            sql main "SELECT pg_terminate_backend($pid, 10000)" >/dev/null
            sql main "SELECT foreshard.resume_job($job)"
            check "ended at $at: the job goes on" "done" "$(ended_as "$job")"
        else
            sql main "SELECT foreshard.cancel_job($job)"
            check "cancelled at $at: the job ends" "cancelled" "$(ended_as "$job")"
            check "cancelled at $at: the shards are the old ones" "$before" "$(shards)"
        fi
        whole "cancelled at $at"

        before=$(shards)
        begin_paused "$at"
        ! open "$at" || write
        kill -KILL "$pid"
        wait_until 60 main "SELECT pg_postmaster_start_time() IS NOT NULL" 2>/dev/null || true
        wait_alive
        check "killed at $at: every row is there" "$(contents shadow)" "$(contents orders)"
        write
        check "killed at $at: the job is started again" 1 "$(sql main "SELECT foreshard._resume_jobs()")"
        check "killed at $at: and comes to its end" "done" "$(ended_as "$job")"
        check "killed at $at: one shard more" $(($(wc -w <<<"$before") / 3 + 1)) $(($(shards | wc -w) / 3))
        whole "killed at $at"
    done
done

# An inner partition goes when what was isolated comes back: the server is killed on the way.
restore_orders '{"query_log": "off", "method": "hash", "shard_key": ["id"], "shard_count": 2}'
plain=$(shards)
for at in create:commit copy:commit switch switch:commit drop drop:commit; do
    isolated=$(sql main "SELECT foreshard.isolate_value('orders', '42')")
    check "isolated before $at" "done" "$(ended_as "$isolated")"
    job=$(sql main "SET foreshard.pause_at = '$at'; SELECT foreshard.undo_job($isolated)")
    wait_until 60 main "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'foreshard job' AND query = 'paused at $at')"
    ! open "$at" || write
    kill -KILL "$(sql main "SELECT pid FROM pg_stat_activity WHERE backend_type = 'foreshard job'")"
    wait_alive
    check "dissolving killed at $at: every row is there" "$(contents shadow)" "$(contents orders)"
    write
    check "dissolving killed at $at: the job is started again" 1 "$(sql main "SELECT foreshard._resume_jobs()")"
    check "dissolving killed at $at: and comes to its end" "done $plain" "$(ended_as "$job") $(shards)"
    whole "dissolving killed at $at"
done
