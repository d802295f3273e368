#!/usr/bin/env bash
# Shards of other servers are moved to further ones while clients write to the table: one by one, and all of a node. Killed half-way, the shard is where it was,
# and the job goes on; cancelled, nothing is left behind.
. "$(dirname -- "$0")/lib.sh"
. "$(dirname -- "$0")/load.sh"

server main --conf "synchronous_commit = on"
sql main "CREATE EXTENSION foreshard; CREATE EXTENSION postgres_fdw"
for node in n1 n2 n3; do
    server $node --tcp --conf "wal_level = logical" --conf "max_replication_slots = 20" --conf "max_wal_senders = 20" --conf "max_logical_replication_workers = 12"
    sql $node "CREATE ROLE app SUPERUSER LOGIN PASSWORD 'secret of $node'"
    sql $node "CREATE DATABASE shards OWNER app"
    as_server sed -i '1i host all app 127.0.0.1/32 trust' "$work/$node/data/pg_hba.conf"; sql $node "SELECT pg_reload_conf()" >/dev/null
    sql main "SET client_min_messages = error; CREATE SERVER $node FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '$(port $node)', dbname 'shards');
        CREATE USER MAPPING FOR postgres SERVER $node OPTIONS (user 'app', password 'secret of $node');
        SELECT foreshard.add_node('$node', server => '$node')" >/dev/null
