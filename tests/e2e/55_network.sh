#!/usr/bin/env bash
# A node behind a network that is cut, and put back, in each phase: while shards are made, loaded, read back, indexed, committed, and
# while the table is in use. What was cut ends with an error within the time that the foreign server's options give, nothing stays that
# the next restore does not sweep; what was put back in time goes on.
. "$(dirname -- "$0")/lib.sh"
. "$(dirname -- "$0")/nodes.sh"
. "$(dirname -- "$0")/victim.sh"

rows=${ROWS:-100000}
server main --conf "synchronous_commit = on"
node n1
far_server n2
house n2
sql main "CREATE EXTENSION foreshard"
sql main "CREATE DATABASE shop"
sql main "CREATE TABLE orders (id bigint PRIMARY KEY, customer int NOT NULL, note text); CREATE INDEX ON orders (note);
    INSERT INTO orders SELECT n, n % 9973, md5(n::text) FROM generate_series(1, $rows) n" shop
backup=$(backups main)/shop.dump
on main pg_dump -Fc -Z1 -f "$backup" shop
# How soon a cut is noticed.
noticed=", connect_timeout '3', keepalives_idle '1', keepalives_interval '1', keepalives_count '3', tcp_user_timeout '4000'"
register n1 "$noticed"
register n2 "$noticed"
restore="SELECT rows FROM restore_table('public.orders', '$backup',
    '{\"query_log\": \"off\", \"shard_key\": [\"id\"], \"method\": \"hash\", \"shard_count\": 4}')"
expected=$(sql main "SELECT count(*), sum(hashtextextended(t::text, 0)) FROM orders AS t" shop)
contents() { sql main "SELECT count(*), sum(hashtextextended(t::text, 0)) FROM orders AS t"; }
schemas() { for node in n1 n2; do sql $node "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'foreshard%'" shards; done | xargs; }
eval "$(declare -f forget | sed '1s/forget/forget_here/')"
forget() {
    heal n2
    forget_here 2>/dev/null && sql main "SELECT count(*) FROM foreshard.sweep_nodes()" >/dev/null
}
# Sessions there that nobody talks to any more: their server notices in its own time, and an administrator at once.
end_sessions() { sql n2 "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE datname = 'shards' AND application_name = 'foreshard'" >/dev/null; }
# judge WHAT: nothing of it is here, and a restore works that finds what is there.
judge() {
    heal n2
    end_sessions
    check "$1: nothing is here" "0|0|0" "$(sql main "SELECT (SELECT count(*) FROM pg_class WHERE relname LIKE 'orders%'), (SELECT count(*) FROM foreshard._tables), (SELECT count(*) FROM foreshard._shards)")"
    check "$1: the next restore works" "$rows" "$(sql main "SET client_min_messages = error; $restore")"
    check "$1: contents" "$expected" "$(contents)"
    forget
    check "$1: nothing is there after a sweep" "0 0" "$(schemas)"
}
# Who waits on the node, for what: keeps a phase open until the cable is out.
waits() { wait_until 60 n2 "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = 'shards' AND application_name = 'foreshard' AND $1)"; }
# The victim's end, however long it takes to notice.
outcome() { wait $victim || true; outcome=$(cat "$work/victim.out"); }
told='ERROR:  (08006|08001|57P0.)'

for where in load verify indexes; do
    strike $where cut_off n2
    check_match "cut while in $where: told" "$told.*node \"n2\"" "$(cat "$work/victim.out")"
    judge "cut while in $where"
done

# Cut in one exact moment: something on the node keeps it waiting there.
held() { # WHAT LOCK CONDITION
    on n2 psql -XAtq -d shards -c "BEGIN" -c "LOCK TABLE $2 IN ACCESS EXCLUSIVE MODE" -c "SELECT pg_sleep(600)" >/dev/null 2>&1 & local holder=$!
    wait_until 60 n2 "SELECT EXISTS (SELECT FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = '$2'::regclass AND granted)"
    begin ""
    waits "$3"
    cut_off n2
    outcome
    check_match "cut while $1: told" "$told" "$outcome"
    sql n2 "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()" >/dev/null
    wait $holder || true
    judge "cut while $1"
}
held "shards are made" pg_catalog.pg_description "wait_event_type = 'Lock' AND query LIKE '%COMMENT ON TABLE%'"

