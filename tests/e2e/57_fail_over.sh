#!/usr/bin/env bash
# Copies take over: a node is killed under writers and not one acknowledged row is missing; a planned switch loses nothing; a crash says what
# could be lost; who comes back is a copy again.
. "$(dirname -- "$0")/lib.sh"
. "$(dirname -- "$0")/copies.sh"

# Without waiting: planned, nothing is lost.
check "restored" "$rows" "$(restore orders '')"
following
check_error "no such node" '42704.*"nowhere" does not exist' main "SELECT foreshard.fail_over('nowhere')"
check_error "a tablespace" '0A000' main "$quiet; SELECT foreshard.add_node('here', tablespace => 'pg_default'); SELECT foreshard.fail_over('here')"
check_error "unknown field" '22023.*unknown config field' main "SELECT foreshard.fail_over('n1', '{\"force\": true}')"
before=$(layout)
check "said only" "2|none|t" "$(sql main "SELECT count(*), min(possible_loss), bool_and(ok) FROM foreshard.fail_over('n1', '{\"dry_run\": true}')")"
check "and nothing done" "$before" "$(layout)"
check "only shards are locked, never the table" "2|0" "$(sql main "BEGIN; SELECT count(*) FROM foreshard.fail_over('n1');
    SELECT count(DISTINCT relation) FILTER (WHERE mode = 'AccessExclusiveLock' AND relation IN (SELECT shard FROM foreshard._shards)), count(*) FILTER (WHERE relation = 'orders'::regclass) FROM pg_locks WHERE pid = pg_backend_pid();
    ROLLBACK" | tail -n 1)"
check "rolled back, nothing is done" "$before" "$(layout)"
check "and writes go on" 60 "$(writes)"
following
# Sessions that write all the while, and one that has prepared statements.
writer() {
    local n=0 id
    while [ ! -e "$work/stop" ]; do
        n=$((n + 1)); id=$(($1 * 1000000 + n))
        if sql main "INSERT INTO orders VALUES ($id, 'w$1')" >/dev/null 2>>"$work/refused"; then echo $id >>"$work/acknowledged.$1"; fi
    done
}
begin_writing() { rm -f "$work/stop" "$work"/acknowledged.* "$work/refused"; writers=(); for w in 1 2 3; do writer $w & writers+=($!); done; }
end_writing() { touch "$work/stop"; wait "${writers[@]}" || true; }
missing() { cat "$work"/acknowledged.* >"$work/all"; sql main "SELECT id FROM orders WHERE id >= 1000000 AND note LIKE 'w%'" | sort >"$work/there"; sort "$work/all" | comm -23 - "$work/there" | wc -l; }
begin_writing
sleep 1
coproc prepared { on main psql -XAtq; }
echo "PREPARE p AS SELECT count(*) FROM orders WHERE id <= 60; SET plan_cache_mode = force_generic_plan; EXECUTE p;" >&"${prepared[1]}"; read -r got <&"${prepared[0]}"
check "prepared" 60 "$got"
check "a planned switch" "2|none|t" "$(sql main "SELECT count(*), min(possible_loss), bool_and(ok) FROM foreshard.fail_over('n1')")"
echo "EXECUTE p;" >&"${prepared[1]}"; read -r got <&"${prepared[0]}"
check "a session follows" 60 "$got"
echo '\q' >&"${prepared[1]}"; wait "$prepared_PID" 2>/dev/null || true
sleep 1
end_writing
check "somebody wrote" yes "$([ "$(cat "$work"/acknowledged.* | wc -l)" -gt 20 ] && echo yes)"
check "not one acknowledged row is missing" 0 "$(missing)"
check "no shard there any more" 0 "$(sql main "SELECT count(*) FROM foreshard.shards WHERE node = 'n1'")"
check "writes go on" 60 "$(writes)"
check_error "the old node takes none" '25006.*takes no writes here' n1 "SET client_min_messages = error; DO \$\$ BEGIN EXECUTE (SELECT format('DELETE FROM %s', tgrelid::regclass) FROM pg_trigger WHERE tgname LIKE '%fence' LIMIT 1); END \$\$" shards
check "its links are gone" "0|0" "$(there n1 "SELECT count(*), (SELECT count(*) FROM pg_replication_slots) FROM pg_publication")"
check "what it has is told to be stale" 2 "$(sql main "SELECT count(*) FROM foreshard.replicas WHERE node = 'n1' AND state = 'stale'")"
check "verify_table names them" "6|f" "$(verified orders)"
check "it rejoins" "2|t" "$(sql main "SELECT count(*), bool_and(ok) FROM foreshard.rejoin('n1')")"
following
check "all is well again" "6|t" "$(verified orders)"