done
there() { sql "$1" "$2" shards; }
# Subscriptions, publications, slots and shards on each node.
left() { for node in n1 n2 n3; do there $node "SELECT (SELECT count(*) FROM pg_subscription) || '/' || (SELECT count(*) FROM pg_publication) || '/' || (SELECT count(*) FROM pg_replication_slots)
    || '/' || (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname LIKE 'foreshard%' AND relkind = 'r')"; done | xargs; }
nodes() { sql main "SELECT string_agg(node || ' ' || n, ' ' ORDER BY node) FROM (SELECT node, count(*) AS n FROM foreshard.shards GROUP BY 1) AS s"; }

# postgres_fdw moves no row to another shard by its key.
sed -i "/-id/d" "$work/load.sql"
make_orders 5000
restore_orders '{"query_log": "off", "method": "hash", "shard_key": ["id"], "shard_count": 18}'
check "restored over the nodes" "n1 6 n2 6 n3 6" "$(nodes)"
sql n1 "ALTER SYSTEM SET wal_level = replica"; restart n1
check_error "wal_level" '55000.*node "n1" cannot be copied' main "SELECT foreshard.move_shard(min(shard::text)::regclass, 'n2') FROM foreshard.shards WHERE node = 'n1'"
sql n1 "ALTER SYSTEM RESET wal_level"; restart n1

begin_load
first=$(sql main "SELECT min(shard::text) FROM foreshard.shards WHERE node = 'n1'")
job=$(sql main "SELECT foreshard.move_shard('$first', 'n2')")
check "moved" "done" "$(ended_as "$job")"
same "moved"
check_error "moved: its node refuses a key of another shard, too" '23514.*violates partition constraint' main "UPDATE $first SET id = -id"
check "it is there" "n1 5 n2 7 n3 6" "$(nodes)"
check "moved: nothing is left on the nodes" "0/0/0/5 0/0/0/7 0/0/0/6" "$(left)"

undo=$(sql main "SELECT foreshard.undo_job($job)")
check "undone" "done" "$(ended_as "$undo")"
check "undone: it is back" "n1 6 n2 6 n3 6 0/0/0/6 0/0/0/6 0/0/0/6" "$(nodes) $(left)"
check "undone: every row is there once" "$(contents shadow)" "$(contents orders)"
undo=$(sql main "SELECT foreshard.undo_job($undo)")
check "and there again" "done n1 5 n2 7 n3 6" "$(ended_as "$undo") $(nodes)"

# Killed in the midst of a step, the job goes on with what it has made, which no sweep takes away.
pause_move() {
    sql main "SET foreshard.pause_at = '$1'; SELECT foreshard.move_shard(min(shard::text)::regclass, 'n3') FROM foreshard.shards WHERE node = 'n1'" >/dev/null
    job=$(sql main "SELECT max(job_id) FROM foreshard.jobs")
    wait_until 60 main "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'foreshard job' AND query = 'paused at $1')"
}
pause_move copy:commit
crash main; start main
check "killed: the old place is in use" "n1 5 n2 7 n3 6" "$(nodes)"
sql main "SELECT foreshard.sweep_nodes()" >/dev/null
check "killed: a sweep leaves what the job goes on with" "0/1/1/5 0/0/0/7 1/0/0/7" "$(left)"
sql main "SELECT foreshard.resume_job($job)"
check "killed: the job goes on" "done" "$(ended_as "$job")"
check "killed: the new place is in use" "n1 4 n2 7 n3 7 0/0/0/4 0/0/0/7 0/0/0/7" "$(nodes) $(left)"

pause_move switch:commit
crash main; start main
check "killed in the switch: the old place is in use" "n1 4 n2 7 n3 7" "$(nodes)"
sql main "SELECT foreshard.resume_job($job)"
check "killed in the switch: the job goes on" "done" "$(ended_as "$job")"
check "killed in the switch: the new place is in use" "n1 3 n2 7 n3 8 0/0/0/3 0/0/0/7 0/0/0/8" "$(nodes) $(left)"

pause_move copy:commit
sql main "SELECT foreshard.cancel_job($job)"
check "cancelled" "cancelled" "$(ended_as "$job")"
check "cancelled: nothing is left" "n1 3 n2 7 n3 8 0/0/0/3 0/0/0/7 0/0/0/8" "$(nodes) $(left)"

# The old place is kept, and goes when the shard comes back; a row that belongs to another shard is kept out of either.
job=$(sql main "SELECT foreshard.move_shard((SELECT min(shard::text) FROM foreshard.shards WHERE node = 'n2')::regclass, 'n1', '{\"keep\": 3600}')")
check "kept" "done" "$(ended_as "$job")"
sql main "SELECT foreshard.sweep_nodes()" >/dev/null
check "kept: a sweep leaves it" "0/0/0/4 0/0/0/7 0/0/0/8" "$(left)"
moved=$(sql main "SELECT old FROM (SELECT task->'old'->0->'name'->>'name' AS old FROM foreshard._reshards WHERE job_id = $job) AS t")
job=$(sql main "SELECT foreshard.move_shard('$moved', 'n2')")
check "back" "done" "$(ended_as "$job")"
check "back: each is there once" "n1 3 n2 7 n3 8 0/0/0/3 0/0/0/7 0/0/0/8" "$(nodes) $(left)"
check "back: a part of the same tables as before" 0 "$(there n2 "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname LIKE 'foreshard%' AND relkind = 'r' AND NOT relispartition")"
check "back: its indexes are there once" 1 "$(there n2 "SELECT count(DISTINCT (SELECT count(*) FROM pg_index i WHERE i.indrelid = c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname LIKE 'foreshard%' AND relkind = 'r'")"

# A left-over in a shell in use.
there n2 "DO \$\$ DECLARE shell regclass := (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname LIKE 'foreshard%' AND relkind = 'p' AND NOT relispartition); leaf text; BEGIN
    SELECT 'FOR VALUES WITH (MODULUS 18, REMAINDER ' || min(r) || ')' INTO leaf FROM generate_series(0, 17) r WHERE NOT EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = inhrelid
        WHERE inhparent = shell AND pg_get_expr(relpartbound, c.oid) ~* ('remainder ' || r || '\\)'));
    EXECUTE format('CREATE TABLE %I.%I PARTITION OF %s %s', (SELECT nspname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid = shell), 'left_over', shell, leaf); END \$\$"
check "a left-over" "0/0/0/3 0/0/0/8 0/0/0/8" "$(left)"
# Whoever works with the other tables there does not hold it up, nor is held up.
(there n2 "BEGIN; LOCK TABLE $(there n2 "SELECT min(c.oid)::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname LIKE 'foreshard%' AND relkind = 'r' AND relname <> 'left_over'") IN ROW EXCLUSIVE MODE; SELECT pg_sleep(600)" >/dev/null 2>&1 || true) &
wait_until 60 n2 "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep')"
check "a sweep locks no tables in use" "" "$(sql main "SET statement_timeout = '60s'; SELECT FROM foreshard.sweep_nodes()" 2>&1)"
sql n2 "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'" >/dev/null
wait $!
check "a left-over is swept" "0/0/0/3 0/0/0/7 0/0/0/8" "$(left)"

# The table was changed meanwhile.
pause_move verify
sql main "ALTER TABLE orders ADD CONSTRAINT changed CHECK (customer > -1)"
sql main "UPDATE foreshard._reshards SET pause_at = NULL WHERE job_id = $job"
check "changed meanwhile" "failed" "$(ended_as "$job")"
check_match "changed meanwhile: why" '55000.*was changed while' "$(sql main "SELECT message FROM foreshard.jobs WHERE job_id = $job")"
check "changed meanwhile: nothing is left" "n1 3 n2 7 n3 8 0/0/0/3 0/0/0/7 0/0/0/8" "$(nodes) $(left)"
sql main "ALTER TABLE orders DROP CONSTRAINT changed"

# One of the two nodes, or the job's own process, is killed in the midst of a step. The job goes on with what it had made.
go_on() { sql main "UPDATE foreshard._reshards SET pause_at = NULL WHERE job_id = $job"; }
for victim in target source worker; do
    for step in verify switch; do
        what="$victim killed at $step"
        pause_move $step
        case $victim in
        target) crash n3; start n3; go_on ;;
        source) crash n1; start n1; go_on ;;
        worker) as_root kill -9 "$(sql main "SELECT pid FROM pg_stat_activity WHERE backend_type = 'foreshard job'")"
            until sql main "SELECT" >/dev/null 2>&1; do sleep 0.2; done
            go_on; sql main "SELECT foreshard.resume_job($job)" >/dev/null 2>&1 || true ;;
        esac
        check "$what: the job goes on" "done" "$(ended_as "$job")"
        sql main "SELECT foreshard.sweep_nodes()" >/dev/null
        check "$what: every row is there once" "$(contents shadow)" "$(contents orders)"
        check "$what: nothing is left" "n1 2 n2 7 n3 9 0/0/0/2 0/0/0/7 0/0/0/9" "$(nodes) $(left)"
        job=$(sql main "SELECT foreshard.move_shard(min(shard::text)::regclass, 'n1') FROM foreshard.shards WHERE node = 'n3'")
        check "$what: and back" "done n1 3 n2 7 n3 8" "$(ended_as "$job") $(nodes)"
    done
