#!/usr/bin/env bash
# Copies of shards on other nodes: a coordinator and three nodes. What a restore makes of "replicas", what it refuses, how copies follow,
# what the view says, what verify_table finds, and that nothing is left when it fails or the table goes.
. "$(dirname -- "$0")/lib.sh"
. "$(dirname -- "$0")/nodes.sh"

rows=${ROWS:-20000}
server main
sql main "CREATE EXTENSION foreshard"
quiet="SET client_min_messages = error"
for node in n1 n2 n3; do
    subscriber $node
    register $node "" ", zone => 'zone of $node'"
done
sql main "CREATE DATABASE shop"
sql main "CREATE TABLE orders (id bigint PRIMARY KEY, customer int NOT NULL, note text, j jsonb); CREATE INDEX ON orders (note);
    INSERT INTO orders SELECT n, n % 973, md5(n::text), jsonb_build_object('n', n) FROM generate_series(1, $rows) n;
    CREATE TABLE keyless (k int, note text); INSERT INTO keyless SELECT n % 50, 'note ' || n FROM generate_series(1, 1000) n" shop
on main pg_dump -Fc -d shop -f "$(backups main)/shop.dump"
contents() { sql main "SELECT count(*), sum(hashtextextended(t::text, 0)) FROM $1 AS t" "${2:-postgres}"; }
restore() { echo "$quiet; SELECT rows FROM restore_table('public.$1', '$(backups main)/shop.dump', '{\"query_log\": \"off\", \"method\": \"hash\", \"shard_key\": [\"$2\"], \"shard_count\": 6, \"replicas\": 1$3}')"; }
# Everything that replication leaves on a node.
left() { for node in n1 n2 n3; do there $node "SELECT (SELECT count(*) FROM pg_subscription) || '/' || (SELECT count(*) FROM pg_publication) || '/' || (SELECT count(*) FROM pg_replication_slots)
    || '/' || (SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'foreshard%') || current_setting('synchronous_standby_names')"; done | xargs; }

# What is refused, before anything is made.
check_error "nodes cannot reach each other" '08001.*3 problems|08001.*node "n2" cannot subscribe to node "n1"' main "$(restore orders id '')"
for node in n1 n2 n3; do let_in $node; done
sleep 0.3
check_error "too few zones" '22023.*need 4 zones' main "$(restore orders id ', "replicas": 3')"
check_error "shards on this server have none" '0A000.*shards on this server cannot have replicas' main "SELECT foreshard.add_node('here', tablespace => 'pg_default'); $(restore orders id '')"
check_error "a plain table has none" '0A000.*plain table has no replicas' main "SELECT restore_table('public.orders', '$(backups main)/shop.dump', '{\"query_log\": \"off\", \"method\": \"none\", \"replicas\": 1}')"
check_error "no password in what others are told" '22023.*must not hold a password' main "SELECT foreshard.alter_node('n1', replication => 'host=127.0.0.1 password=x')"
check_error "no connection string" '22023.*is a connection string' main "SELECT foreshard.alter_node('n1', replication => 'nothing')"
sql n1 "ALTER ROLE app NOSUPERUSER; GRANT ALL ON DATABASE shards TO app"
check_error "a role that may not" '42501.*role "app" may not' main "$(restore orders id '')"
sql n1 "ALTER ROLE app SUPERUSER"
sql n2 "ALTER SYSTEM SET wal_level = replica"; restart n2
check_error "wal_level" '55000.*node "n2" cannot be copied' main "$(restore orders id '')"
sql n2 "ALTER SYSTEM RESET wal_level"; sql n2 "ALTER SYSTEM SET max_replication_slots = 1"; restart n2
check_error "too few slots" '53400.*max_replication_slots of node "n2"' main "$(restore orders id '')"
sql n2 "ALTER SYSTEM RESET max_replication_slots"; restart n2
check "nothing is left" "0/0/0/0 0/0/0/0 0/0/0/0" "$(left)"

# Made, and tied.
check "restored" "$rows" "$(sql main "$(restore orders id '')")"
check "contents" "$(contents orders shop)" "$(contents orders)"
check "a copy of each shard on another node" "6|6|t" "$(sql main "SELECT count(*), count(DISTINCT shard), bool_and(primary_node <> node) FROM foreshard.replicas")"
check_match "explained" 'Copies: a copy of each shard on a node of another zone' "$(sql main "SELECT foreshard.explain(max(plan_id)) FROM foreshard.plans")"
following() { wait_until 60 main "SELECT bool_and(state = 'following' AND lag_bytes = 0) FROM foreshard.replicas"; }
following
check "the view tells" "following|0|f" "$(sql main "SELECT DISTINCT state, lag_bytes, synchronous FROM foreshard.replicas")"
# Rows of all shards on all nodes: each is there twice.
twice() { for node in n1 n2 n3; do there $node "SELECT count(*) FROM $(there $node "SELECT oid::regclass FROM pg_class WHERE relkind = 'p' AND relname LIKE '$1%'")"; done | awk '{ n += $1 } END { print n }'; }
check "each row is there twice" $((2 * rows)) "$(twice orders)"
sql main "INSERT INTO orders SELECT n, 1, 'new' FROM generate_series($rows + 1, $rows + 500) n; UPDATE orders SET note = 'changed' WHERE id % 10 = 0; DELETE FROM orders WHERE id % 7 = 0"
following
check "copies follow" "$(($(sql main "SELECT count(*) FROM orders") * 2))" "$(twice orders)"
check "verified" "6|t" "$(sql main "SELECT count(*), bool_and(ok) FROM foreshard.verify_table('orders')")"
check "remembered" "t" "$(sql main "SELECT foreshard.check_replicas(); SELECT bool_and(seen_at IS NOT NULL AND seen_lag_bytes IS NOT NULL) FROM foreshard._replicas" | tail -n 1)"
check "no secret there" 0 "$(for node in n1 n2 n3; do there $node "SELECT subconninfo FROM pg_subscription"; done | grep -c -e secret -e password || true)"
check "no secret here" 0 "$(on main pg_dump -d postgres -n foreshard | grep -c 'secret of' || true)"

# Without a key a changed row is found by all that it was.
check "restored without a key" 1000 "$(sql main "$(restore keyless k '')")"
sql main "UPDATE keyless SET note = 'changed' WHERE k = 7; DELETE FROM keyless WHERE k = 8"
following
check "copies without a key follow" "960|40|t" "$(sql main "SELECT count(*), (SELECT count(*) * 2 FROM keyless WHERE k = 7) , (SELECT bool_and(ok) FROM foreshard.verify_table('keyless')) FROM keyless WHERE k <> 7")"

# What goes leaves nothing.
check_error "a node with copies is in use" '55006' main "SELECT foreshard.remove_node('n1')"
sql main "DROP TABLE keyless"
check "two tables on each node" "3 3 3" "$(sql main "SELECT foreshard.sweep_nodes()" >/dev/null; for node in n1 n2 n3; do there $node "SELECT count(*) + 1 FROM pg_subscription"; done | xargs)"
sql main "DROP TABLE orders; SELECT foreshard.sweep_nodes()" >/dev/null
check "nothing is left of them" "0/0/0/0 0/0/0/0 0/0/0/0" "$(left)"
check "nor here" 0 "$(sql main "SELECT count(*) FROM foreshard.replicas")"

# What fails leaves nothing either: rolled back, or killed when all is tied.
sql main "BEGIN; $(restore orders id ', "synchronous": true'); ROLLBACK" >/dev/null
check "rolled back" "0/0/0/0 0/0/0/0 0/0/0/0" "$(left)"
(on main psql -XAtq -c "SET application_name = 'victim'; BEGIN" -c "$(restore orders id ', "synchronous": true')" -c "SELECT pg_sleep(1000)" >/dev/null 2>&1 || true) &
wait_until 60 main "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'victim' AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid())"
check_match "tied before the commit" '2/2/2/1FIRST 2 .* 2/2/2/1FIRST 2' "$(left)"
crash main; start main
wait
check "a sweep takes it away after a kill" "0/0/0/0 0/0/0/0 0/0/0/0" "$(sql main "SELECT foreshard.sweep_nodes()" >/dev/null; left)"

# Commits wait for copies.
sql n1 "ALTER SYSTEM SET synchronous_standby_names = 'somebody'"; sql n1 "SELECT pg_reload_conf()" >/dev/null; sleep 0.3
check_error "somebody's own standbys" '55000.*synchronous_standby_names of node "n1" is not empty' main "$(restore orders id ', "synchronous": true')"
check "leave nothing" "0/0/0/0somebody 0/0/0/0 0/0/0/0" "$(left)"
sql n1 "ALTER SYSTEM RESET synchronous_standby_names"; sql n1 "SELECT pg_reload_conf()" >/dev/null
wait_until 60 n1 "SELECT current_setting('synchronous_standby_names') = ''"
sql n1 "ALTER ROLE app SET synchronous_commit = off"
check_error "commits that do not wait" '55000.*commits on node "n1" do not wait' main "$(restore orders id ', "synchronous": true')"
sql n1 "ALTER ROLE app RESET synchronous_commit"
check "restored, synchronous" "$rows" "$(sql main "$(restore orders id ', "synchronous": true')")"
check "the view tells that commits wait" t "$(sql main "SELECT bool_and(synchronous) FROM foreshard.replicas")"
sql main "INSERT INTO orders SELECT n, 1, 'at once' FROM generate_series(-50, -1) n"
check "what is committed is on the copies at once" $((2 * (rows + 50))) "$(twice orders)"
check_error "copies need a config that can be read" '22023.*unknown config field' main "SELECT foreshard.fail_over('n1', '{\"loss\": 1}')"

# Who may: reading takes what reading the nodes takes, doing the right to change nodes.
sql main "CREATE ROLE clerk; GRANT USAGE ON SCHEMA foreshard TO clerk; CREATE ROLE watcher; GRANT pg_monitor TO watcher"
for call in "SELECT * FROM foreshard.replicas" "SELECT foreshard.check_replicas()" "SELECT foreshard.fail_over('n1')" "SELECT foreshard.rejoin('n1')"; do
    check_error "not everybody: $call" '42501' main "SET ROLE clerk; $call"
done
check_error "nor who only watches" '42501' main "SET ROLE watcher; SELECT foreshard.fail_over('n1')"