# A crash: what could be lost is said first.
sql main "SELECT foreshard.check_replicas()" >/dev/null
crash n2
check_error "not without leave" '55000.*could lose rows' main "SELECT foreshard.fail_over('n2')"
check_match "dry run says it" 'behind when last seen at' "$(sql main "SELECT possible_loss FROM foreshard.fail_over('n2', '{\"dry_run\": true}')")"
check "the view still answers" t "$(sql main "SELECT bool_or(state = 'unreachable') FROM foreshard.replicas")"
check "verify_table names who is down" "f" "$(sql main "$quiet; SELECT bool_and(ok) FROM foreshard.verify_table('orders')")"
check "with leave" t "$(sql main "SELECT bool_and(ok) FROM foreshard.fail_over('n2', '{\"accept_loss\": true}')")"
check "writes go on without it" 60 "$(writes)"
back n2
check "it rejoins after a crash" t "$(sql main "SELECT bool_and(ok) FROM foreshard.rejoin('n2')")"
following
check "all is well after a crash" "6|t" "$(verified orders)"
# One that was restored from an old backup.
copied=$(there n2 "SELECT oid::regclass FROM pg_class WHERE relkind = 'r' AND relname LIKE 'orders%' LIMIT 1")
there n2 "SET session_replication_role = replica; DELETE FROM $copied WHERE id <= 100"
check "a copy that is not the same is found" "6|f|1" "$(sql main "$quiet; SELECT count(*), bool_and(ok), count(*) FILTER (WHERE NOT ok) FROM foreshard.verify_table('orders')")"
there n2 "SET session_replication_role = replica; TRUNCATE $copied"
check_match "and named" "the copy of shard (public.)?orders_s000. on node \"n2\" is not the same.*" "$(sql main "SELECT 1 FROM foreshard.verify_table('orders')" 2>&1 | grep WARNING)"
sql main "DROP TABLE orders; SELECT foreshard.sweep_nodes()" >/dev/null

# Commits wait for copies: a node is killed under writers, and not one acknowledged row is missing.
check "restored, synchronous" "$rows" "$(restore orders ', "synchronous": true')"
check "commits wait" "t" "$(sql main "SELECT bool_and(synchronous) FROM foreshard.replicas")"
check "each node waits for its copies" "2 2 2" "$(for node in n1 n2 n3; do there $node "SELECT count(*) FILTER (WHERE sync_state = 'sync') FROM pg_stat_replication"; done | xargs)"
begin_writing
sleep 2
crash n1
check "a fail-over after a crash loses nothing" "none|t" "$(sql main "SELECT min(possible_loss), bool_and(ok) FROM foreshard.fail_over('n1')")"
sleep 2
end_writing
check "somebody wrote, before and after" yes "$([ "$(cat "$work"/acknowledged.* | wc -l)" -gt 40 ] && echo yes)"
check "not one acknowledged row is missing after a crash" 0 "$(missing)"
back n1
check "it rejoins, and is waited for" "t|t" "$(sql main "SELECT bool_and(ok) FROM foreshard.rejoin('n1')")|$(sql main "SELECT bool_and(synchronous) FROM foreshard.replicas")"
check "all is well in the end" "6|t" "$(verified orders)"
sql main "DROP TABLE orders; SELECT foreshard.sweep_nodes()" >/dev/null
check "nobody waits for what is gone" "" "$(for node in n1 n2 n3; do there $node "SHOW synchronous_standby_names"; done | xargs)"