done

# The shard's node is down when the job is cancelled.
pause_move copy:commit
crash n1
sql main "SELECT foreshard.cancel_job($job)"
check "cancelled without the node" "cancelled" "$(ended_as "$job")"
start n1
sql main "SELECT foreshard.sweep_nodes()" >/dev/null
check "cancelled without the node: a sweep takes the rest away" "n1 3 n2 7 n3 8 0/0/0/3 0/0/0/7 0/0/0/8" "$(nodes) $(left)"

# Of two levels, the inner partition is made too where there is none.
sql main "SET client_min_messages = error; CREATE TABLE events (w int, at date, v text, PRIMARY KEY (w, at)); INSERT INTO events SELECT n % 100, '2024-01-01'::date + n / 100, md5(n::text) FROM generate_series(1, 20000) n;
    SELECT rows FROM restore_table('public.deep', 'table:public.events', '{\"query_log\": \"off\", \"method\": \"hash\", \"shard_key\": [\"w\"], \"shard_count\": 6, \"within\": {\"method\": \"range\", \"shard_key\": [\"at\"], \"shard_count\": 2}}')" >/dev/null
check "two levels: some are on the node" t "$(sql main "SELECT count(*) > 0 FROM foreshard.shards WHERE node = 'n1' AND relation = 'deep'::regclass")"

begin_load
job=$(sql main "SELECT foreshard.drain_node('n1')")
check "drained" "done" "$(ended_as "$job")"
same "drained"
check_match "drained: nothing is left there" '^0/0/0/0 0/0/0/[0-9]+ 0/0/0/[0-9]+$' "$(left)"
check "drained: all of it" "0 0" "$(there n1 "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'foreshard%'") $(sql main "SELECT count(*) FROM foreshard.shards WHERE node = 'n1'")"
check "drained: of two levels too" 0 "$(sql main "SELECT count(*) FROM ((TABLE deep EXCEPT TABLE events) UNION ALL (TABLE events EXCEPT TABLE deep)) AS d")"
sql main "SELECT foreshard.remove_node('n1')" >/dev/null
check "removed" 2 "$(sql main "SELECT count(*) FROM foreshard.nodes")"
check "what was measured" t "$(sql main "SELECT longest_lock_ms > 0 AND attempts > 0 FROM foreshard.jobs WHERE job_id = $job")"
sql main "DROP TABLE orders, deep; SELECT foreshard.sweep_nodes()" >/dev/null
check "dropped: nothing is left" "0/0/0/0 0/0/0/0 0/0/0/0" "$(left)"