# A node's COMMIT that nobody heard of. While the other node is kept from its indexes, this one has done all and waits; its process is
# stopped, so that the COMMIT reaches its socket and no more, and the cable is pulled. It commits when nobody listens any more.
sql n1 "CREATE FUNCTION hold() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock(1); END'" shards
sql n1 "CREATE EVENT TRIGGER hold ON ddl_command_start WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION hold()" shards
on n1 psql -XAtq -d shards -c "SELECT pg_advisory_lock(1)" -c "SELECT pg_sleep(600)" >/dev/null 2>&1 & holder=$!
wait_until 60 n1 "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 1 AND granted)"
begin ""
wait_until 60 n1 "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = 'shards' AND application_name = 'foreshard' AND wait_event = 'advisory')"
waits "state = 'idle in transaction' AND query LIKE '%INDEX%'"
committer=$(sql n2 "SELECT pid FROM pg_stat_activity WHERE datname = 'shards' AND application_name = 'foreshard'")
as_root kill -STOP "$committer"
sql n1 "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()" >/dev/null
wait $holder || true
wait_until 60 n1 "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = 'shards' AND application_name = 'foreshard' AND state = 'idle' AND query = 'COMMIT')"
cut_off n2
outcome
check_match "cut while a node commits: told" "$told" "$outcome"
sql n1 "DROP EVENT TRIGGER hold" shards
as_root kill -CONT "$committer"
wait_until 60 n2 "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $committer AND (state = 'active' OR state LIKE 'idle in%'))"
check "cut while a node commits: it did" 1 "$(sql n2 "SELECT count(*) FROM pg_class WHERE relkind = 'p' AND relname LIKE 'orders%'" shards)"
judge "cut while a node commits"

# Put back before anybody gave up.
blink() { cut_off n2; sleep 1; heal n2; }
for where in load verify; do
    for _ in $(seq 20); do
        begin ""
        while kill -0 $victim 2>/dev/null && [ "$(phase)" != $where ]; do :; done
        kill -0 $victim 2>/dev/null && break
        wait $victim || true
        forget
    done
    blink
    outcome
    check "put back in time while in $where: goes on" "$rows" "$(grep -x '[0-9]*' <<<"$outcome")"
    check "put back in time while in $where: contents" "$expected" "$(contents)"
    forget
done

# Not there when it is asked for.
cut_off n2
check_error "cut before" '08001.*could not connect to node "n2"' main "$restore"
heal n2
check "cut before: nothing on the other" "0 0" "$(schemas)"

# The table in use.
sql main "SET client_min_messages = error; $restore" >/dev/null
there=$(sql main "SELECT min(id) FROM orders o JOIN foreshard.shards s ON s.shard = o.tableoid AND s.node = 'n2'")
here=$(sql main "SELECT min(id) FROM orders o JOIN foreshard.shards s ON s.shard = o.tableoid AND s.node = 'n1'")
cut_off n2
check "a query of another node's shard does not care" "$here" "$(sql main "SELECT id FROM orders WHERE id = $here")"
check_error "a query of a shard behind the cut" '08001' main "SELECT id FROM orders WHERE id = $there"
check_error "so with all shards" '08001' main "SELECT count(*) FROM orders"
check_match "verify_table names the node" 'could not connect to server "n2"' "$(sql main "SELECT shard FROM foreshard.verify_table('orders') WHERE NOT ok" 2>&1)"
heal n2
check "put back: all rows" "$expected" "$(contents)"
# A write to both nodes whose commit is cut off: the writer is told, and either of them may have it, even that behind the cut, since a
# COMMIT that is on its way arrives when the cable is back. As docs/nodes.md says; to write again makes it whole.
write="UPDATE orders SET customer = -1 WHERE id IN ($here, $there)"
on main psql -XAtq -v VERBOSITY=verbose >"$work/writer" 2>&1 <<SQL &
BEGIN;
$write;
\! touch $work/written; while [ ! -e $work/cut ]; do sleep 0.05; done
COMMIT;
SQL
writer=$!
until [ -e "$work/written" ]; do sleep 0.05; done
cut_off n2
touch "$work/cut"
wait $writer || true
check_match "a write behind the cut: told" 'ERROR:  08' "$(cat "$work/writer")"
heal n2
end_sessions
check "a write behind the cut: written again" "2" "$(sql main "$write; SELECT count(*) FROM orders WHERE customer = -1")"
check "put back: every row where it belongs" "$rows|0|t" "$(sql main "SELECT sum(rows), sum(misplaced_rows), bool_and(ok) FROM foreshard.verify_table('orders')")"
